"""How does an iBeacon state its identity? 25 bytes of manufacturer data, in an advertisement of 30."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from beacons.frames.advertisement import FLAGS, MANUFACTURER, join
from beacons.frames.octets import BadFrame, signed

PREFIX = bytes.fromhex("4c000215")
"""Apple as the manufacturer (0x004c, low byte first), type iBeacon, and 21 more bytes."""
LENGTH = 25
_LARGEST = 0xFFFF
_DISCOVERABLE_LOW_ENERGY_ONLY = bytes((0x06,))
_EXPECTED = (
    (2, "the manufacturer is {found}; an iBeacon has 4c 00 (Apple)"),
    (3, "the type is {found}; an iBeacon has 02"),
    (4, "the length is {found}; an iBeacon has 15 (21 bytes)"),
)


@dataclass(frozen=True, slots=True)
class IBeacon:
    """What an iBeacon says: who it is, and the signal strength that a phone measures 1 m away."""

    kind: ClassVar = "ibeacon"

    uuid: UUID
    major: int
    minor: int
    measured_power_dbm: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("major", 0, _LARGEST),
            ("minor", 0, _LARGEST),
            ("measured_power_dbm", -128, 127),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}; it is {low} to {high}")

    @property
    def identity(self) -> tuple[str, int, int]:
        """UUID in lower case with dashes, major, minor: the key by which a catalog knows a beacon."""
        return str(self.uuid), self.major, self.minor

    def manufacturer_data(self) -> bytes:
        """The data of its manufacturer structure, the manufacturer's number included."""
        numbers = self.major.to_bytes(2, "big") + self.minor.to_bytes(2, "big")
        return PREFIX + self.uuid.bytes + numbers + self.measured_power_dbm.to_bytes(1, "big", signed=True)

    def advertisement(self) -> bytes:
        """A whole advertisement: flags, then the manufacturer structure."""
        return join((FLAGS, _DISCOVERABLE_LOW_ENERGY_ONLY), (MANUFACTURER, self.manufacturer_data()))


def read_manufacturer_data(data: bytes, *, at: int = 0) -> IBeacon:
    """The iBeacon of manufacturer data that begin at byte `at` of what was received; raises BadFrame."""
    start = 0
    for end, told in _EXPECTED:
        found = data[start:end]
        if found and found != PREFIX[start:end]:
            raise BadFrame(f"byte {at + start}: {told.format(found=found.hex(' '))}")
        start = end
    if len(data) != LENGTH:
        raise BadFrame(f"byte {at}: {len(data)} bytes of manufacturer data; an iBeacon has {LENGTH}")
    return IBeacon(
        UUID(bytes=data[4:20]),
        int.from_bytes(data[20:22], "big"),
        int.from_bytes(data[22:24], "big"),
        signed(data[24]),
    )
