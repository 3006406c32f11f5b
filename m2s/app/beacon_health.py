"""How is each beacon of the catalog? Who heard it when, how strongly and where, judged by `beacons.health`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from beacons.health import LOOK_BACK_DAYS, Day, Health, Placed, judge
from m2s.app.catalog import Catalog
from m2s.app.figures import HeardRow, PlacedRow, PresentRow, ReportRecords
from m2s.core.base.instants import from_ms, rfc3339, to_ms
from m2s.core.places.geo import earth_centred
from m2s.core.places.store import Beacon, Store

COLUMNS = (
    "store_id",
    "place",
    "uuid",
    "major",
    "minor",
    "findings",
    "last_heard",
    "phone_days",
    "strength_db",
    "drift_db",
    "away_m",
    "away_at",
)
_MOST_ACCURACY_M = 100.0
"""Fixes that are less accurate do not say where a beacon was heard."""


@dataclass(slots=True)
class _Heard:
    """What is known of one beacon: phones by day and strength, and when it was last heard."""

    phones: Counter[int] = field(default_factory=Counter)
    strengths: defaultdict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    last_ms: int | None = None

    def add(self, row: HeardRow) -> None:
        self.phones[row.day] += row.phones
        if row.strength_db is not None:
            self.strengths[row.day][row.strength_db] += row.phones
        self.last_ms = max(self.last_ms or row.last_ms, row.last_ms)

    def days(self, present: Counter[int]) -> list[Day]:
        """Its days, and those on which phones were at its store."""
        return [
            Day(number, self.phones[number], present[number], self.strengths.get(number, {}))
            for number in sorted({*self.phones, *present})
        ]


def beacon_rows(
    records: ReportRecords, catalog: Catalog, *, since: datetime, until: datetime, store_id: str | None
) -> list[dict[str, Any]]:
    """A row of every beacon, those with findings first; of the 35 days before `until` at the most."""
    since_ms, until_ms = to_ms(max(since, until - timedelta(days=LOOK_BACK_DAYS))), to_ms(until)
    heard = _heard(records.heard(since_ms, until_ms, store_id=store_id))
    present = _present(records.present(since_ms, until_ms, store_id=store_id))
    placed = defaultdict(list)
    for row in records.placed(since_ms, until_ms, accuracy_m=_MOST_ACCURACY_M):
        placed[row.uuid, row.major, row.minor].append(row)
    rows = []
    for key, (store, beacon) in sorted(catalog.beacons.items(), key=lambda item: (item[1][0].id, item[0])):
        if store_id not in (None, store.id):
            continue
        known, hearings = heard.get((store.id, f"{beacon.major}/{beacon.minor}"), _Heard()), placed[key]
        health = judge(
            known.days(present[store.id]),
            _placed(store, hearings),
            last_heard_ms=known.last_ms,
            now_ms=until_ms,
        )
        away_at = _stands_at(catalog, store, hearings, health)
        rows.append(_row(store, beacon, health, last_ms=known.last_ms, away_at=away_at))
    return sorted(rows, key=lambda row: not row["findings"])


def _heard(rows: Iterable[HeardRow]) -> dict[tuple[str, str], _Heard]:
    found: defaultdict[tuple[str, str], _Heard] = defaultdict(_Heard)
    for row in rows:
        found[row.store_id, row.beacon].add(row)
    return found


def _present(rows: Iterable[PresentRow]) -> defaultdict[str, Counter[int]]:
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        found[row.store_id][row.day] = row.phones
    return found


def _placed(store: Store, rows: Sequence[PlacedRow]) -> list[Placed]:
    """The hearings by how far outside the store's premises they were at least."""
    middle = store.premises.shape
    positions = earth_centred(
        np.array([row.latitude for row in rows]), np.array([row.longitude for row in rows])
    )
    far_m = np.linalg.norm(positions - earth_centred(middle.latitude, middle.longitude), axis=-1)
    return [
        Placed(row.at_ms, row.device_id, distance_m - middle.reach_m - row.within_m)
        for row, distance_m in zip(rows, far_m.tolist(), strict=True)
    ]


def _stands_at(catalog: Catalog, store: Store, rows: Sequence[PlacedRow], health: Health) -> str | None:
    """The other store in whose zones the newest hearing elsewhere was; the nearest of several."""
    if health.away is None:
        return None
    (row,) = (row for row in rows if (row.at_ms, row.device_id) == (health.away.at_ms, health.away.phone))
    _, found = catalog.index.locate_one(row.latitude, row.longitude)
    nearest_first = sorted(found, key=lambda zone: zone[1])
    others = (catalog.index.zones[number].store_id for number, _ in nearest_first)
    return next((other for other in others if other != store.id), None)


def _row(
    store: Store, beacon: Beacon, health: Health, *, last_ms: int | None, away_at: str | None
) -> dict[str, Any]:
    return {
        "store_id": store.id,
        "place": beacon.place,
        "uuid": beacon.uuid,
        "major": beacon.major,
        "minor": beacon.minor,
        "findings": " ".join(health.findings),
        "last_heard": None if last_ms is None else rfc3339(from_ms(last_ms)),
        "phone_days": health.phone_days,
        "strength_db": health.strength_db,
        "drift_db": health.drift_db,
        "away_m": None if health.away is None else round(health.away.beyond_m),
        "away_at": away_at,
    }
