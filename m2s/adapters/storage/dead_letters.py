"""What could not be processed? Each with its cause, until it is tried again or dropped."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.statements import columns, values
from m2s.adapters.storage.tables import dead_letters
from m2s.app.rows import DeadLetterRow
from m2s.core.base.instants import to_ms


class SqlDeadLetters:
    """Dead letters, numbered in the order in which they were first kept."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, row: DeadLetterRow, *, most: int) -> None:
        """Adds a letter, or counts one more try of the same; beyond `most` the oldest go."""
        kept = insert(dead_letters).values(values(row))
        again = {"cause": kept.excluded.cause, "at": kept.excluded.at, "tries": dead_letters.c.tries + 1}
        self._connection.execute(kept.on_conflict_do_update(index_elements=["id"], set_=again))
        newest = sa.select(sa.func.max(dead_letters.c.seq)).scalar_subquery()
        self._connection.execute(sa.delete(dead_letters).where(dead_letters.c.seq <= newest - most))

    def all(self) -> list[DeadLetterRow]:
        """Every letter, oldest first."""
        query = sa.select(*columns(dead_letters, DeadLetterRow)).order_by(dead_letters.c.seq)
        return [DeadLetterRow(*row) for row in self._connection.execute(query)]

    def get(self, letter_id: str) -> DeadLetterRow | None:
        """One letter."""
        query = sa.select(*columns(dead_letters, DeadLetterRow)).where(dead_letters.c.id == letter_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else DeadLetterRow(*row)

    def drop(self, letter_id: str) -> bool:
        """False when there is no such letter."""
        gone = sa.delete(dead_letters).where(dead_letters.c.id == letter_id)
        return self._connection.execute(gone).rowcount == 1

    def drop_before(self, before: datetime) -> int:
        """Drops letters received before an instant; returns how many."""
        gone = sa.delete(dead_letters).where(dead_letters.c.received_at_ms < to_ms(before))
        return self._connection.execute(gone).rowcount
