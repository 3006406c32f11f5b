"""How does the hot path ask? Through the driver: Core takes longer to prepare a statement than SQLite to run it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect

from m2s.adapters.storage.statements import names_of
from m2s.adapters.storage.tables import Instant
from m2s.core.base.instants import from_ms, to_ms

_ROWS_AT_ONCE = 25
_WANTED = sa.func.json_each(sa.bindparam("ids")).table_valued("value")


def one_of(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a column holds one of the ids that `Query.of` is given, however many they are."""
    return column.in_(sa.select(_WANTED.c.value))


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`parameters` are names, values where the statement holds them, and how they are written, in the text's order."""

    text: str
    parameters: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]
    read: tuple[tuple[int, Callable[[Any], Any]], ...]


class Query:
    """A Core select that is compiled once; its rows hold what Core would give."""

    def __init__(self, statement: sa.Select[Any]) -> None:
        self._statement = statement

    def of(self, connection: sa.Connection, ids: Iterable[str], **parameters: Any) -> Sequence[Any]:
        """The rows of these ids (see `one_of`)."""
        wanted = sorted(set(ids))
        ids = msgspec.json.encode(wanted).decode()
        return self.rows(connection, ids=ids, **parameters) if wanted else ()

    def rows(self, connection: sa.Connection, **parameters: Any) -> Sequence[Any]:
        """All rows, given the statement's named parameters."""
        compiled = self._compiled
        values = []
        for name, held, written in compiled.parameters:
            value = parameters.get(name, held)
            values.append(value if written is None else written(value))
        found = read(connection, compiled.text, values)
        if not compiled.read:
            return found
        rows = [list(row) for row in found]
        for place, converted in compiled.read:
            for row in rows:
                if row[place] is not None:
                    row[place] = converted(row[place])
        return rows

    @cached_property
    def _compiled(self) -> _Compiled:
        return _compile(self._statement)


def row_values(table: sa.Table, row_type: Any) -> Callable[[Any], list[Any]]:
    """What writes a row's fields as the driver takes them, in their order; its texts and numbers as they are."""
    names = names_of(row_type)
    fields = attrgetter(*names)
    instants = [place for place, name in enumerate(names) if isinstance(table.c[name].type, Instant)]

    def values(row: Any) -> list[Any]:
        kept = list(fields(row))
        for place in instants:
            if kept[place] is not None:
                kept[place] = to_ms(kept[place])
        return kept

    return values


def read(connection: sa.Connection, text: str, parameters: Sequence[Any]) -> Sequence[Any]:
    """All rows of a text with the driver's positional parameters."""
    cursor = connection.connection.cursor()
    cursor.execute(text, parameters)
    found: Sequence[Any] = cursor.fetchall()
    cursor.close()
    return found


def changed(connection: sa.Connection, text: str, parameters: Sequence[Any]) -> bool:
    """Runs a text that changes one row or none; whether it did."""
    cursor = connection.connection.cursor()
    cursor.execute(text, parameters)
    found = bool(cursor.rowcount)
    cursor.close()
    return found


def write(connection: sa.Connection, text: str, rows: Sequence[Sequence[Any]]) -> None:
    """Runs a text for each of the rows."""
    if rows:
        cursor = connection.connection.cursor()
        cursor.executemany(text, rows)
        cursor.close()


def append(connection: sa.Connection, text: str, rows: Sequence[Sequence[Any]]) -> None:
    """As `write`, for `INSERT … VALUES (…)`: each run of a statement costs, so one inserts many of the rows."""
    together = len(rows) - len(rows) % _ROWS_AT_ONCE
    if together:
        cursor = connection.connection.cursor()
        for first in range(0, together, _ROWS_AT_ONCE):
            part = rows[first : first + _ROWS_AT_ONCE]
            cursor.execute(_of_many(text), list(chain.from_iterable(part)))
        cursor.close()
    write(connection, text, rows[together:])


@cache
def _of_many(text: str) -> str:
    head, values, row = text.partition(" VALUES ")
    return f"{head}{values}{', '.join([row] * _ROWS_AT_ONCE)}"


def _compile(statement: sa.Select[Any]) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect())
    writes = {Instant: to_ms}
    reads: dict[type, Callable[[Any], Any]] = {Instant: from_ms, sa.Boolean: bool}
    return _Compiled(
        str(compiled),
        tuple(
            (name, compiled.params[name], writes.get(type(compiled.binds[name].type)))
            for name in compiled.positiontup or ()
        ),
        tuple(
            (place, converted)
            for place, column in enumerate(statement.selected_columns)
            if (converted := reads.get(type(column.type))) is not None
        ),
    )
