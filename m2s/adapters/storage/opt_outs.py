"""Which campaigns made shoppers opt out? Withdrawals of consent, each blamed on the last message before it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from m2s.adapters.storage.direct import read
from m2s.app.past import OptOuts
from m2s.core.base.instants import to_ms

_LEFT = "state IN ('accepted', 'delivered')"
_DELIVERED = f"SELECT count(*) FROM messages WHERE campaign_id = ? AND created_at >= ? AND {_LEFT}"  # noqa: S608
# By the decisions, which have an index by shopper, unlike messages.
_BLAMED = (
    "SELECT blamed, count(*) FROM (SELECT withdrawn.shopper_id,"  # noqa: S608
    " (SELECT sent.campaign_id FROM decisions AS sent JOIN messages ON messages.decision_id = sent.id"
    f" WHERE sent.shopper_id = withdrawn.shopper_id AND messages.{_LEFT}"
    " AND sent.decided_at <= withdrawn.at AND sent.decided_at > withdrawn.at - ?1"
    " ORDER BY sent.decided_at DESC, sent.id DESC LIMIT 1) AS blamed"
    " FROM (SELECT shopper_id, min(received_at) AS at FROM consents"
    " WHERE NOT granted AND purpose = 'marketing' AND received_at >= ?2 GROUP BY shopper_id) AS withdrawn)"
    " WHERE blamed = ?3 GROUP BY blamed"
)


class SqlOptOuts:
    """Messages that left, and withdrawals that followed them."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def by_campaign(self, since: Mapping[str, datetime], *, answered_within: timedelta) -> dict[str, OptOuts]:
        """Of each campaign since its own instant; those of which nothing left are absent."""
        within_ms = answered_within // timedelta(milliseconds=1)
        found = {}
        for campaign_id, at in since.items():
            ((delivered,),) = read(self._connection, _DELIVERED, (campaign_id, to_ms(at)))
            if delivered:
                blamed = read(self._connection, _BLAMED, (within_ms, to_ms(at), campaign_id))
                found[campaign_id] = OptOuts(delivered, blamed[0][1] if blamed else 0)
        return found
