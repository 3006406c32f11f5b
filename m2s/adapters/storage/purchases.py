"""Which baskets were paid, and who is on the retailer's own base?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text
from m2s.adapters.storage.tables_inputs import customers, purchases
from m2s.app.inputs import BaseRow, PurchaseRow
from m2s.core.base.instants import to_ms

_KNOWN = Query(
    sa.select(purchases.c.purchase_id).where(
        purchases.c.store_id == sa.bindparam("store_id"), one_of(purchases.c.purchase_id)
    )
)
_FIRST = Query(
    sa.select(purchases.c.shopper_id, sa.func.min(purchases.c.at, type_=purchases.c.at.type))
    .where(one_of(purchases.c.shopper_id), purchases.c.shopper_id.is_not(None))
    .group_by(purchases.c.shopper_id)
)
_BASE = Query(
    sa.select(customers.c.shopper_id, sa.func.coalesce(customers.c.since, customers.c.imported_at)).where(
        one_of(customers.c.shopper_id)
    )
)
_ADD = insert_text(purchases, [column.name for column in columns(purchases, PurchaseRow)])
_values = row_values(purchases, PurchaseRow)
_PUT = (
    insert_text(customers, ["shopper_id", "since", "last_purchase_at", "imported_at"])
    + " ON CONFLICT (shopper_id) DO UPDATE SET"
    " since = min(coalesce(since, excluded.since), coalesce(excluded.since, since)),"
    " last_purchase_at = max(coalesce(last_purchase_at, excluded.last_purchase_at),"
    " coalesce(excluded.last_purchase_at, last_purchase_at))"
)


class SqlPurchases:
    """Baskets, and the retailer's own base."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which (store_id, purchase_id) are there."""
        at_store: dict[str, list[str]] = {}
        for store_id, purchase_id in keys:
            at_store.setdefault(store_id, []).append(purchase_id)
        return {
            (store_id, purchase_id)
            for store_id, ids in at_store.items()
            for (purchase_id,) in _KNOWN.of(self._connection, ids, store_id=store_id)
        }

    def add(self, rows: Sequence[PurchaseRow]) -> None:
        """Appends baskets."""
        write(self._connection, _ADD, [_values(row) for row in rows])

    def put_customers(self, rows: Mapping[str, BaseRow], *, at: datetime) -> None:
        """Adds customers of the base by shopper, or completes them: the earlier `since`, the later purchase."""
        kept = [
            (shopper_id, _ms(row.since), _ms(row.last_purchase_at), to_ms(at))
            for shopper_id, row in rows.items()
        ]
        write(self._connection, _PUT, kept)

    def customers_since(self, shopper_ids: Iterable[str]) -> dict[str, datetime]:
        """Since when each shopper is a customer: by the base, or by her first purchase; absent who is none.

        Who is in the base without a date is one since she was imported.
        """
        wanted = list(shopper_ids)
        found = dict(_FIRST.of(self._connection, wanted))
        for shopper_id, since in _BASE.of(self._connection, wanted):
            found[shopper_id] = min(found.get(shopper_id, since), since)
        return found


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)
