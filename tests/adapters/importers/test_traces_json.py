"""Are OwnTracks payloads and JSON lines of sightings read as far as they make sense?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from m2s.adapters.importers.traces import Reading, Recording
from m2s.adapters.importers.traces_jsonl import read_jsonl
from m2s.adapters.importers.traces_owntracks import read_owntracks
from m2s.app.sighting import Sighting
from m2s.core.base.errors import Invalid

PLAIN = Reading(zone=None, accuracy_m=10.0)
TST = 1793606400
AT = datetime(2026, 11, 2, 8, tzinfo=UTC)
FIX = {"_type": "location", "lat": 48.85, "lon": 2.35, "acc": 12, "vel": 18, "tst": TST, "tid": "an"}
UUID = "5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11"
BEACON = {"_type": "beacon", "uuid": UUID, "major": 1, "minor": 2, "rssi": -60, "prox": 1, "tst": TST}
LEAVING = {"_type": "transition", "event": "leave", "desc": "shop/vicinity", "tst": TST, "lat": 1, "acc": 9}
ITEM = {"id": "a", "kind": "location", "latitude": 48.85, "longitude": 2.35, "accuracy_m": 12}


def lines(*entries: Any) -> bytes:
    return "\n".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries).encode()


def only(recording: Recording) -> tuple[datetime, dict[str, Any]]:
    ((one,),) = [trace.sightings for trace in recording.traces]
    return one.at, dict(one.fields)


def left_out(recording: Recording) -> dict[str, tuple[int, str]]:
    return {one.reason: (one.many, one.first) for one in recording.left_out}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (FIX, {"kind": "location", "latitude": 48.85, "longitude": 2.35, "accuracy_m": 12, "speed_mps": 5}),
        (
            BEACON,
            {
                "kind": "beacon",
                "uuid": UUID,
                "major": 1,
                "minor": 2,
                "rssi_dbm": -60,
                "proximity": "immediate",
            },
        ),
        (LEAVING, {"kind": "geofence", "transition": "exit", "region_ids": ["shop/vicinity"]}),
    ],
)
def test_each_payload_becomes_its_kind_of_sighting(
    payload: dict[str, Any], expected: dict[str, object]
) -> None:
    at, fields = only(read_owntracks(lines(payload), PLAIN))
    msgspec.convert({**fields, "age_ms": 0}, Sighting)
    assert at == AT
    assert len(fields.pop("id")) == 32
    assert fields == expected


@pytest.mark.parametrize(
    ("data", "phone"),
    [
        (lines(FIX), "an"),
        (lines({**FIX, "topic": "owntracks/ann/phone/event"}), "owntracks/ann/phone"),
        (lines("2026-11-02T08:00:00Z\t*                 \t" + json.dumps(FIX)), "an"),
        (lines("owntracks/ann/phone/beacon " + json.dumps(FIX)), "owntracks/ann/phone"),
        (json.dumps([FIX], indent=2).encode(), "an"),
        (json.dumps({"count": 1, "data": [FIX]}, indent=2).encode(), "an"),
        (b"\xef\xbb\xbf" + json.dumps(FIX, indent=2).encode(), "an"),
    ],
)
def test_payloads_are_found_however_they_were_kept(data: bytes, phone: str) -> None:
    (trace,) = read_owntracks(data, PLAIN).traces
    assert (trace.phone, len(trace.sightings)) == (phone, 1)


def test_what_owntracks_sends_beside_is_counted() -> None:
    recording = read_owntracks(
        lines(
            {**FIX, "tst": None},
            {"_type": "lwt", "tst": TST},
            {"_type": "waypoint", "tst": TST, "lat": 1, "lon": 1},
            {"_type": "encrypted", "data": "AAAA"},
            FIX,
            FIX,
            '2026-11-02T08:00:00Z\t*                 \t{"_type":"location","la',
            {**FIX, "tst": "soon"},
            {**FIX, "lat": None},
            {**BEACON, "major": 70_000},
            {**LEAVING, "event": "dance"},
            '{"a":' * 50_000,
        ),
        PLAIN,
    )
    only(recording)
    assert left_out(recording) == {
        "no_time": (1, "line 1"),
        "not_sighting": (2, "line 2"),
        "encrypted": (1, "line 4"),
        "repeat": (1, "line 6"),
        "unreadable": (2, "line 7"),
        "bad_time": (1, "line 8"),
        "bad_position": (1, "line 9"),
        "refused": (2, "line 10"),
    }


@pytest.mark.parametrize(
    ("told", "item"),
    [
        ({}, {"at": "2026-11-02T09:00:00+01:00"}),
        ({"sent_at": "2026-11-02T08:10:00Z"}, {"age_ms": 600_000}),
        ({"sent_at": "2026-11-02T08:10:00Z"}, {"at": "2026-11-02T08:00:00Z"}),
        ({"sent_at": "2030-01-01T00:10:00Z", "received_at": "2026-11-02T08:10:00Z"}, {"age_ms": 600_000}),
        (
            {"sent_at": "2030-01-01T00:10:00Z", "received_at": "2026-11-02T08:10:00Z"},
            {"at": "2030-01-01T00:00:00Z"},
        ),
    ],
)
def test_the_time_of_a_sighting_is_that_which_the_service_would_find(
    told: dict[str, str], item: dict[str, object]
) -> None:
    recording = read_jsonl(lines({**told, "device_id": "ann", "sightings": [ITEM | item]}), PLAIN)
    assert [trace.phone for trace in recording.traces] == ["ann"]
    at, fields = only(recording)
    assert (at, fields) == (AT, ITEM)
    if not told:
        assert only(read_jsonl(lines(ITEM | item), PLAIN)) == (AT, ITEM)


def test_readings_of_a_beacon_keep_their_distance_in_time() -> None:
    beacon = {"id": "b", "kind": "beacon", "uuid": UUID, "major": 1, "minor": 2, "rssi_dbm": -60}
    samples = [{"age_ms": 609_000, "rssi_dbm": -70}, {"age_ms": 600_000, "rssi_dbm": -60}]
    batch = {
        "sent_at": "2026-11-02T08:10:00Z",
        "sightings": [{**beacon, "age_ms": 600_000, "samples": samples}],
    }
    at, fields = only(read_jsonl(lines(batch), PLAIN))
    assert at == AT
    assert [sample["age_ms"] for sample in fields["samples"]] == [9_000, 0]


def test_lines_that_are_no_sightings_are_counted() -> None:
    good = ITEM | {"at": "2026-11-02T08:00:00Z"}
    recording = read_jsonl(
        lines(
            good,
            good,
            '{"a":' * 50_000,
            [],
            {"truth": {"visits": 3}},
            ITEM,
            {"sightings": [{**ITEM, "age_ms": 5}, 7, {**good, "id": "b", "latitude": 91}]},
            {"sent_at": "0001-01-01T00:00:00Z", "sightings": [{**ITEM, "age_ms": 10**12}]},
        ),
        PLAIN,
    )
    only(recording)
    assert left_out(recording) == {
        "repeat": (1, "line 2"),
        "unreadable": (2, "line 3"),
        "not_sighting": (1, "line 5"),
        "no_time": (2, "line 6"),
        "refused": (2, "line 7, sighting 1"),
        "bad_time": (1, "line 8, sighting 0"),
    }


@pytest.mark.parametrize("data", [b"", b"[1, 2]\n7\n", b"lat,lon,time\n"])
def test_what_has_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="line 1: this is not OwnTracks"):
        read_owntracks(data, PLAIN)
    with pytest.raises(Invalid, match="line 1: these are no JSON lines"):
        read_jsonl(data, PLAIN)
