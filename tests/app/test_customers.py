"""Is the retailer's own base taken as it is, as often as it comes? Consents with their proof, STOP for good."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from m2s.app.inputs import BaseRow, Pivots, Statement
from m2s.app.rows import ConsentRow
from tests.app.people import customers, devices_of, holders, identify, registered, shopper_of
from tests.app.world import MORNING, World

DAY = timedelta(days=1)


def sms(granted: bool, at: datetime = MORNING - 100 * DAY) -> Statement:
    return Statement(ConsentRow("marketing", "sms", granted, "v3", at), "paper form")


def row(customer_id: str, phone: str | None = None, *said: Statement) -> BaseRow:
    return BaseRow(Pivots(customer_id=customer_id, phone=phone), statements=said)


def whose(world: World, customer_id: str) -> str:
    return holders(world, "customer_id", [customer_id])[customer_id]


def consents(world: World, shopper_id: str) -> list[tuple[str | None, bool]]:
    with world.database.read() as records:
        found = records.devices.consents([shopper_id]).get(shopper_id, [])
    return [(one.channel, one.granted) for one in found]


def phone_of(world: World, shopper_id: str) -> str | None:
    with world.database.read() as records:
        return records.devices.shoppers([shopper_id])[shopper_id].phone


def test_a_base_that_comes_again_changes_nothing(world: World) -> None:
    rows = [row("c1", "06 12 34 56 78", sms(True)), row("c2", "06 12 34 56 79", sms(False)), row("c3")]
    tables = ("shoppers", "pivots", "customers", "consents")

    def kept() -> list[object]:
        return [world.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608

    taken = customers(world).take(rows)
    assert (taken.accepted, taken.rejected, taken.left_out) == (3, [], [])
    before = kept()
    world.clock.advance(DAY)
    customers(world).take(rows)
    assert kept() == before


def test_a_consent_is_kept_with_date_text_and_source(world: World) -> None:
    customers(world).take([row("c1", None, sms(True))])
    assert world.rows("SELECT source, text_version, at, device_id FROM consents") == [
        ("paper form", "v3", int((MORNING - 100 * DAY).timestamp() * 1000), None)
    ]


def test_a_number_is_kept_in_plain_only_where_sms_may_go_there(world: World) -> None:
    customers(world).take(
        [row("c1", "0612345678", sms(True)), row("c2", "0612345679", sms(False)), row("c3", "0612345670")]
    )
    assert [phone_of(world, whose(world, name)) for name in ("c1", "c2", "c3")] == [
        "+33612345678",
        None,
        None,
    ]


def test_a_number_of_the_app_is_not_replaced(world: World) -> None:
    own = registered(world)
    identify(world).identify(own, Pivots(customer_id="c1", phone="+33687654321"), vouched=True)
    customers(world).take([row("c1", "0612345678", sms(True))])
    assert whose(world, "c1") == shopper_of(world, own)
    assert phone_of(world, own.shopper_id) == "+33687654321"


def test_a_withdrawal_counts_for_everybody_whose_sms_go_to_the_number(world: World) -> None:
    ann = world.shopper("ann")
    assert ("sms", True) in consents(world, ann)
    customers(world).take([row("c1", "+33612345678", sms(False, MORNING))])
    assert whose(world, "c1") != ann
    assert ("sms", False) in consents(world, ann)


def test_what_the_base_said_earlier_does_not_undo_what_was_said_since(world: World) -> None:
    own = registered(world)
    identify(world).identify(own, Pivots(customer_id="c1"), vouched=True)
    devices = devices_of(world)
    for said_in_app, said_in_base in ((False, True), (True, False)):
        world.clock.advance(DAY)
        said = ConsentRow("marketing", "sms", said_in_app, "1", world.clock.now())
        devices.put_consents(own, [said])
        customers(world).take([row("c1", None, sms(said_in_base))])
        assert consents(world, whose(world, "c1")) == [("sms", said_in_app)]


def test_a_shared_number_stays_with_the_first_customer_and_the_second_is_told(world: World) -> None:
    taken = customers(world).take(
        [row("c1", "0612345678", sms(True)), row("c2", "0612345678", sms(True)), row("c1")]
    )
    assert taken.accepted == 3
    assert [(one.index, one.code) for one in taken.left_out] == [(1, "pivot_conflict")]
    assert phone_of(world, whose(world, "c2")) is None


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (BaseRow(Pivots()), "missing_pivot"),
        (BaseRow(Pivots(phone="12")), "bad_phone"),
        (BaseRow(Pivots(customer_id="c"), since=MORNING + DAY), "time_out_of_range"),
        (BaseRow(Pivots(customer_id="c"), last_purchase_at=MORNING + DAY), "time_out_of_range"),
        (row("c", None, sms(True, MORNING + DAY)), "time_out_of_range"),
        (row("c", None, sms(False, MORNING + 2 * DAY)), "time_out_of_range"),
    ],
)
def test_a_bad_row_costs_itself_only(world: World, bad: BaseRow, code: str) -> None:
    taken = customers(world).take([row("c1"), bad, row("c2")])
    assert (taken.accepted, [(one.index, one.code) for one in taken.rejected]) == (2, [(1, code)])
    assert world.rows("SELECT count(*) FROM customers") == [(2,)]


def test_a_withdrawal_of_today_counts_at_once(world: World) -> None:
    said = ConsentRow("marketing", "sms", True, "1", MORNING)
    own = registered(world)
    devices_of(world).put_consents(own, [said])
    identify(world).identify(own, Pivots(customer_id="c1"), vouched=True)
    customers(world).take([row("c1", None, sms(False, MORNING + timedelta(hours=15)))])
    assert consents(world, own.shopper_id) == [("sms", False)]


def test_numbers_are_of_the_country_that_is_told_or_of_the_stores(world: World) -> None:
    customers(world).take([row("c1", "0470 12 34 56", sms(True))], country="BE")
    customers(world).take([row("c2", "06 12 34 56 78", sms(True))])
    assert [phone_of(world, whose(world, name)) for name in ("c1", "c2")] == ["+32470123456", "+33612345678"]
