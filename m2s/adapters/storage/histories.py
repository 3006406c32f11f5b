"""What happened before, by shopper? Stays, baskets, redemptions and research, each since an instant."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from campaigns.history import PastPurchase, PastRedemption, PastResearch
from m2s.adapters.storage.direct import Query, one_of, read
from m2s.adapters.storage.tables import redemptions, visits
from m2s.adapters.storage.tables_inputs import purchases, research
from m2s.app.past import LastSeen, Past, PastStay
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.presence.visit import LONGEST_STAY_MS

_LONGEST_STAY = timedelta(milliseconds=LONGEST_STAY_MS)
_STAYS = Query(
    sa.select(visits.c.shopper_id, visits.c.store_id, visits.c.start_at, visits.c.end_at, visits.c.kind)
    .where(one_of(visits.c.shopper_id), visits.c.end_at >= sa.bindparam("since"))
    .order_by(visits.c.end_at)
)
_PURCHASES = Query(
    sa.select(
        purchases.c.shopper_id, purchases.c.store_id, purchases.c.at, purchases.c.amount, purchases.c.currency
    )
    .where(
        one_of(purchases.c.shopper_id),
        purchases.c.shopper_id.is_not(None),
        purchases.c.at >= sa.bindparam("since"),
    )
    .order_by(purchases.c.at)
)
_REDEMPTIONS = Query(
    sa.select(redemptions.c.shopper_id, redemptions.c.store_id, redemptions.c.at)
    .where(
        one_of(redemptions.c.shopper_id),
        redemptions.c.at >= sa.bindparam("since"),
        redemptions.c.voided_at.is_(None),
    )
    .order_by(redemptions.c.at)
)
_RESEARCH = Query(
    sa.select(research.c.shopper_id, research.c.topic, research.c.store_id, research.c.at)
    .where(one_of(research.c.shopper_id), research.c.at >= sa.bindparam("since"))
    .order_by(research.c.at)
)


# Beside max(), SQLite takes the other columns from the row that has it.
_LAST_SEEN = (
    "SELECT store_id, zone_id, kind, max(at_ms), inside_probability FROM evidence"
    " WHERE shopper_id = ? AND at_ms >= ? AND at_ms <= ? GROUP BY store_id, zone_id"
    " ORDER BY max(at_ms) DESC, store_id, zone_id"
)


class SqlHistories:
    """What happened before, by shopper."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def last_seen(self, shopper_id: str, since: datetime, until: datetime) -> list[LastSeen]:
        """The last evidence at each zone that happened in [since, until], newest first."""
        rows = read(self._connection, _LAST_SEEN, (shopper_id, to_ms(since), to_ms(until)))
        return [LastSeen(row[0], row[1], row[2], from_ms(row[3]), row[4]) for row in rows]

    def visits_ended(self, since: datetime, until: datetime) -> list[Past]:
        """Counted visits that are closed and ended in (since, until]."""
        # Only their start has an index.
        query = sa.select(visits.c.id, visits.c.shopper_id, visits.c.store_id, visits.c.end_at).where(
            visits.c.start_at > since - _LONGEST_STAY,
            visits.c.start_at <= until,
            visits.c.end_at > since,
            visits.c.end_at <= until,
            visits.c.kind == "visit",
            visits.c.status == "closed",
        )
        return [Past(*row) for row in self._connection.execute(query.order_by(visits.c.end_at, visits.c.id))]

    def redeemed(self, since: datetime, until: datetime) -> list[Past]:
        """Redemptions that were not voided, in (since, until]."""
        query = sa.select(
            redemptions.c.id,
            redemptions.c.shopper_id,
            redemptions.c.store_id,
            redemptions.c.at,
            redemptions.c.campaign_id,
        ).where(redemptions.c.at > since, redemptions.c.at <= until, redemptions.c.voided_at.is_(None))
        ordered = query.order_by(redemptions.c.at, redemptions.c.id)
        return [Past(*row) for row in self._connection.execute(ordered)]

    def stays(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastStay]]:
        """Stays of any kind that ended since."""
        return _by_shopper(
            (row[0], PastStay(row[1], row[2], row[3], counted=row[4] == "visit"))
            for row in _STAYS.of(self._connection, shopper_ids, since=since)
        )

    def purchases(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastPurchase]]:
        """Baskets paid since."""
        return _by_shopper(
            (row[0], PastPurchase(row[1], row[2], float(row[3]), row[4]))
            for row in _PURCHASES.of(self._connection, shopper_ids, since=since)
        )

    def redemptions(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastRedemption]]:
        """Coupons redeemed since, voided ones left out."""
        return _by_shopper(
            (row[0], PastRedemption(row[1], row[2]))
            for row in _REDEMPTIONS.of(self._connection, shopper_ids, since=since)
        )

    def research(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastResearch]]:
        """What was looked up since."""
        return _by_shopper(
            (row[0], PastResearch(row[1], row[2], row[3]))
            for row in _RESEARCH.of(self._connection, shopper_ids, since=since)
        )


def _by_shopper(rows: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for shopper_id, row in rows:
        found.setdefault(shopper_id, []).append(row)
    return found
