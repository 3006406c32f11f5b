"""Does everything that is kept of a shopper go to the one whom she becomes? Tables that nobody thought of included."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.tables import metadata
from m2s.app.inputs import BaseRow, Held, Pivots, Statement
from m2s.app.ports import Records
from m2s.app.rows import ConsentRow
from tests.adapters.storage.samples import DAY, NOW

OLD, NEW = "shp_old", "shp_new"
WITH_SHOPPER = sorted(name for name, table in metadata.tables.items() if "shopper_id" in table.c)


def connection_of(records: Records) -> sa.Connection:
    connection: sa.Connection = records.devices._connection  # type: ignore[attr-defined]
    return connection


def filled(table: sa.Table, shopper_id: str, mark: str) -> dict[str, Any]:
    """A row with some value in every column that needs one."""
    row: dict[str, Any] = {}
    for column in table.c:
        if column.name == "seq":
            continue
        kind = column.type.python_type if not hasattr(column.type, "impl_instance") else type(NOW)
        values: dict[type, Any] = {
            str: f"{column.name}-{mark}",
            int: 1,
            float: 1.0,
            bool: False,
            bytes: mark.encode(),
        }
        row[column.name] = values.get(kind, NOW)
    return row | {"shopper_id": shopper_id}


@pytest.fixture
def people(database: SqlDatabase) -> SqlDatabase:
    def add(records: Records) -> None:
        records.identities.add_shoppers([OLD], at=NOW + DAY)
        records.identities.add_shoppers([NEW], at=NOW)

    database.write(add)
    return database


@pytest.mark.parametrize("name", [name for name in WITH_SHOPPER if name != "merges"])
def test_nothing_is_left_of_a_shopper_who_is_another_now(people: SqlDatabase, name: str) -> None:
    table = metadata.tables[name]

    def work(records: Records) -> list[str]:
        connection = connection_of(records)
        connection.execute(sa.insert(table), filled(table, OLD, "a"))
        records.identities.merge(OLD, into=NEW, source="server", at=NOW)
        return list(connection.scalars(sa.select(table.c.shopper_id)))

    assert people.write(work) == [NEW]


@pytest.mark.parametrize("name", [name for name in WITH_SHOPPER if name != "merges"])
def test_rows_with_the_same_key_become_one(people: SqlDatabase, name: str) -> None:
    table = metadata.tables[name]
    key = {column.name for column in table.primary_key}

    def work(records: Records) -> set[str]:
        connection = connection_of(records)
        for shopper_id in (OLD, NEW):
            alike = shopper_id != OLD and "shopper_id" in key and "id" not in key
            connection.execute(sa.insert(table), filled(table, shopper_id, "a" if alike else shopper_id))
        records.identities.merge(OLD, into=NEW, source="server", at=NOW)
        return set(connection.scalars(sa.select(table.c.shopper_id)))

    assert people.write(work) == {NEW}


def merged(records: Records) -> None:
    records.identities.merge(OLD, into=NEW, source="server", at=NOW + DAY)


def test_the_earlier_arm_rules_and_both_arms_are_a_crossing(people: SqlDatabase) -> None:
    def work(records: Records) -> None:
        decisions = records.decisions
        decisions.record_arms(
            [("late", OLD, "control"), ("only", OLD, "control"), ("like", OLD, "treated")], at=NOW
        )
        decisions.record_arms([("late", NEW, "treated"), ("like", NEW, "treated")], at=NOW + DAY)
        decisions.record_arms([("early", NEW, "treated")], at=NOW)
        decisions.record_arms([("early", OLD, "control")], at=NOW + DAY)
        merged(records)

    people.write(work)
    with people.read() as records:
        assert records.decisions.arms([OLD, NEW]) == {
            NEW: {"late": "control", "only": "control", "like": "treated", "early": "treated"}
        }
        for experiment, crossed in (("late", {NEW}), ("early", {NEW}), ("like", set()), ("only", set())):
            assert records.identities.crossed([experiment]) == crossed


def test_a_base_row_of_both_has_the_earlier_since_and_the_later_purchase(people: SqlDatabase) -> None:
    def work(records: Records) -> None:
        put = records.purchases.put_customers
        put({OLD: BaseRow(Pivots(), since=NOW - 9 * DAY, last_purchase_at=None)}, at=NOW)
        put({NEW: BaseRow(Pivots(), since=None, last_purchase_at=NOW - DAY)}, at=NOW)
        put({NEW: BaseRow(Pivots(), since=None, last_purchase_at=NOW - 2 * DAY)}, at=NOW)
        merged(records)

    people.write(work)
    with people.read() as records:
        assert records.purchases.customers_since([OLD, NEW]) == {NEW: NOW - 9 * DAY}
        rows = connection_of(records).exec_driver_sql("SELECT since, last_purchase_at FROM customers").all()
        assert [tuple(row) for row in rows] == [
            tuple(int((NOW - days * DAY).timestamp() * 1000) for days in (9, 1))
        ]


def test_where_sms_go_comes_along_only_where_nothing_is_known(people: SqlDatabase) -> None:
    def work(records: Records) -> None:
        records.devices.set_phone(OLD, "+33612345678", country="FR")
        merged(records)

    people.write(work)
    with people.read() as records:
        assert records.devices.shoppers([NEW])[NEW].phone == "+33612345678"
        assert records.devices.shoppers([OLD]) == {}


def test_who_became_another_who_became_a_third_is_the_third(people: SqlDatabase) -> None:
    def work(records: Records) -> None:
        merged(records)
        records.identities.add_shoppers(["shp_third"], at=NOW)
        records.identities.merge(NEW, into="shp_third", source="import", at=NOW)

    people.write(work)
    with people.read() as records:
        rows = (
            connection_of(records).exec_driver_sql("SELECT shopper_id, into_id FROM merges ORDER BY 1").all()
        )
        assert [tuple(row) for row in rows] == [(NEW, "shp_third"), (OLD, "shp_third")]


def test_a_statement_of_the_base_is_kept_once_and_counts_from_its_own_time(people: SqlDatabase) -> None:
    def said(granted: bool, days: int) -> Statement:
        return Statement(ConsentRow("marketing", "sms", granted, "v1", NOW - days * DAY), "paper")

    def grants(records: Records) -> list[bool]:
        return [row.granted for row in records.devices.consents([NEW])[NEW]]

    def work(records: Records) -> list[list[bool]]:
        found = []
        for rows in ([said(False, 9)], [said(True, 5)], [said(False, 9), said(True, 5)], [said(False, 4)]):
            records.identities.state(NEW, rows, now=NOW)
            found.append(grants(records))
        return found

    assert people.write(work) == [[False], [True], [True], [False]]
    with people.read() as records:
        assert connection_of(records).exec_driver_sql("SELECT count(*) FROM consents").scalar() == 3


def test_pivot_ids_are_found_by_kind_and_given_to_one_shopper_at_a_time(people: SqlDatabase) -> None:
    loyal, customer = ("loyalty_id", "1"), ("customer_id", "1")

    def work(records: Records) -> None:
        records.identities.hold([Held(loyal, OLD, False), Held(customer, NEW, True)], source="device", at=NOW)
        records.identities.hold([Held(loyal, NEW, True)], source="server", at=NOW + timedelta(hours=1))

    people.write(work)
    with people.read() as records:
        assert records.identities.holders([loyal, customer, ("phone", "1")]) == {
            loyal: Held(loyal, NEW, True),
            customer: Held(customer, NEW, True),
        }
        assert records.identities.held_by([OLD, NEW]) == {
            NEW: [Held(customer, NEW, True), Held(loyal, NEW, True)]
        }
        assert records.identities.elder([OLD, NEW]) == NEW
