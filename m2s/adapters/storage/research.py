"""What was looked up online, and by whom?"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text
from m2s.adapters.storage.tables_inputs import research
from m2s.app.inputs import ResearchRow

_KNOWN = Query(
    sa.select(research.c.research_id).where(
        research.c.sender == sa.bindparam("sender"), one_of(research.c.research_id)
    )
)
_ADD = insert_text(research, [column.name for column in columns(research, ResearchRow)])
_values = row_values(research, ResearchRow)


class SqlResearch:
    """Research events."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which (sender, research_id) are there."""
        of_sender: dict[str, list[str]] = {}
        for sender, research_id in keys:
            of_sender.setdefault(sender, []).append(research_id)
        return {
            (sender, research_id)
            for sender, ids in of_sender.items()
            for (research_id,) in _KNOWN.of(self._connection, ids, sender=sender)
        }

    def add(self, rows: Sequence[ResearchRow]) -> None:
        """Appends research events."""
        write(self._connection, _ADD, [_values(row) for row in rows])

    def drop_before(self, before: datetime) -> int:
        """Drops what was looked up before an instant; returns how many."""
        return self._connection.execute(sa.delete(research).where(research.c.at < before)).rowcount
