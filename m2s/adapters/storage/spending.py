"""How much have campaigns used up, and how fast were offers sent at stores?"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import read, write
from m2s.adapters.storage.statements import insert_text
from m2s.adapters.storage.tables_spending import paced, spent
from m2s.app.spending import Paced, Place, Used
from m2s.core.base.instants import from_ms, to_ms

_OF = (
    "SELECT campaign_id, offer_id, store_id, messages, cost_micro, coupons FROM spent"
    " JOIN (SELECT value ->> 0 AS campaign, value ->> 1 AS offer, value ->> 2 AS store FROM json_each(?))"
    " ON campaign_id = campaign AND offer_id = offer AND store_id = store"
)
_ADD = (
    insert_text(spent, [column.name for column in spent.c])
    + " ON CONFLICT (campaign_id, offer_id, store_id) DO UPDATE SET messages = messages + excluded.messages,"
    " cost_micro = cost_micro + excluded.cost_micro, coupons = coupons + excluded.coupons"
)
_SENT_AT = (
    "SELECT at FROM paced WHERE campaign_id = ? AND offer_id = ? AND store_id = ? AND at > ? ORDER BY at"
)
_ADD_PACED = insert_text(paced, [column.name for column in paced.c])


class SqlSpending:
    """Counters of sends by campaign, offer and store, and the instants of paced sends."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def used(self, places: Iterable[Place]) -> dict[Place, Used]:
        """What was used up at each place; where nothing was, it is absent."""
        wanted = json.dumps(sorted(set(places)))
        return {(row[0], row[1], row[2]): Used(*row[3:]) for row in read(self._connection, _OF, (wanted,))}

    def add(self, used: Mapping[Place, Used]) -> None:
        """Counts on."""
        rows = [(*place, one.messages, one.cost_micro, one.coupons) for place, one in used.items()]
        write(self._connection, _ADD, rows)

    def paced_since(self, place: Place, since: datetime) -> list[datetime]:
        """When the offer was sent at the store after an instant, oldest first."""
        return [from_ms(row[0]) for row in read(self._connection, _SENT_AT, (*place, to_ms(since)))]

    def add_paced(self, rows: Sequence[Paced]) -> None:
        """Keeps when paced offers were sent."""
        write(self._connection, _ADD_PACED, [(*row.place, to_ms(row.at), row.decision_id) for row in rows])

    def drop_paced(self, before: datetime) -> None:
        """Forgets sends that no pace looks back to any more."""
        self._connection.execute(sa.delete(paced).where(paced.c.at < before))
