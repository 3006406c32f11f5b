"""How is SQL written where Core is too slow? Driver-level texts for SQLite, built once from the tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert


def upsert(connection: sa.Connection, table: sa.Table, *, values: Mapping[str, Any]) -> None:
    """Adds one row, or replaces everything but its key."""
    key = [column.name for column in table.primary_key]
    statement = insert(table)
    statement = statement.on_conflict_do_update(
        index_elements=key,
        set_={name: statement.excluded[name] for name in values if name not in key},
    )
    connection.execute(statement, values)


def names_of(row_type: Any) -> tuple[str, ...]:
    """The fields of a Struct or of a dataclass, in their order."""
    if issubclass(row_type, msgspec.Struct):
        return tuple(row_type.__struct_fields__)
    return tuple(field.name for field in dataclasses.fields(row_type))


def columns(table: sa.Table, row_type: type) -> list[sa.Column[Any]]:
    """The table's columns in the order of a row type's fields, so that `row_type(*row)` reads a row."""
    return [table.c[name] for name in names_of(row_type)]


def values(row: Any) -> dict[str, Any]:
    """A row's fields by name, not copied deeply."""
    return {name: getattr(row, name) for name in names_of(type(row))}


def insert_text(table: sa.Table, names: Sequence[str], **same: str) -> str:
    """`INSERT INTO table (…) VALUES (…)` for executemany; what is the `same` for all rows stands in the text."""
    values = ", ".join([*"?" * len(names), *(f"'{text}'" for text in same.values())])
    return f"INSERT INTO {table.name} ({_listed(table, [*names, *same])}) VALUES ({values})"  # noqa: S608


@cache
def pairs_text(table: sa.Table, names: tuple[str, ...], *, since: str, order_by: str, number: int) -> str:
    """Selects rows of so many (shopper_id, store_id, instant), those whose `since` is not before the instant."""
    wanted = ", ".join(["(?, ?, ?)"] * number)
    return (
        f"WITH wanted (shopper, store, instant) AS (VALUES {wanted}) SELECT {_listed(table, names)}"  # noqa: S608
        f" FROM wanted CROSS JOIN {table.name} ON shopper_id = shopper AND store_id = store"
        f" AND {table.c[since].name} >= instant ORDER BY {order_by}"
    )


def upsert_text(table: sa.Table, names: Sequence[str]) -> str:
    """As `insert_text`, but a row whose key is there is replaced."""
    key = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    return f"{insert_text(table, names)} ON CONFLICT ({_listed(table, key)}) DO UPDATE SET {changes}"


def select_text(table: sa.Table, names: Sequence[str], *, where: str, order_by: Sequence[str]) -> str:
    """`SELECT … WHERE … ORDER BY …`; `where` holds the driver's parameters."""
    return (
        f"SELECT {_listed(table, names)} FROM {table.name} WHERE {where} ORDER BY {_listed(table, order_by)}"  # noqa: S608
    )


def delete_text(table: sa.Table) -> str:
    """`DELETE` by primary key, for executemany."""
    where = " AND ".join(f"{column.name} = ?" for column in table.primary_key)
    return f"DELETE FROM {table.name} WHERE {where}"  # noqa: S608


def _listed(table: sa.Table, names: Sequence[str]) -> str:
    return ", ".join(table.c[name].name for name in names)
