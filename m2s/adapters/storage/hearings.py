"""What was heard of beacons? Counts by day and strength from evidence, and hearings with the phone's own position."""

from typing import Any

import sqlalchemy as sa

from beacons.health import DAY_MS
from beacons.ranging import WEAKEST_DBM
from m2s.adapters.storage.tables import evidence, sightings
from m2s.app.figures import HeardRow, PlacedRow, PresentRow
from m2s.app.matching import MOCKED
from m2s.core.places.zone import PREMISES

_SURELY_INSIDE = 0.8
_MINUTE_MS = 60_000
_QUARTER_MIN = 15
_UNKNOWN_SPEED_MPS = 20.0
"""A phone that tells no speed may be in a car, which hears a beacon and is half a kilometre away 30 s later."""
_LONGEST_LATE_MS = 5 * DAY_MS
"""More than the three days for which sightings are taken, and a day by which the clock of this machine may be set."""
_PROBED = 100
"""Rows looked at together, so that single ones which came later still (a dead letter tried again) do not mislead."""

_DAY = evidence.c.at_ms // DAY_MS
# One reading of each hearing, its first: `before_ms:rssi_dbm before_ms:rssi_dbm …`
_RSSI = sa.cast(sa.func.substr(evidence.c.samples, sa.func.instr(evidence.c.samples, ":") + 1), sa.Integer)
_STRENGTH = sa.case((_RSSI.between(WEAKEST_DBM, -1), _RSSI - evidence.c.measured_power_dbm))


def heard(connection: sa.Connection, since_ms: int, until_ms: int, *, store_id: str | None) -> list[HeardRow]:
    """See ReportRecords.heard."""
    phone_days = (
        sa.select(
            evidence.c.store_id,
            evidence.c.beacon,
            _DAY.label("day"),
            sa.cast(sa.func.round(sa.func.avg(_STRENGTH)), sa.Integer).label("strength_db"),
            sa.func.max(evidence.c.at_ms).label("last_ms"),
        )
        .where(*_narrowed(connection, since_ms, until_ms, store_id=store_id), evidence.c.kind == "beacon")
        .group_by(evidence.c.store_id, evidence.c.beacon, "day", evidence.c.device_id)
        .subquery()
    )
    by = [phone_days.c[name] for name in ("store_id", "beacon", "day", "strength_db")]
    query: sa.Select[*tuple[Any, ...]] = sa.select(
        *by, sa.func.count(), sa.func.max(phone_days.c.last_ms)
    ).group_by(*by)
    return [HeardRow(*row) for row in connection.execute(query)]


def present(
    connection: sa.Connection, since_ms: int, until_ms: int, *, store_id: str | None
) -> list[PresentRow]:
    """See ReportRecords.present."""
    query = (
        sa.select(evidence.c.store_id, _DAY.label("day"), sa.func.count(evidence.c.device_id.distinct()))
        .where(
            *_narrowed(connection, since_ms, until_ms, store_id=store_id),
            evidence.c.zone_id == PREMISES,
            evidence.c.inside_probability >= _SURELY_INSIDE,
        )
        .group_by(evidence.c.store_id, "day")
    )
    return [PresentRow(*row) for row in connection.execute(query)]


def placed(connection: sa.Connection, since_ms: int, until_ms: int, *, accuracy_m: float) -> list[PlacedRow]:
    """See ReportRecords.placed."""
    minute = (sightings.c.at_ms // _MINUTE_MS).label("minute")
    within = (
        sightings.c.at_ms >= since_ms,
        sightings.c.at_ms < until_ms,
        sightings.c.flags.bitwise_and(MOCKED) == 0,
    )
    identity = [
        sa.func.json_extract(sightings.c.detail, f"$.{name}").label(name)
        for name in ("uuid", "major", "minor")
    ]
    # Both sides are grouped, which also has SQLite keep and index them for the join.
    hearings = (
        sa.select(sightings.c.device_id, minute, sightings.c.at_ms, *identity)
        .where(sightings.c.kind == "beacon", *within)
        .distinct()
        .subquery()
    )
    fixes = (
        sa.select(
            sightings.c.device_id,
            minute,
            sightings.c.at_ms,
            sightings.c.latitude,
            sightings.c.longitude,
            sightings.c.accuracy_m,
            sa.func.coalesce(sightings.c.speed_mps, _UNKNOWN_SPEED_MPS).label("speed_mps"),
        )
        .where(sightings.c.latitude.is_not(None), sightings.c.accuracy_m <= accuracy_m, *within)
        .distinct()
        .subquery()
    )
    apart_s = sa.func.abs(hearings.c.at_ms - fixes.c.at_ms) / 1000.0
    named: list[Any] = [hearings.c[name] for name in ("uuid", "major", "minor", "device_id")]
    best: list[Any] = [fixes.c[name] for name in ("at_ms", "latitude", "longitude")]
    # Where min() stands alone, SQLite takes the other columns from the row that has the minimum.
    query: sa.Select[*tuple[Any, ...]] = (
        sa.select(*named, *best, sa.func.min(fixes.c.accuracy_m + apart_s * fixes.c.speed_mps))
        .join(fixes, (fixes.c.device_id == hearings.c.device_id) & (fixes.c.minute == hearings.c.minute))
        .group_by(*named, hearings.c.minute // _QUARTER_MIN)
    )
    return [PlacedRow(*row) for row in connection.execute(query)]


def _narrowed(
    connection: sa.Connection, since_ms: int, until_ms: int, *, store_id: str | None
) -> list[sa.ColumnElement[bool]]:
    at_ms = evidence.c.at_ms
    wanted = [at_ms >= since_ms, at_ms < until_ms, evidence.c.mocked.is_(False)]
    wanted.append(evidence.c.seq >= _first_seq(connection, since_ms - _LONGEST_LATE_MS))
    return wanted if store_id is None else [*wanted, evidence.c.store_id == store_id]


def _first_seq(connection: sa.Connection, since_ms: int) -> int:
    """A number below which no evidence is so young: rows are numbered as they arrive, and time has no index."""
    probe = (
        sa.select(evidence.c.at_ms)
        .where(evidence.c.seq >= sa.bindparam("seq"))
        .order_by(evidence.c.seq)
        .limit(_PROBED)
        .subquery()
    )
    newest = sa.select(sa.func.max(probe.c.at_ms))
    first, last = connection.execute(
        sa.select(
            sa.func.coalesce(sa.func.min(evidence.c.seq), 0), sa.func.coalesce(sa.func.max(evidence.c.seq), 0)
        )
    ).one()
    while first < last:
        middle = (first + last) // 2
        if connection.scalar(newest, {"seq": middle}) < since_ms:
            first = middle + 1
        else:
            last = middle
    return int(first)
