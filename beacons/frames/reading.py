"""Whose frame is this? Any advertisement, or the manufacturer data of one, as the beacon that it names."""

from beacons.frames.advertisement import (
    ALL_SERVICES,
    MANUFACTURER,
    SERVICE_DATA,
    SOME_SERVICES,
    Structure,
    split,
)
from beacons.frames.altbeacon import CODE, AltBeacon, read_altbeacon
from beacons.frames.eddystone import SERVICE, EddystoneEid, EddystoneUid, read_eddystone
from beacons.frames.ibeacon import PREFIX, IBeacon, read_manufacturer_data
from beacons.frames.octets import BadFrame

Frame = IBeacon | AltBeacon | EddystoneUid | EddystoneEid
_NEEDED = "manufacturer data (type ff) or data of the service 0xfeaa (type 16)"


def read_frame(octets: bytes) -> Frame:
    """The beacon that an advertisement names, or the iBeacon of manufacturer data alone (they begin 4c 00).

    Raises BadFrame, which says what is wrong at which byte, where no beacon is named.
    """
    if octets.startswith(PREFIX[:2]):
        return read_manufacturer_data(octets)
    structures = split(octets)
    services = {
        structure.data[start : start + 2]
        for structure in structures
        if structure.kind in (SOME_SERVICES, ALL_SERVICES)
        for start in range(0, len(structure.data), 2)
    }
    refused: BadFrame | None = None
    for structure in structures:
        try:
            found = _read(structure, services)
        except BadFrame as wrong:
            refused = refused or wrong
        else:
            if found is not None:
                return found
    raise refused or BadFrame(
        f"byte {len(octets)}: the end is reached without {_NEEDED}, which name a beacon"
    )


def _read(structure: Structure, services: set[bytes]) -> Frame | None:
    """The beacon that a structure names; None where it is of a kind that never names one."""
    data, at = structure.data, structure.at
    if structure.kind == MANUFACTURER:
        if data[:2] == PREFIX[:2]:
            return read_manufacturer_data(data, at=at)
        if data[2:4] == CODE:
            return read_altbeacon(data, at=at)
        raise BadFrame(
            f"byte {at}: the manufacturer data begin {data[:4].hex(' ') or 'nowhere'};"
            " an iBeacon's begin 4c 00 02 15, an AltBeacon's with its maker and be ac"
        )
    if structure.kind != SERVICE_DATA:
        return None
    if data[:2] != SERVICE:
        raise BadFrame(f"byte {at}: data of the service {_service(data)}; Eddystone has 0xfeaa (aa fe)")
    if SERVICE not in services:
        told = ", ".join(sorted(map(_service, services))) or "none"
        raise BadFrame(f"byte {at}: data of the service 0xfeaa, but the list of services names {told}")
    return read_eddystone(data, at=at)


def _service(octets: bytes) -> str:
    return f"0x{octets[:2][::-1].hex()}" if octets else "missing"
