"""Which rows do figures start from? Plain reads of a span of time, since ≤ instant < until."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from m2s.adapters.storage.decisions import decision_row
from m2s.adapters.storage.statements import columns
from m2s.adapters.storage.tables import decisions, messages, redemptions, visits
from m2s.app.rows import DecisionRow, MessageRow, RedemptionRow, VisitRow


class SqlReports:
    """Read-only rows for figures, oldest first."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def visits(self, since: datetime, until: datetime) -> list[VisitRow]:
        """Stays of every kind that start in the span."""
        query = _span(sa.select(*columns(visits, VisitRow)), visits.c.start_at, since, until=until)
        return [VisitRow(*row) for row in self._connection.execute(query.order_by(visits.c.id))]

    def decisions(self, since: datetime, until: datetime) -> list[DecisionRow]:
        """Decisions of every outcome that were made in the span."""
        query = sa.select(*columns(decisions, DecisionRow))
        query = _span(query, decisions.c.decided_at, since, until=until).order_by(decisions.c.id)
        return [decision_row(row) for row in self._connection.execute(query)]

    def redemptions(self, since: datetime, until: datetime) -> list[RedemptionRow]:
        """Redemptions in the span, voided ones included."""
        query = _span(
            sa.select(*columns(redemptions, RedemptionRow)), redemptions.c.at, since, until=until
        ).order_by(redemptions.c.id)
        return [RedemptionRow(*row) for row in self._connection.execute(query)]

    def exposures(self, since: datetime, until: datetime) -> list[MessageRow]:
        """Messages created in the span that a channel accepted."""
        query = sa.select(*columns(messages, MessageRow)).where(messages.c.state == "accepted")
        query = _span(query, messages.c.created_at, since, until=until).order_by(messages.c.id)
        return [MessageRow(*row) for row in self._connection.execute(query)]


def _span(
    query: sa.Select[*tuple[Any, ...]], column: sa.Column[datetime], since: datetime, *, until: datetime
) -> sa.Select[*tuple[Any, ...]]:
    return query.where(column >= since, column < until).order_by(column)
