"""How does an AltBeacon state its identity? Manufacturer data of any maker that say `be ac`."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from beacons.frames.octets import BadFrame, signed

CODE = bytes.fromhex("beac")
_LEAST, _MOST = 25, 26


@dataclass(frozen=True, slots=True)
class AltBeacon:
    """What an AltBeacon says: its maker and its 20 bytes, of which most senders make a UUID and two numbers."""

    kind: ClassVar = "altbeacon"

    manufacturer: int
    uuid: UUID
    major: int
    minor: int
    measured_power_dbm: int


def read_altbeacon(data: bytes, *, at: int = 0) -> AltBeacon:
    """The AltBeacon of manufacturer data that begin at byte `at` of what was received; raises BadFrame.

    The last byte belongs to the maker and is often left out.
    """
    if data[2:4] != CODE:
        raise BadFrame(
            f"byte {at + 2}: the code is {data[2:4].hex(' ') or 'missing'}; an AltBeacon has be ac"
        )
    if not _LEAST <= len(data) <= _MOST:
        raise BadFrame(
            f"byte {at}: {len(data)} bytes of manufacturer data; an AltBeacon has {_LEAST} or {_MOST}"
        )
    return AltBeacon(
        int.from_bytes(data[:2], "little"),
        UUID(bytes=data[4:20]),
        int.from_bytes(data[20:22], "big"),
        int.from_bytes(data[22:24], "big"),
        signed(data[24]),
    )
