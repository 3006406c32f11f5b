"""When was a shopper staff or resident at a store? Spans by pair, and whose evidence is new."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, read, row_values, write
from m2s.adapters.storage.statements import columns, insert_text
from m2s.adapters.storage.tables import regulars
from m2s.app.ports import Pair
from m2s.app.rows import RegularRow

_COLUMNS = columns(regulars, RegularRow)
_values = row_values(regulars, RegularRow)
_ADD = insert_text(regulars, [column.name for column in _COLUMNS])
_DROP = "DELETE FROM regulars WHERE shopper_id = ? AND store_id = ?"
_OF = Query(
    sa.select(*_COLUMNS)
    .where(one_of(regulars.c.shopper_id))
    .order_by(regulars.c.shopper_id, regulars.c.store_id, regulars.c.reason, regulars.c.since)
)
_NEW = "SELECT seq, shopper_id, store_id, zone_id FROM evidence WHERE seq > ? ORDER BY seq LIMIT ?"


class SqlRegulars:
    """Spans in which shoppers are regulars of stores."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def pairs_after(self, after_seq: int, *, zone_id: str, limit: int) -> tuple[set[Pair], int]:
        """Whose evidence of zones with this id is among the next `limit` rows after `after_seq`, and the last row.

        Where the last row is gone, rows may be numbered anew: then everything is new.
        """
        rows = read(self._connection, _NEW, (after_seq, limit))
        if not rows:
            ((most,),) = read(self._connection, "SELECT coalesce(max(seq), 0) FROM evidence", ())
            return set(), after_seq if most == after_seq else 0
        return {(row[1], row[2]) for row in rows if row[3] == zone_id}, rows[-1][0]

    def of(self, pairs: Iterable[Pair]) -> dict[Pair, list[RegularRow]]:
        """The spans of each pair that has any, by reason and time."""
        wanted = set(pairs)
        found: dict[Pair, list[RegularRow]] = {}
        for values in _OF.of(self._connection, (shopper_id for shopper_id, _ in wanted)):
            row = RegularRow(*values)
            if (row.shopper_id, row.store_id) in wanted:
                found.setdefault((row.shopper_id, row.store_id), []).append(row)
        return found

    def between(self, since: datetime, until: datetime, *, store_id: str | None = None) -> list[RegularRow]:
        """The spans that have an instant in [since, until)."""
        query = sa.select(*_COLUMNS).where(regulars.c.until > since, regulars.c.since < until)
        if store_id is not None:
            query = query.where(regulars.c.store_id == store_id)
        return [RegularRow(*row) for row in self._connection.execute(query)]

    def replace(self, rows: Mapping[Pair, Sequence[RegularRow]]) -> None:
        """Puts rows in the place of all that are kept of each pair."""
        write(self._connection, _DROP, list(rows))
        write(self._connection, _ADD, [_values(row) for many in rows.values() for row in many])
