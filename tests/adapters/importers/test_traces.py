"""Are recorded positions read as far as they make sense, and is what was left out counted? GPX and CSV."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.adapters.importers.traces import Reading, Recording
from m2s.adapters.importers.traces_csv import read_csv_trace
from m2s.adapters.importers.traces_gpx import read_gpx
from m2s.adapters.importers.traces_jsonl import read_jsonl
from m2s.adapters.importers.traces_owntracks import read_owntracks
from m2s.core.base.errors import Invalid

Reader = Callable[[bytes, Reading], Recording]
PLAIN = Reading(zone=None, accuracy_m=10.0)
PARIS = Reading(zone=ZoneInfo("Europe/Paris"), accuracy_m=10.0)
GPX = '<?xml version="1.0"?>\n<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">\n<trk><trkseg>\n{}\n</trkseg></trk></gpx>'
POINT = '<trkpt lat="48.85" lon="2.35"><time>2026-11-02T08:00:00Z</time></trkpt>'
CSV = "lat,lon,time"
WHOLE: dict[str, tuple[Reader, bytes]] = {
    "gpx": (read_gpx, GPX.format("\n".join([POINT, POINT.replace("08:00", "08:05")])).encode()),
    "csv": (
        read_csv_trace,
        f"{CSV}\n48.85,2.35,2026-11-02T08:00:00Z\n48.85,2.36,2026-11-02T08:05Z\n".encode(),
    ),
    "owntracks": (
        read_owntracks,
        b'2026-11-02T08:00:00Z\t*                 \t{"_type":"location","lat":48.85,"lon":2.35,"tst":1762070400}\n'
        b'owntracks/ann/phone {"_type":"beacon","uuid":"5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11","major":1,'
        b'"minor":2,"rssi":-60,"tst":1762070460}\n',
    ),
    "jsonl": (
        read_jsonl,
        b'{"id":"a","kind":"location","at":"2026-11-02T08:00:00Z","latitude":1,"longitude":2,"accuracy_m":3}\n'
        b'{"sent_at":"2026-11-02T08:00:00Z","sightings":[{"id":"b","kind":"geofence","age_ms":5,'
        b'"transition":"enter","region_ids":["a/b"]}]}\n',
    ),
}


def left_out(recording: Recording) -> dict[str, tuple[int, str]]:
    return {one.reason: (one.many, one.first) for one in recording.left_out}


def sightings(recording: Recording) -> int:
    return sum(len(trace.sightings) for trace in recording.traces)


@pytest.mark.parametrize("form", WHOLE)
def test_a_whole_file_gives_everything_the_same_each_time(form: str) -> None:
    reader, data = WHOLE[form]
    recording = reader(data, PLAIN)
    assert (sightings(recording), recording.left_out) == (2, ())
    assert reader(data, PLAIN) == recording


@pytest.mark.parametrize("form", WHOLE)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_read_or_refused(form: str, data: bytes) -> None:
    reader, whole = WHOLE[form]
    for tried in (data, whole + b"\n" + data, data + b"\n" + whole):
        with suppress(Invalid):
            reader(tried, PARIS)


@pytest.mark.parametrize("form", WHOLE)
@given(data=st.data())
def test_damage_in_the_middle_is_read_around_or_refused(form: str, data: st.DataObject) -> None:
    reader, whole = WHOLE[form]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 20)))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    with suppress(Invalid):
        recording = reader(damaged, PARIS)
        assert sightings(recording) + len(recording.left_out) > 0


def test_a_gpx_point_gives_its_position_time_speed_and_how_exact_it_is() -> None:
    point = POINT.replace(
        "</trkpt>", "<hdop>2.5</hdop><extensions><x:speed>1.5</x:speed></extensions></trkpt>"
    )
    (trace,) = read_gpx(GPX.format(point).encode(), PLAIN).traces
    (one,) = trace.sightings
    assert one.at == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert {name: one.fields[name] for name in ("latitude", "longitude", "accuracy_m", "speed_mps")} == {
        "latitude": 48.85,
        "longitude": 2.35,
        "accuracy_m": 12.5,
        "speed_mps": 1.5,
    }


def test_an_awkward_gpx_file_gives_what_makes_sense_and_counts_the_rest() -> None:
    lines = [
        '<wpt lat="1" lon="1"><time>2026-11-02T08:00:00Z</time></wpt></trkseg><trkseg></trkseg><trkseg>',
        POINT.replace("08:00", "08:10"),
        POINT,
        POINT,
        '<trkpt lat="48.85" lon="2.35"/>',
        '<trkpt lat="48.85" lon="2.35"><time> </time></trkpt>',
        POINT.replace("2026-11-02T08:00:00Z", "yesterday"),
        POINT.replace("2026-11-02T08:00:00Z", "0001-01-01T00:00:00+23:00"),
        POINT.replace("2026-11-02", "1926-11-02"),
        POINT.replace("48.85", "98.85"),
        POINT.replace('lon="2.35"', ""),
        POINT.replace("48.85", "nan"),
    ]
    recording = read_gpx(GPX.format("\n".join(lines)).encode(), PLAIN)
    assert left_out(recording) == {
        "mark": (1, "line 4"),
        "repeat": (1, "line 7"),
        "no_time": (2, "line 8"),
        "bad_time": (3, "line 10"),
        "bad_position": (3, "line 13"),
    }
    (trace,) = recording.traces
    assert [one.at.minute for one in trace.sightings] == [0, 10]


def test_a_gpx_file_that_breaks_off_gives_what_stands_before() -> None:
    whole = GPX.format("\n".join([POINT, POINT.replace("08:00", "08:05"), POINT.replace("08:00", "08:10")]))
    recording = read_gpx(whole[: whole.index("08:10")].encode(), PLAIN)
    assert sightings(recording) == 2
    assert left_out(recording) == {"broken": (1, "line 6")}


@pytest.mark.parametrize(("zone", "hour"), [(PLAIN, 8), (PARIS, 7)])
def test_a_gpx_time_without_offset_is_utc_unless_a_zone_is_named(zone: Reading, hour: int) -> None:
    (trace,) = read_gpx(GPX.format(POINT.replace("Z", "")).encode(), zone).traces
    assert trace.sightings[0].at.hour == hour


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: this is not GPX"),
        ("lat,lon\n1,2", "line 1: this is not GPX"),
        ("<kml><trkpt/></kml>", "its first element is <kml>"),
        ('<?xml version="1.0" encoding="nonsense"?><gpx/>', "not GPX"),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>\n'
            f"<gpx><trk><name>&b;</name><trkseg>{POINT}</trkseg></trk></gpx>",
            "line 2: GPX has no document type declaration",
        ),
        ('<!DOCTYPE gpx SYSTEM "file:///etc/hostname"><gpx/>', "no document type declaration"),
    ],
)
def test_what_is_not_gpx_is_refused(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_gpx(text.encode(), PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        "lat,lon,time\n48.85,2.35,2026-11-02T08:00:00Z",
        "\ufeffTime;Latitude;Longitude\r\n2026-11-02 09:00:00+01:00;48,85;2,35\r\n",
        "id\tlng\tlat\tepoch\n7\t2.35\t48.85\t1793606400",
        'name,"lat",long,timestamp ms\n"a, b",48.85,2.35,1793606400000\n',
        "latitude|longitude|time utc\n48.85|2.35|2026-11-02 08:00:00.000000000",
    ],
)
def test_the_header_says_what_is_what(text: str) -> None:
    (trace,) = read_csv_trace(text.encode(), PLAIN).traces
    (one,) = trace.sightings
    assert (one.at, one.fields["latitude"], one.fields["longitude"]) == (
        datetime(2026, 11, 2, 8, tzinfo=UTC),
        48.85,
        2.35,
    )


def test_each_phone_of_a_csv_file_is_a_trace_in_order() -> None:
    text = f"track_id,{CSV}\n2,1,1,2026-11-02T08:01Z\n1,1,1,2026-11-02T08:00Z\n2,1,1,2026-11-02T08:00Z\n"
    traces = read_csv_trace(text.encode(), PLAIN).traces
    assert {trace.phone: [one.at.minute for one in trace.sightings] for trace in traces} == {
        "2": [0, 1],
        "1": [0],
    }


def test_bad_rows_cost_no_others() -> None:
    rows = [
        "48.85,2.35,2026-11-02T08:00:00Z",
        "",
        "48.85,2.35",
        "48.85,2.35,2026-11-02",
        "north,2.35,2026-11-02T08:00:00Z",
        '48.85,2.35,"2026-11-02T08',
        "48.85,2.35,2026-11-02T08:00:00Z,extra",
        "48.85,2.35,2026-11-02T08:00:00Z",
        "\x00\x01",
        "48.86,2.35,2026-11-02T08:00:00Z",
    ]
    recording = read_csv_trace("\n".join([CSV, *rows]).encode(), PLAIN)
    assert sightings(recording) == 2
    assert left_out(recording) == {
        "no_time": (2, "line 4"),
        "bad_time": (1, "line 5"),
        "bad_position": (1, "line 6"),
        "unreadable": (2, "line 7"),
        "repeat": (1, "line 9"),
    }


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["48.85", "91", "x", ""]),
            st.sampled_from(["2.35", "-181", "", "2,3"]),
            st.sampled_from(["2026-11-02T08:00:00Z", "1793606400", "noon", "", "2026-11-02T08:00:00"]),
        )
    )
)
def test_every_row_is_taken_or_counted(rows: list[tuple[str, str, str]]) -> None:
    text = "\n".join([CSV, *(",".join(row) for row in rows)])
    recording = read_csv_trace(text.encode(), PARIS)
    assert sightings(recording) + sum(one.many for one in recording.left_out) == len(rows)


def test_what_a_row_says_of_accuracy_and_speed_is_taken() -> None:
    text = (
        f"{CSV},accuracy,speed_kmh\n"
        "1,1,2026-11-02T08:00Z,25,7.2\n1,1,2026-11-02T08:01Z,0,-1\n1,1,2026-11-02T08:02Z,-1,\n"
    )
    recording = read_csv_trace(text.encode(), PLAIN)
    (trace,) = recording.traces
    assert [(one.fields["accuracy_m"], one.fields.get("speed_mps")) for one in trace.sightings] == [
        (25.0, 2.0),
        (10.0, None),
    ]
    assert left_out(recording) == {"bad_position": (1, "line 4")}


def test_local_times_need_a_zone_and_summer_time_counts() -> None:
    text = f"{CSV}\n1,1,2026-07-01 10:00:00\n1,1,2026-11-02 10:00:00\n"
    with pytest.raises(Invalid, match=r"line 2: .*'2026-07-01 10:00:00'.*add --timezone"):
        read_csv_trace(text.encode(), PLAIN)
    (trace,) = read_csv_trace(text.encode(), PARIS).traces
    assert [one.at.hour for one in trace.sightings] == [8, 9]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column is the latitude"),
        (
            "lat,time\n",
            "no column is the longitude: name it longitude or lon or lng or long; found lat, time",
        ),
        ("lat,lon\n1,2", "no column is the time"),
    ],
)
def test_a_header_without_position_or_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_csv_trace(text.encode(), PLAIN)
