"""What was decided, in which arm is who, and which scheduled sends are planned?"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from campaigns.facts import NO_TAGS, PastOffer
from m2s.adapters.storage.direct import Query, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text
from m2s.adapters.storage.tables import assignments, decisions, messages, occurrences
from m2s.app.rows import DecisionRow
from m2s.core.base.instants import to_ms

_KNOWN = Query(
    sa.select(decisions.c.occasion_key).where(
        decisions.c.campaign_id == sa.bindparam("campaign_id"),
        decisions.c.offer_id == sa.bindparam("offer_id"),
        one_of(decisions.c.occasion_key),
    )
)
_PAST = Query(
    sa.select(
        decisions.c.shopper_id,
        decisions.c.decided_at,
        decisions.c.campaign_id,
        decisions.c.offer_id,
        # The channel by which it went, where the decision's own refused it.
        sa.func.coalesce(messages.c.channel, decisions.c.channel),
        decisions.c.tags,
    )
    .outerjoin(messages, messages.c.decision_id == decisions.c.id)
    .where(
        one_of(decisions.c.shopper_id),
        decisions.c.decided_at >= sa.bindparam("since"),
        decisions.c.outcome != "suppressed",
    )
    .order_by(decisions.c.decided_at, decisions.c.id)
)
_ARMS = Query(
    sa.select(assignments.c.shopper_id, assignments.c.experiment, assignments.c.arm).where(
        one_of(assignments.c.shopper_id)
    )
)
_NAMES = [column.name for column in columns(decisions, DecisionRow)]
_TRACE = _NAMES.index("trace")
_values = row_values(decisions, DecisionRow)
_ADD = insert_text(decisions, _NAMES)
_ADD_ARM = insert_text(assignments, ["experiment", "shopper_id", "arm", "at"]) + " ON CONFLICT DO NOTHING"


class SqlDecisions:
    """Decisions, assignments and occurrences of scheduled sends."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[DecisionRow]) -> None:
        """Appends decisions; an occasion that is decided already is an IntegrityError."""
        if rows:
            kept = [_values(row) for row in rows]
            for values in kept:
                values[_TRACE] = msgspec.json.encode(values[_TRACE]).decode()
            write(self._connection, _ADD, kept)

    def known_occasions(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Which (campaign_id, offer_id, occasion_key) are decided already."""
        by_offer: dict[tuple[str, str], list[str]] = {}
        for campaign_id, offer_id, occasion_key in keys:
            by_offer.setdefault((campaign_id, offer_id), []).append(occasion_key)
        found: set[tuple[str, str, str]] = set()
        for (campaign_id, offer_id), occasion_keys in by_offer.items():
            known = _KNOWN.of(self._connection, occasion_keys, campaign_id=campaign_id, offer_id=offer_id)
            found |= {(campaign_id, offer_id, key) for (key,) in known}
        return found

    def past(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastOffer]]:
        """Sends and ghosts per shopper decided since, oldest first."""
        found: dict[str, list[PastOffer]] = {}
        for row in _PAST.of(self._connection, shopper_ids, since=since):
            shopper_id, at, campaign_id, offer_id, channel, tags = row
            had = frozenset(json.loads(tags)) if tags else NO_TAGS
            found.setdefault(shopper_id, []).append(PastOffer(at, campaign_id, offer_id, channel, had))
        return found

    def arms(self, shopper_ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Recorded arms per shopper, by experiment."""
        found: dict[str, dict[str, str]] = {}
        for shopper_id, experiment, arm in _ARMS.of(self._connection, shopper_ids):
            found.setdefault(shopper_id, {})[experiment] = arm
        return found

    def record_arms(self, rows: Sequence[tuple[str, str, str]], *, at: datetime) -> None:
        """Keeps (experiment, shopper_id, arm) where none is kept yet."""
        write(self._connection, _ADD_ARM, [(*row, to_ms(at)) for row in rows])

    def claimed(self, campaign_id: str, offer_id: str, *, key: str) -> set[str]:
        """The stores for which this scheduled send is claimed already."""
        query = sa.select(occurrences.c.store_id).where(
            occurrences.c.campaign_id == campaign_id,
            occurrences.c.offer_id == offer_id,
            occurrences.c.key == key,
        )
        return set(self._connection.scalars(query))

    def claim(
        self,
        campaign_id: str,
        offer_id: str,
        *,
        store_ids: Iterable[str],
        key: str,
        due: datetime,
        at: datetime,
    ) -> set[str]:
        """Claims a scheduled send at stores; returns those that nobody had claimed."""
        new = set(store_ids) - self.claimed(campaign_id, offer_id, key=key)
        names = ["campaign_id", "offer_id", "store_id", "key", "due", "planned_at"]
        text = insert_text(occurrences, names)
        rows = [(campaign_id, offer_id, store_id, key, to_ms(due), to_ms(at)) for store_id in sorted(new)]
        write(self._connection, text, rows)
        return new

    def get(self, decision_id: str) -> DecisionRow | None:
        """One decision."""
        query = sa.select(*columns(decisions, DecisionRow)).where(decisions.c.id == decision_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else decision_row(row)

    def find(
        self,
        *,
        shopper_id: str | None,
        offer_id: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int,
    ) -> list[DecisionRow]:
        """Decisions made since ≤ instant < until, newest first; what is None does not filter."""
        wanted = {"shopper_id": shopper_id, "offer_id": offer_id}
        query = sa.select(*columns(decisions, DecisionRow))
        query = query.where(
            *(decisions.c[name] == value for name, value in wanted.items() if value is not None)
        )
        if since is not None:
            query = query.where(decisions.c.decided_at >= since)
        if until is not None:
            query = query.where(decisions.c.decided_at < until)
        query = query.order_by(decisions.c.decided_at.desc(), decisions.c.id.desc()).limit(limit)
        return [decision_row(row) for row in self._connection.execute(query)]


def decision_row(row: Any) -> DecisionRow:
    """A decision read from its table's columns."""
    kept = dict(row._mapping)
    return DecisionRow(**kept | {"trace": json.loads(kept["trace"])})
