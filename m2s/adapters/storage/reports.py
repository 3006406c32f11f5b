"""Which rows do figures start from? Counts and narrow rows of a half-open span of time."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from m2s.adapters.storage import hearings
from m2s.adapters.storage.statements import columns
from m2s.adapters.storage.tables import decisions, messages, redemptions, visits
from m2s.app.figures import CountRow, HeardRow, OfferedRow, PlacedRow, PresentRow
from m2s.app.rows import VisitRow
from m2s.core.base.instants import from_ms

_QUARTER_MS = 15 * 60 * 1000
_COUNTED: tuple[tuple[sa.Column[datetime], Any, Any, sa.ColumnElement[bool]], ...] = (
    (decisions.c.decided_at, decisions.c.outcome, decisions.c.reason, sa.true()),
    (
        messages.c.created_at,
        sa.literal("message"),
        messages.c.state,
        messages.c.campaign_id != "",
    ),
    (redemptions.c.at, sa.literal("redemption"), sa.null(), redemptions.c.voided_at.is_(None)),
)
"""What is counted: when it was, its name and reason, and which rows of its table count."""


class SqlReports:
    """Read-only rows for figures."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def visits(
        self,
        since: datetime,
        until: datetime,
        *,
        store_id: str | None = None,
        kinds: Collection[str] | None = None,
    ) -> list[VisitRow]:
        """Stays that start in the span, oldest first."""
        query = sa.select(*columns(visits, VisitRow)).where(
            visits.c.start_at >= since, visits.c.start_at < until, *_equal(visits, store_id=store_id)
        )
        if kinds is not None:
            query = query.where(visits.c.kind.in_(kinds))
        query = query.order_by(visits.c.start_at, visits.c.id)
        return [VisitRow(*row) for row in self._connection.execute(query)]

    def counts(
        self,
        since: datetime,
        until: datetime,
        *,
        store_id: str | None = None,
        campaign_id: str | None = None,
        by_quarter: bool = False,
    ) -> list[CountRow]:
        """Decisions by outcome and reason, messages of offers by state, and redemptions not taken back.

        Each of these over the whole span, or by the quarter of an hour.
        """
        found = []
        for at, name, why, counts in _COUNTED:
            wanted = _equal(at.table, store_id=store_id, campaign_id=campaign_id)
            quarter = sa.type_coerce(at, sa.BigInteger) // _QUARTER_MS if by_quarter else sa.null()
            query = _counted(at.table, name, why, quarter=quarter)
            query = query.where(at >= since, at < until, counts, *wanted)
            for what, reason, store, campaign, offer, begun, many in self._connection.execute(query):
                at_start = since if begun is None else from_ms(begun * _QUARTER_MS)
                found.append(CountRow(what, reason, store, campaign, offer, at_start, many))
        return found

    def offered(self, campaign_id: str) -> list[OfferedRow]:
        """Every send and ghost of a campaign ever, oldest first."""
        query = (
            sa.select(*columns(decisions, OfferedRow))
            .where(decisions.c.campaign_id == campaign_id, decisions.c.outcome.in_(("send", "ghost")))
            .order_by(decisions.c.decided_at, decisions.c.id)
        )
        return [OfferedRow(*row) for row in self._connection.execute(query)]

    def heard(self, since_ms: int, until_ms: int, *, store_id: str | None = None) -> list[HeardRow]:
        """Who heard which beacon, by day and strength; mock locations do not count."""
        return hearings.heard(self._connection, since_ms, until_ms, store_id=store_id)

    def present(self, since_ms: int, until_ms: int, *, store_id: str | None = None) -> list[PresentRow]:
        """How many phones were at which store, by day; mock locations do not count."""
        return hearings.present(self._connection, since_ms, until_ms, store_id=store_id)

    def placed(self, since_ms: int, until_ms: int, *, accuracy_m: float) -> list[PlacedRow]:
        """Where beacons were heard, as far as positions are kept and at least so accurate."""
        return hearings.placed(self._connection, since_ms, until_ms, accuracy_m=accuracy_m)


def _counted(table: Any, what: Any, reason: Any, *, quarter: Any) -> sa.Select[*tuple[Any, ...]]:
    """Rows of a table that has store, campaign and offer, counted by these and by what is given."""
    by: list[sa.ColumnElement[Any]] = [what.label("what"), reason.label("why")]
    by += [table.c[name] for name in ("store_id", "campaign_id", "offer_id")]
    by += [quarter.label("quarter")]
    return sa.select(*by, sa.func.count()).group_by(*(column.name for column in by))


def _equal(table: Any, **wanted: str | None) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in wanted.items() if value is not None]
