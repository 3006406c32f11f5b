"""Are the awkward traces that people really recorded read as far as they make sense, and their stays found?"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from m2s.adapters.importers.traces import Reading, Recording
from m2s.adapters.importers.traces_csv import read_csv_trace
from m2s.adapters.importers.traces_gpx import read_gpx
from m2s.bootstrap import build_engine
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.server import Server
from tests.data import data_path
from tests.entry.cli.conftest import Shell, shell

__all__ = ["shell"]
PLAIN = Reading(zone=None, accuracy_m=10.0)
STAY = (-10.89710, -37.07971)
"""Where tracks 134 and 135 of the same hour stand still."""
STAYED_S = 26.9 * 60
"""How long, by the plain rule: from the first fix until the last in a row that lies within 50 m of it."""


def summary(recording: Recording) -> tuple[int, int, dict[str, int]]:
    """How many traces and sightings, and how many left out by reason."""
    held = sum(len(trace.sightings) for trace in recording.traces)
    return len(recording.traces), held, {one.reason: one.many for one in recording.left_out}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cerknicko-jezero", (1, 296, {"mark": 7})),
        ("cerknicko-without-times", (1, 5, {"mark": 7, "no_time": 291})),
        ("korita-zbevnica", (1, 513, {"mark": 2, "no_time": 358})),
        ("track-with-empty-segment", (1, 9, {})),
    ],
)
def test_awkward_gpx_files(name: str, expected: tuple[int, int, dict[str, int]]) -> None:
    recording = read_gpx(data_path(f"mobility/gpx/{name}.gpx").read_bytes(), PLAIN)
    assert summary(recording) == expected
    for trace in recording.traces:
        times = [one.at for one in trace.sightings]
        assert times == sorted(times)


def test_a_trip_that_is_not_in_order_and_tells_no_offset() -> None:
    data = data_path("mobility/posmo_ch.csv").read_bytes()
    recording = read_csv_trace(data, Reading(ZoneInfo("UTC"), accuracy_m=10.0))
    assert summary(recording) == (1, 1327, {})
    (trace,) = recording.traces
    assert trace.phone == "0"
    assert trace.sightings[0].at == datetime(2019, 1, 25, 20, 0, 16, 178999, UTC)
    times = [one.at for one in trace.sightings]
    assert times == sorted(times)
    accuracies = {one.fields["accuracy_m"] for one in trace.sightings}
    assert (min(accuracies) > 0, max(accuracies)) == (True, 96.0)


def test_a_hundred_tracks_in_local_time() -> None:
    data = gzip.decompress(data_path("mobility/gotrack_aracaju.csv.gz").read_bytes())
    recording = read_csv_trace(data, Reading(ZoneInfo("America/Maceio"), accuracy_m=10.0))
    assert summary(recording) == (101, 11_585, {})
    first = next(trace for trace in recording.traces if trace.phone == "1").sightings[0]
    assert first.at == datetime(2014, 9, 13, 10, 24, 32, tzinfo=UTC)


@pytest.fixture
def url(shell: Shell) -> Iterator[str]:
    """A server with one store, where two tracks stand still."""
    shell.run("init")
    stores = json.loads(Path("stores.geojson").read_text())
    (store,) = stores["features"]
    store["geometry"]["coordinates"] = STAY[::-1]
    store["properties"] |= {"opening_hours": "24/7", "timezone": "America/Maceio", "beacons": []}
    Path("stores.geojson").write_text(json.dumps(stores))
    shell.run("stores", "import", "stores.geojson")
    server = Server(build_engine(load_settings()), heartbeat=False)
    server.start()
    yield server.url
    server.stop()


def test_the_service_finds_the_stay_of_two_real_tracks(shell: Shell, url: str) -> None:
    file = data_path("mobility/gotrack_aracaju.csv.gz")
    key = shell.run("keys", "create", "--role", "sdk").stdout.strip()
    words = ("--key", key, "--url", url, "--timezone", "America/Maceio", "--each-phone", "--json")
    told = json.loads(shell.run("replay", str(file), *words).stdout)
    assert (told["sent"], told["rejected"], told["events"]) == (11_585, {}, {"visit.started": 2})
    days = json.loads(shell.run("report", "visits", "--json").stdout)["rows"]
    ((visits, shoppers, dwell_s),) = [
        (day["visits"], day["unique_shoppers"], day["median_dwell_s"]) for day in days if day["visits"]
    ]
    assert (visits, shoppers) == (2, 2)
    assert dwell_s == pytest.approx(STAYED_S, abs=60)
