"""`m2s replay`, as it is typed, against a running service."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.adapters.importers.traces import RecordedSighting, Trace
from m2s.adapters.storage.engine import driver
from m2s.bootstrap import build_engine
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.replaying import OLDEST, moved
from m2s.entry.cli.server import Server
from tests.entry.cli.conftest import Shell

LATITUDE, LONGITUDE = 48.85341, 2.34870
BEACON = {"kind": "beacon", "uuid": "5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11", "major": 1, "minor": 1}
NOON = datetime(2024, 3, 5, 11, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def rows(*, start: datetime = NOON, minutes: int = 20, every_s: int = 60, phone: str = "ann") -> list[str]:
    """Somebody who comes to the bakery and stays: CSV rows."""
    times = [start + timedelta(seconds=second) for second in range(0, minutes * 60, every_s)]
    return [
        f"{phone},{LATITUDE + (0.01 if at == start else 0)},{LONGITUDE},{at.isoformat()},12" for at in times
    ]


def write(name: str, *given: Sequence[str]) -> str:
    text = "\n".join(["device,lat,lon,time,accuracy", *(row for some in given for row in some)])
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def url(shop: Shell) -> Iterator[str]:
    """A server in this process; its bakery never closes."""
    stores = json.loads(Path("stores.geojson").read_text())
    stores["features"][0]["properties"]["opening_hours"] = "24/7"
    Path("stores.geojson").write_text(json.dumps(stores))
    shop.run("stores", "import", "stores.geojson")
    server = Server(build_engine(load_settings()), heartbeat=False)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def sdk_key(url: str, shop: Shell) -> str:
    """A key for apps."""
    assert url
    return shop.run("keys", "create", "--role", "sdk").stdout.strip()


def device_token(url: str, sdk_key: str) -> str:
    headers = {"Authorization": f"Bearer {sdk_key}"}
    token: str = httpx2.post(f"{url}/v1/devices", json={}, headers=headers).json()["device_token"]
    return token


def replayed(shell: Shell, url: str, *words: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(shell.run("replay", *words, "--url", url, "--json").stdout)
    assert told["sent"] == sum(told[name] for name in ("accepted", "away", "duplicates")) + sum(
        told["rejected"].values()
    )
    return told


def test_an_old_trace_becomes_a_visit_of_today_and_the_second_time_a_repeat(
    shop: Shell, url: str, sdk_key: str
) -> None:
    file = write("walk.csv", rows(), ["ann,91,2,2024-03-05T12:00:00Z,1"])
    first = replayed(shop, url, file, "--key", sdk_key)
    assert (first["accepted"], first["rejected"], first["too_old"]) == (20, {}, 0)
    assert first["events"]["visit.started"] == 1
    assert first["files"][0]["left_out"][0]["reason"] == "bad_position"
    by = timedelta(seconds=first["devices"][0]["moved_s"]) / DAY
    assert by == int(by) > 900
    again = replayed(shop, url, file, "--key", sdk_key)
    assert (again["accepted"], again["duplicates"]) == (0, 20)
    assert again["devices"] == first["devices"]
    days = json.loads(shop.run("report", "visits", "--json").stdout)["rows"]
    assert sum(day["visits"] for day in days if day["store_id"] == "example-bakery") == 1


def test_with_a_speed_it_is_live_and_ends_now(shop: Shell, url: str, sdk_key: str) -> None:
    file = write("walk.csv", rows())
    began_s = time.monotonic()
    told = replayed(shop, url, file, "--key", sdk_key, "--speed", "1000")
    assert time.monotonic() - began_s > 19 * 60 / 1000
    ended = NOON + timedelta(minutes=19, seconds=told["devices"][0]["moved_s"])
    assert timedelta(0) <= datetime.now(UTC) - ended < timedelta(seconds=20)
    assert (told["accepted"], told["events"]["visit.started"]) == (20, 1)


def test_each_phone_of_the_files_is_a_device_of_its_own(shop: Shell, url: str, sdk_key: str) -> None:
    months_ago = rows(start=NOON - 60 * DAY, phone="bob")
    file = write("walks.csv", rows(), months_ago)
    together = replayed(shop, url, file, "--key", sdk_key)
    assert (together["sent"], together["too_old"]) == (20, 20)
    each = replayed(shop, url, file, "--key", sdk_key, "--each-phone")
    assert (each["duplicates"], each["accepted"], each["too_old"]) == (20, 20, 0)
    ann, bob = each["devices"]
    assert (ann["device_id"], ann["phone"], bob["phone"]) == (
        together["devices"][0]["device_id"],
        "ann",
        "bob",
    )
    assert bob["device_id"] not in (None, ann["device_id"])
    told = shop.run("replay", file, "--key", sdk_key, "--url", url).stdout
    assert "walks.csv: 40 sightings of 2 phones\n" in told
    assert "20 left out: more than 71 hours before the end; --each-phone" in told
    assert "0 accepted, 0 away, 20 duplicates, 0 rejected" in told


def test_the_same_ids_of_another_phone_are_no_repeats(shop: Shell, url: str, sdk_key: str) -> None:
    for day in (0, 1):
        at = (NOON + day * DAY).isoformat()
        fix = {"kind": "location", "latitude": LATITUDE, "longitude": LONGITUDE, "accuracy_m": 12}
        item = {"id": "p1-1", "device_id": "phone-1", "at": at, **fix}
        Path(f"{day}.jsonl").write_text(json.dumps(item), encoding="utf-8")
    first = replayed(shop, url, "0.jsonl", "--key", sdk_key)
    other = replayed(shop, url, "1.jsonl", "--key", sdk_key)
    assert (first["accepted"], other["accepted"]) == (1, 1)
    assert first["devices"][0]["device_id"] != other["devices"][0]["device_id"]


def test_many_sightings_go_in_several_requests(shop: Shell, url: str, sdk_key: str) -> None:
    file = Path(write("walk.csv", rows(every_s=1)))
    zipped = Path("walk.csv.gz")
    zipped.write_bytes(gzip.compress(file.read_bytes()))
    told = replayed(shop, url, str(zipped), "--key", sdk_key)
    assert (told["sent"], told["accepted"]) == (1200, 1200)


def test_what_beacons_said_goes_with_every_reading(shop: Shell, url: str, sdk_key: str) -> None:
    sightings = [
        {
            **BEACON,
            "id": f"b{second}",
            "at": (NOON + timedelta(seconds=second)).isoformat(),
            "rssi_dbm": -60,
            "samples": [{"age_ms": 1000 * before, "rssi_dbm": -60} for before in (8, 5, 2, 0)],
        }
        for second in range(0, 600, 30)
    ]
    Path("heard.jsonl").write_text("\n".join(json.dumps(one) for one in sightings), encoding="utf-8")
    told = replayed(shop, url, "heard.jsonl", "--key", sdk_key)
    assert (told["accepted"], told["events"]["visit.started"]) == (20, 1)
    with closing(driver().connect(shop.folder / "m2s.sqlite3")) as connection:
        kept = list(connection.execute("SELECT received_at_ms - at_ms, detail FROM sightings"))
    for age_ms, detail in kept:
        readings = json.loads(detail)["samples"]
        assert [sample_age_ms - age_ms for sample_age_ms, _ in readings] == [8000, 5000, 2000, 0]


def test_with_a_device_token_the_files_are_that_device(shop: Shell, url: str, sdk_key: str) -> None:
    token = device_token(url, sdk_key)
    one, other = write("one.csv", rows(phone="")), write("other.csv", rows(start=NOON - DAY, phone=""))
    told = replayed(shop, url, one, other, one, "--token", token)
    assert (told["accepted"], told["duplicates"], told["events"]["visit.started"]) == (40, 20, 2)
    both = write("both.csv", rows(), rows(phone="bob"))
    refused = shop.run("replay", both, "--token", token, code=1).stderr
    assert "a device token speaks for one phone, and these are 2 ('ann', 'bob', …): give --key" in refused


def test_what_is_written_out_is_the_same_when_replayed(shop: Shell, url: str, sdk_key: str) -> None:
    file = write("walk.csv", rows(), rows(phone="bob"))
    told = shop.run("replay", file, "--out", "walk.jsonl").stdout
    assert told == "walk.csv: 40 sightings of 2 phones\nwalk.jsonl is written\n"
    first = replayed(shop, url, file, "--key", sdk_key)
    again = replayed(shop, url, "walk.jsonl", "--key", sdk_key)
    assert (first["accepted"], again["duplicates"], again["devices"]) == (40, 40, first["devices"])


def test_a_busy_service_is_asked_again(shop: Shell, url: str, sdk_key: str) -> None:
    file = write("walk.csv", rows(phone=""))
    words = ("replay", file, "--token", device_token(url, sdk_key), "--url", url, "--json")
    with closing(driver().connect(shop.folder / "m2s.sqlite3")) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN IMMEDIATE")
        process = shop.start(*words)
        deadline_s = time.monotonic() + 60
        while "m2s_sightings_refused_total{" not in httpx2.get(f"{url}/metrics").text:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        connection.execute("ROLLBACK")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["accepted"] == 20


def test_what_cannot_be_sent_is_told_with_what_would_be_right(shop: Shell, url: str) -> None:
    file = write("walk.csv", rows())
    Path("empty.csv").write_text("lat,lon,time\n1,2,\n", encoding="utf-8")
    Path("local.csv").write_text("lat,lon,time\n1,2,2024-03-05 12:00\n", encoding="utf-8")
    Path("large.csv.gz").write_bytes(gzip.compress(bytes(33 * 1024 * 1024)))
    Path("broken.csv.gz").write_bytes(b"no gzip")
    key = ("--key", "nobody", "--url", url)
    assert "answers 401: " in shop.run("replay", file, *key, code=1).stderr
    assert (
        "there is no sighting to send: no time is told"
        in shop.run("replay", "empty.csv", *key, code=1).stderr
    )
    assert "local.csv: line 2: the time" in shop.run("replay", "local.csv", *key, code=1).stderr
    assert "none.csv: cannot be read: no such file" in shop.run("replay", "none.csv", *key, code=1).stderr
    assert "large.csv.gz: holds more than 32 MiB" in shop.run("replay", "large.csv.gz", *key, code=1).stderr
    assert "broken.csv.gz: cannot be read: " in shop.run("replay", "broken.csv.gz", *key, code=1).stderr
    assert (
        "walk.csv: line 1: this is not GPX"
        in shop.run("replay", file, *key, "--format", "gpx", code=1).stderr
    )
    assert "nowhere/x cannot be written" in shop.run("replay", file, "--out", "nowhere/x", code=1).stderr
    away = shop.run("replay", file, "--key", "k", "--url", "http://127.0.0.1:1", code=1).stderr
    assert "http://127.0.0.1:1 cannot be reached" in away
    assert "is `m2s serve` running there?" in away


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give one: --key"),
        (["--key", "a", "--token", "b"], "give one: --key"),
        (["--key", "a", "--url", "localhost:8000"], "write it like http://127.0.0.1:8000"),
        (["--key", "a", "--timezone", "Europe/Pari"], "did you mean Europe/Paris?"),
        (["--key", "a", "--speed", "0.5"], "greater than or equal to 1"),
        (["walk.dat", "--key", "a"], "add --format gpx, owntracks, jsonl or csv"),
    ],
)
def test_wrong_usage_is_told(shell: Shell, words: list[str], says: str) -> None:
    file = write("walk.csv", rows())
    assert says in " ".join(shell.run("replay", file, *words, code=2).stderr.split())


def trace(phone: str, *minutes: int) -> Trace:
    return Trace(
        phone,
        tuple(
            RecordedSighting(NOON + timedelta(minutes=minute), {"id": f"{phone}{minute}"})
            for minute in sorted(minutes)
        ),
    )


OFFSETS = st.lists(st.integers(-2_000_000, 2_000_000), min_size=1, max_size=8, unique=True)
TRACES = st.lists(OFFSETS, min_size=1, max_size=4).map(
    lambda lists: [trace(str(place), *minutes) for place, minutes in enumerate(lists)]
)


@given(traces=TRACES, each=st.booleans())
def test_at_once_whole_days_are_moved_to_the_last_24_hours(traces: list[Trace], each: bool) -> None:
    dues, shifts, too_old = moved(traces, NOW, speed=None, each=each)
    assert len(dues) + too_old == sum(len(one.sightings) for one in traces)
    assert all(shift % DAY == timedelta(0) for shift in shifts)
    assert each or len(set(shifts)) == 1
    ends = [one.sightings[-1].at + shift for one, shift in zip(traces, shifts, strict=True)]
    for end in ends if each else [max(ends)]:
        assert NOW - OLDEST <= end <= NOW
    assert all(due.due_at == NOW and NOW - OLDEST <= due.happened_at <= NOW for due in dues)


@given(traces=TRACES, each=st.booleans(), speed=st.floats(1, 1e6))
def test_live_nothing_is_sent_before_it_happened_and_the_end_is_the_end(
    traces: list[Trace], each: bool, speed: float
) -> None:
    dues, shifts, _ = moved(traces, NOW, speed=speed, each=each)
    assert [due.due_at for due in dues] == sorted(due.due_at for due in dues)
    for due in dues:
        original = next(one.at for one in traces[due.phone].sightings if one.fields["id"] == due.fields["id"])
        assert due.happened_at - original == shifts[due.phone]
        assert timedelta(0) <= due.due_at - due.happened_at <= OLDEST
        assert due.due_at >= NOW
    last = dues[-1]
    assert last.due_at == last.happened_at


def test_what_is_of_the_last_days_is_not_moved() -> None:
    recent = (NOW - NOON) // timedelta(minutes=1)
    dues, shifts, too_old = moved(
        [trace("ann", recent - 70 * 60, recent - 30 * 60)], NOW, speed=None, each=False
    )
    assert (len(dues), shifts, too_old) == (2, [timedelta(0)], 0)
