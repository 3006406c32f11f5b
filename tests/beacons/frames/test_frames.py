"""Frames: what is encoded is read back, and what is no beacon is refused at the byte where it differs."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beacons.frames.advertisement import split
from beacons.frames.altbeacon import AltBeacon, read_altbeacon
from beacons.frames.eddystone import EddystoneEid, EddystoneUid
from beacons.frames.ibeacon import IBeacon, read_manufacturer_data
from beacons.frames.octets import BadFrame, read_hex
from beacons.frames.reading import read_frame

SHOES = IBeacon(UUID("5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11"), 2, 1, -59)
SENT = "0201061aff4c0002155b6ab1b658c64ad59f0f7f4d2f0a3c1100020001c5"
IBEACONS = st.builds(
    IBeacon, st.uuids(), st.integers(0, 65_535), st.integers(0, 65_535), st.integers(-128, 127)
)
EID = "0303aafe0d16aafe30e34549445f74657374"


def without(payload: str, *changes: tuple[int, str]) -> bytes:
    """The bytes with those at some places replaced."""
    octets = bytearray(bytes.fromhex(payload))
    for at, other in changes:
        octets[at : at + 1] = bytes.fromhex(other)
    return bytes(octets)


def test_a_frame_has_the_bytes_that_apple_asks_for() -> None:
    assert SHOES.advertisement().hex() == SENT
    assert SHOES.manufacturer_data().hex() == SENT[10:]
    assert SHOES.identity == ("5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11", 2, 1)


@given(IBEACONS)
def test_an_ibeacon_comes_back_from_either_form(beacon: IBeacon) -> None:
    assert read_frame(beacon.advertisement()) == beacon
    assert read_frame(beacon.manufacturer_data()) == beacon


@given(IBEACONS, st.binary(max_size=8), st.integers(0, 9))
def test_neither_other_structures_nor_the_filling_of_a_packet_hide_it(
    beacon: IBeacon, name: bytes, zeros: int
) -> None:
    named = bytes((len(name) + 1, 0x09)) + name
    assert read_frame(named + beacon.advertisement() + bytes(zeros)) == beacon


@pytest.mark.parametrize(("name", "value"), [("major", 65_536), ("minor", -1), ("measured_power_dbm", -129)])
def test_numbers_that_do_not_fit_are_refused_by_name(name: str, value: int) -> None:
    numbers = {"major": 1, "minor": 1, "measured_power_dbm": -59, name: value}
    with pytest.raises(ValueError, match=f"{name} is {value}; it is "):
        IBeacon(SHOES.uuid, **numbers)


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"", "byte 0: the end is reached without manufacturer data"),
        (bytes.fromhex("020106"), "byte 3: the end is reached"),
        (bytes.fromhex(SENT)[:-1], "byte 3: a structure of 26 bytes begins, but only 25 follow"),
        (without(SENT, (7, "03")), "byte 7: the type is 03; an iBeacon has 02"),
        (without(SENT, (8, "16")), "byte 8: the length is 16; an iBeacon has 15"),
        (without(SENT, (5, "4d")), "byte 5: the manufacturer data begin 4d 00 02 15"),
        (without(SENT[:-2], (3, "19")), "byte 5: 24 bytes of manufacturer data; an iBeacon has 25"),
        (bytes.fromhex(SENT)[5:-1], "byte 0: 24 bytes of manufacturer data; an iBeacon has 25"),
        (bytes.fromhex("4c00"), "byte 0: 2 bytes of manufacturer data"),
        (bytes.fromhex("01ff"), "byte 2: the manufacturer data begin nowhere"),
        (bytes.fromhex("0d16aafe30e34549445f74657374"), "byte 2: .* the list of services names none"),
        (without(EID, (8, "10")), r"byte 8: .*\(Eddystone-URL\), which names no beacon"),
        (without(EID, (8, "31")), "byte 8: the type is 31; Eddystone has 00"),
        (without(EID, (8, "00")), "byte 6: 12 bytes of service data; this Eddystone frame has 20"),
        (bytes.fromhex("0303aafe0316aafe"), "byte 8: the type is missing"),
    ],
)
def test_what_is_no_beacon_is_refused_where_it_differs(octets: bytes, told: str) -> None:
    with pytest.raises(BadFrame, match=f"^{told}"):
        read_frame(octets)


@given(st.binary(max_size=64))
@example(bytes.fromhex("4c0002"))
@example(bytes.fromhex("0303aafe0416aafe00"))
@example(bytes.fromhex("05ff1801beac"))
def test_random_bytes_are_a_beacon_or_refused(octets: bytes) -> None:
    try:
        found = read_frame(octets)
    except BadFrame:
        return
    assert isinstance(found, IBeacon | AltBeacon | EddystoneUid | EddystoneEid)


def test_each_reader_refuses_what_is_for_another() -> None:
    apple, other = bytes.fromhex(SENT[10:]), bytes.fromhex("1801beac") + bytes(21)
    with pytest.raises(BadFrame, match="byte 5: the manufacturer is 18 01; an iBeacon has 4c 00"):
        read_manufacturer_data(other, at=5)
    with pytest.raises(BadFrame, match="byte 7: the code is 02 15; an AltBeacon has be ac"):
        read_altbeacon(apple, at=5)


@given(IBEACONS, st.integers(0, 29), st.binary(min_size=1, max_size=1))
def test_a_byte_that_was_received_wrong_makes_another_beacon_or_none(
    beacon: IBeacon, at: int, other: bytes
) -> None:
    octets = beacon.advertisement()
    changed = octets[:at] + other + octets[at + 1 :]
    try:
        found = read_frame(changed)
    except BadFrame:
        assert at < 9
    else:
        assert (found == beacon) == (changed == octets or at in (1, 2))


@given(st.binary(max_size=64))
def test_structures_lie_in_the_packet_one_after_another(octets: bytes) -> None:
    try:
        found = split(octets)
    except BadFrame:
        return
    end = 0
    for structure in found:
        assert (octets[end], octets[end + 1]) == (len(structure.data) + 1, structure.kind)
        assert structure.at == end + 2
        end = structure.at + len(structure.data)
        assert octets[structure.at : end] == structure.data
    assert end == len(octets) or octets[end] == 0


@pytest.mark.parametrize(
    "text", ["0201061a", "02 01 06 1A", "02:01:06:1a", "0x02 0x01 0x06 0x1a", " 0x0201\n061a "]
)
def test_hexadecimal_is_read_as_tools_write_it(text: str) -> None:
    assert read_hex(text) == bytes((0x02, 0x01, 0x06, 0x1A))


@pytest.mark.parametrize(
    ("text", "told"), [("0201 6", "byte 2: '6'"), ("0g", "byte 0: '0g'"), ("02 0x", "byte 1: ")]
)
def test_what_is_not_hexadecimal_is_refused_at_its_byte(text: str, told: str) -> None:
    with pytest.raises(BadFrame, match=f"^{told}"):
        read_hex(text)


@given(st.text(max_size=20))
def test_random_text_is_bytes_or_refused(text: str) -> None:
    try:
        octets = read_hex(text)
    except BadFrame:
        return
    written = "".join(one for one in text if one.isalnum())
    assert octets.hex() == written.lower().replace("0x", "")
