"""Are frames that others captured, and regions that others match, read as their own tests say?"""

from __future__ import annotations

import csv
import io
from uuid import UUID

import pytest

from beacons.frames.altbeacon import AltBeacon
from beacons.frames.eddystone import EddystoneUid
from beacons.frames.ibeacon import IBeacon
from beacons.frames.octets import BadFrame, read_hex
from beacons.frames.reading import read_frame
from beacons.region import Region
from tests.data import read_text

IDENTITIES = {"ibeacon", "altbeacon", "eddystone_uid", "eddystone_eid"}
"""Every other type of the table names no beacon that m2s knows."""


def rows_of(relative: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(relative))))


def test_every_captured_frame_is_read_or_refused_as_its_source_says() -> None:
    rows = rows_of("ble/beacon_frames.csv")
    found: dict[str, str] = {}
    for row in rows:
        try:
            frame = read_frame(read_hex(row["hex"]))
        except BadFrame:
            found[row["case_id"]] = "refused"
            continue
        found[row["case_id"]] = frame.kind
        if isinstance(frame, IBeacon | AltBeacon):
            told = (frame.uuid, frame.major, frame.minor, frame.measured_power_dbm)
            numbers = [int(row[name]) for name in ("major", "minor", "tx_power_dbm")]
            assert told == (UUID(row["uuid"]), *numbers), row["case_id"]
        else:
            assert frame.power_at_0_m_dbm == int(row["tx_power_dbm"]), row["case_id"]
    kinds = {row["case_id"]: row["expected_type"] for row in rows}
    assert found == {case: kind if kind in IDENTITIES else "refused" for case, kind in kinds.items()}
    assert len(found) == 21


def test_an_eddystone_uid_has_the_namespace_and_instance_that_its_source_says() -> None:
    (row,) = [row for row in rows_of("ble/beacon_frames.csv") if row["expected_type"] == "eddystone_uid"]
    frame = read_frame(read_hex(row["hex"]))
    assert isinstance(frame, EddystoneUid)
    assert row["note"] == f"namespace {frame.namespace.hex()} instance {frame.instance.hex()}"


def test_a_captured_ibeacon_is_sent_as_it_was_received() -> None:
    sent = [row["hex"] for row in rows_of("ble/beacon_frames.csv") if row["expected_type"] == "ibeacon"]
    assert len(sent) == 2
    for text in sent:
        frame = read_frame(read_hex(text))
        assert isinstance(frame, IBeacon)
        # The flags before it are the sender's own choice.
        assert frame.advertisement()[3:] == read_hex(text)[3:]


def test_beacons_are_in_the_regions_that_another_library_says() -> None:
    rows = rows_of("testcases/beacon_region_match.csv")
    assert len(rows) == 11
    for row in rows:
        region = Region(_ids(row["region_ids"]), row["region_mac"] or None)
        ids = tuple(one for one in _ids(row["beacon_ids"]) if one is not None)
        assert region.holds(ids, row["beacon_mac"] or None) == (row["expected_match"] == "1"), row["case_id"]


def _ids(text: str) -> tuple[str | None, ...]:
    return tuple(None if one == "null" else one for one in text.split("|")) if text else ()


@pytest.mark.parametrize("wrong", ["bt-bad-3", "ab-pdu-too-short"])
def test_a_frame_that_breaks_off_is_refused_at_its_byte(wrong: str) -> None:
    (row,) = [row for row in rows_of("ble/beacon_frames.csv") if row["case_id"] == wrong]
    with pytest.raises(BadFrame, match=r"^byte \d+: \d+ bytes of|^byte 3: a structure of 3 bytes"):
        read_frame(read_hex(row["hex"]))
