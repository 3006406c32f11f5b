"""Is what was heard of beacons counted as it would be by hand, in whatever order within three days it came?"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from statistics import mean
from typing import Any

import pytest

from beacons.health import DAY_MS
from m2s.adapters.storage import hearings
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.figures import HeardRow, PresentRow
from m2s.app.ports import Records
from m2s.core.presence.evidence import Evidence, Kind

FIRST_DAY = 20_000
DAYS = 60


def history(seed: int) -> list[Evidence]:
    """Two months of evidence at two stores, up to three days late, as it arrived."""
    random = Random(seed)
    arrivals = []
    for number in range(1_500):
        at_ms = FIRST_DAY * DAY_MS + random.randrange(DAYS * DAY_MS)
        by_beacon = random.random() < 0.6
        rssi_dbm = random.choice((-59, -70, -84, 0, -111))
        signal: dict[str, Any] = {
            "beacon": f"1/{random.randrange(2)}",
            "measured_power_dbm": -59,
            "samples": ((1_000, rssi_dbm), (0, -1)),
        }
        row = Evidence(
            "shp",
            random.choice(("port", "church")),
            "premises" if by_beacon else random.choice(("premises", "vicinity")),
            f"dev_{random.randrange(6)}",
            f"s{number}",
            Kind.BEACON if by_beacon else Kind.LOCATION,
            at_ms,
            1.0 if by_beacon else random.choice((0.5, 0.8)),
            mocked=random.random() < 0.1,
            **(signal if by_beacon else {}),
        )
        arrivals.append((at_ms + random.choice((0, random.randrange(3 * DAY_MS))), row))
    return [row for _, row in sorted(arrivals, key=lambda arrival: arrival[0])]


@pytest.fixture
def kept(database: SqlDatabase) -> list[Evidence]:
    rows = history(1)

    def arrive(records: Records) -> None:
        for row in rows:
            records.sightings.add_evidence([row], zone_version=1)

    database.write(arrive)
    return rows


@pytest.mark.parametrize("days", [(0, 60), (25, 60), (40, 50), (59, 60), (60, 70)])
@pytest.mark.parametrize("store_id", [None, "port"])
def test_phones_are_counted_by_day_and_strength(
    database: SqlDatabase, kept: list[Evidence], days: tuple[int, int], store_id: str | None
) -> None:
    since_ms, until_ms = ((FIRST_DAY + day) * DAY_MS for day in days)
    wanted = [
        row
        for row in kept
        if since_ms <= row.at_ms < until_ms and not row.mocked and store_id in (None, row.store_id)
    ]
    with database.read() as records:
        heard = records.reports.heard(since_ms, until_ms, store_id=store_id)
        present = records.reports.present(since_ms, until_ms, store_id=store_id)
    assert set(heard) == set(_heard(wanted))
    assert len(heard) == len(set(heard))
    assert set(present) == set(_present(wanted))
    assert bool(heard) == (days[0] < DAYS)


def _heard(rows: list[Evidence]) -> list[HeardRow]:
    phones: defaultdict[tuple[str, str, int, str], list[Evidence]] = defaultdict(list)
    for row in rows:
        if row.beacon is not None:
            phones[row.store_id, row.beacon, row.at_ms // DAY_MS, row.device_id].append(row)
    counted: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for (store_id, beacon, day, _), found in phones.items():
        valid = [row.samples[0][1] + 59 for row in found if -110 <= row.samples[0][1] < 0]
        # SQLite rounds halves away from 0.
        strength_db = -int(0.5 - mean(valid)) if valid else None
        counted[store_id, beacon, day, strength_db].append(max(row.at_ms for row in found))
    return [HeardRow(*key, len(last), max(last)) for key, last in counted.items()]


def _present(rows: list[Evidence]) -> list[PresentRow]:
    inside = {
        (row.store_id, row.at_ms // DAY_MS, row.device_id)
        for row in rows
        if row.zone_id == "premises" and row.inside_probability >= 0.8
    }
    phones: defaultdict[tuple[str, int], int] = defaultdict(int)
    for store_id, day, _ in inside:
        phones[store_id, day] += 1
    return [PresentRow(*key, many) for key, many in phones.items()]


def test_what_is_older_is_not_read(
    database: SqlDatabase, kept: list[Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearings, "_PROBED", 20)
    since_ms = (FIRST_DAY + 40) * DAY_MS

    def first(records: Records) -> int:
        return hearings._first_seq(records.reports._connection, since_ms)  # type: ignore[attr-defined]

    with database.read() as records:
        before = kept[: first(records) - 1]
    assert len(before) > 800
    assert max(row.at_ms for row in before) < since_ms + 3 * DAY_MS


def test_nothing_is_found_in_an_empty_database(database: SqlDatabase) -> None:
    with database.read() as records:
        assert records.reports.heard(0, 2**45) == []
        assert records.reports.present(0, 2**45) == []
        assert records.reports.placed(0, 2**45, accuracy_m=100) == []
