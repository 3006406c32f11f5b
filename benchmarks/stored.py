"""How does a database look that has run for a while? Filled by SQLite itself, as intake would have filled it."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from benchmarks.workload import DEVICES, STORES
from m2s.adapters.storage.engine import write_engine
from m2s.core.base.instants import to_ms

WEEK_MS = 7 * 86_400_000
_AT_ONCE = 250_000
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)"
_SIGHTINGS = f"""
{_NUMBERS}
INSERT INTO sightings (device_id, sighting_id, kind, at_ms, received_at_ms, latitude, longitude, accuracy_m, flags)
SELECT printf('dev_%08d', i * 7919 % {DEVICES}), printf('01hw%022d', i), 'location',
  :begin_ms + i * :span_ms / :number - 30000, :begin_ms + i * :span_ms / :number,
  43 + i * 7919 % 700000 / 1e5, i * 104729 % 800000 / 1e5 - 1, 12.0, 0
FROM n
"""  # noqa: S608  numbers of our own
_EVIDENCE = f"""
{_NUMBERS}
INSERT INTO evidence (shopper_id, store_id, zone_id, device_id, sighting_id, kind, at_ms, inside_probability,
  boundary_distance_m, accuracy_m, mocked, zone_version)
SELECT printf('shp_%08d', i / 5 * 7919 % {DEVICES}), printf('s%d', i / 5 * 104729 % {STORES}), 'premises',
  printf('dev_%08d', i / 5 * 7919 % {DEVICES}), printf('01hw%022d', i * 20), 'location',
  :begin_ms + i / 5 * 5 * :span_ms / :number + i % 5 * 60000 - 30000, 1.0, -20.0, 12.0, 0, 1
FROM n
"""  # noqa: S608  numbers of our own


def store_sightings(path: Path, number: int, *, until: datetime) -> None:
    """Sightings of one week, the newest at `until`, and the evidence that every twentieth gave."""
    _fill(path, _SIGHTINGS, number, until=until)
    store_evidence(path, number // 20, until=until)


def store_evidence(path: Path, number: int, *, until: datetime) -> None:
    """Evidence of one week: stays of five sightings, a minute apart, each of some shopper at some store."""
    _fill(path, _EVIDENCE, number, until=until)


def _fill(path: Path, statement: str, number: int, *, until: datetime) -> None:
    engine = write_engine(path)
    begin_ms = to_ms(until) - WEEK_MS
    for first in range(0, number, _AT_ONCE):
        with engine.begin() as connection:
            connection.execute(
                sa.text(statement),
                {
                    "first": first,
                    "last": min(first + _AT_ONCE, number),
                    "number": number,
                    "begin_ms": begin_ms,
                    "span_ms": WEEK_MS,
                },
            )
    engine.dispose()
