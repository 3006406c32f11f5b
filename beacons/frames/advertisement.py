"""What is in an advertisement? AD structures (length, type, data), as the Bluetooth specification has them."""

from dataclasses import dataclass

from beacons.frames.octets import BadFrame

FLAGS = 0x01
SOME_SERVICES, ALL_SERVICES = 0x02, 0x03
SERVICE_DATA = 0x16
MANUFACTURER = 0xFF
"""AD types: flags, lists of 16-bit service UUIDs, data of a 16-bit service, data of a manufacturer."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One AD structure; `at` is the byte of the advertisement at which its data begin."""

    kind: int
    data: bytes
    at: int


def split(payload: bytes) -> tuple[Structure, ...]:
    """The structures of an advertisement; a length of 0 ends them, as zeros fill what is left of a packet.

    Raises BadFrame where a structure runs over the end.
    """
    found, at = [], 0
    while at < len(payload) and payload[at]:
        length, rest = payload[at], len(payload) - at - 1
        if length > rest:
            raise BadFrame(f"byte {at}: a structure of {length} bytes begins, but only {rest} follow")
        found.append(Structure(payload[at + 1], payload[at + 2 : at + 1 + length], at + 2))
        at += 1 + length
    return tuple(found)


def join(*structures: tuple[int, bytes]) -> bytes:
    """The advertisement of structures that are given as (type, data)."""
    return b"".join(bytes((len(data) + 1, kind)) + data for kind, data in structures)
