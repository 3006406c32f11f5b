"""How does an Eddystone beacon state its identity? Data of the service 0xfeaa: UID for ever, EID for some minutes."""

from dataclasses import dataclass
from typing import ClassVar

from beacons.frames.octets import BadFrame, signed

SERVICE = bytes.fromhex("aafe")
"""The 16-bit service UUID 0xfeaa, low byte first."""
_UID, _EID = 0x00, 0x30
_WITHOUT_IDENTITY = {0x10: "a web address (Eddystone-URL)", 0x20: "telemetry (Eddystone-TLM)"}
_HEAD = 4
_NAMESPACE, _INSTANCE, _EPHEMERAL = 10, 6, 8


@dataclass(frozen=True, slots=True)
class EddystoneUid:
    """A lasting identity: `namespace` (10 bytes, the owner's) and `instance` (6 bytes). The power is that at 0 m."""

    kind: ClassVar = "eddystone_uid"

    namespace: bytes
    instance: bytes
    power_at_0_m_dbm: int


@dataclass(frozen=True, slots=True)
class EddystoneEid:
    """An identity that changes, 8 bytes; who has the beacon's key can tell whose it is. The power is that at 0 m."""

    kind: ClassVar = "eddystone_eid"

    ephemeral_id: bytes
    power_at_0_m_dbm: int


def read_eddystone(data: bytes, *, at: int = 0) -> EddystoneUid | EddystoneEid:
    """The identity in data of the service 0xfeaa that begin at byte `at` of what was received; raises BadFrame."""
    kind = data[2] if len(data) > 2 else None
    if kind in _WITHOUT_IDENTITY:
        raise BadFrame(
            f"byte {at + 2}: an Eddystone frame with {_WITHOUT_IDENTITY[kind]}, which names no beacon"
        )
    sizes = {_UID: _NAMESPACE + _INSTANCE, _EID: _EPHEMERAL}
    if kind not in sizes:
        told = "missing" if kind is None else f"{kind:02x}"
        raise BadFrame(f"byte {at + 2}: the type is {told}; Eddystone has 00 (UID) and 30 (EID)")
    end = _HEAD + sizes[kind]
    if len(data) < end:
        raise BadFrame(f"byte {at}: {len(data)} bytes of service data; this Eddystone frame has {end}")
    power_dbm = signed(data[3])
    if kind == _EID:
        return EddystoneEid(data[_HEAD:end], power_dbm)
    return EddystoneUid(data[_HEAD : _HEAD + _NAMESPACE], data[_HEAD + _NAMESPACE : end], power_dbm)
