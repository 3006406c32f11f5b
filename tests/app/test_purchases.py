"""Is each basket kept once, with the shopper it is of? A bad one costs itself only."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from m2s.app.inputs import Basket, Pivots
from tests.app.people import customers, identify, purchases, registered, shopper_of
from tests.app.world import CHURCH, MORNING, PORT, World
from tests.changed import replace


def basket(name: str, **changes: Any) -> Basket:
    """A basket paid at the port."""
    one = Basket(name, PORT, MORNING - timedelta(hours=1), Decimal("12.50"), Decimal("1"), "EUR")
    return replace(one, **changes)


def kept(world: World) -> list[tuple[Any, ...]]:
    return world.rows(
        "SELECT store_id, purchase_id, shopper_id, amount, discount FROM purchases ORDER BY 1, 2"
    )


def test_a_basket_is_kept_once_by_store_and_purchase_id(world: World) -> None:
    taken = purchases(world).take([basket("1"), basket("2"), basket("1", store_id=CHURCH)], source="till")
    assert (taken.accepted, taken.duplicates, taken.rejected) == (3, 0, [])
    again = purchases(world).take(
        [basket("1", amount=Decimal(99)), basket("3"), basket("3")], source="server"
    )
    assert (again.accepted, again.duplicates, again.rejected) == (1, 2, [])
    assert kept(world) == [
        (CHURCH, "1", None, "12.50", "1.00"),
        *((PORT, name, None, "12.50", "1.00") for name in "123"),
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"store_id": "nowhere"}, "unknown_store"),
        ({"at": MORNING + timedelta(minutes=6)}, "time_out_of_range"),
        ({"at": MORNING - timedelta(days=3654)}, "time_out_of_range"),
        ({"pivots": Pivots(phone="12")}, "bad_phone"),
        ({"pivots": Pivots(customer_id="c", email="ann")}, "bad_email"),
    ],
)
def test_a_bad_basket_costs_itself_only(world: World, changes: dict[str, Any], code: str) -> None:
    taken = purchases(world).take([basket("1"), basket("2", **changes), basket("3")], source="till")
    assert taken.accepted == 2
    assert [(one.index, one.id, one.code) for one in taken.rejected] == [(1, "2", code)]
    assert [row[1] for row in kept(world)] == ["1", "3"]


def test_a_till_sends_baskets_of_its_own_store_only(world: World) -> None:
    taken = purchases(world).take([basket("1"), basket("1", store_id=CHURCH)], source="till", of_store=PORT)
    assert [(one.index, one.code) for one in taken.rejected] == [(1, "other_store")]


def test_baskets_with_one_pivot_id_are_of_one_shopper_and_more_of_them_join(world: World) -> None:
    own = registered(world)
    identify(world).identify(own, Pivots(phone="+33612345678"), vouched=True)
    purchases(world).take(
        [
            basket("1", pivots=Pivots(loyalty_id="L1")),
            basket("2", pivots=Pivots(phone="06 12 34 56 78")),
            basket("3", pivots=Pivots(loyalty_id="L1", phone="06 12 34 56 78")),
            basket("4", pivots=Pivots(loyalty_id="L1")),
        ],
        source="till",
    )
    assert {row[2] for row in kept(world)} == {shopper_of(world, own)}
    assert world.rows("SELECT count(*) FROM shoppers") == [(1,)]


def test_a_number_that_two_customers_share_stays_with_the_first_and_the_basket_is_taken(
    world: World,
) -> None:
    pivots = [Pivots(customer_id=name, phone="+33612345678") for name in ("c1", "c2")]
    taken = purchases(world).take(
        [basket(str(place), pivots=one) for place, one in enumerate(pivots)], source="till"
    )
    assert (taken.accepted, taken.rejected) == (2, [])
    assert [(one.index, one.id, one.code) for one in taken.left_out] == [(1, "1", "pivot_conflict")]
    (first, second) = (row[2] for row in kept(world))
    assert first != second


def test_without_pivot_ids_a_basket_is_of_whom_its_coupon_was_given(world: World) -> None:
    ann = world.shopper("ann")
    coupon = world.coupon_of(world.decided(ann))
    shown = coupon.code.replace("-", " ").lower()
    purchases(world).take(
        [
            basket("1", coupon_code=shown),
            basket("2", coupon_code="SUMMER26"),
            basket("3", coupon_code=coupon.code, pivots=Pivots(loyalty_id="L1")),
        ],
        source="till",
    )
    codes = world.rows("SELECT purchase_id, coupon_code FROM purchases ORDER BY 1")
    assert codes == [("1", coupon.code), ("2", "SUMMER26"), ("3", coupon.code)]
    whose = {row[1]: row[2] for row in kept(world)}
    assert (whose["1"], whose["2"]) == (ann, None)
    assert whose["3"] not in (ann, None)


def test_a_claim_gets_the_basket_but_no_shopper_of_the_retailer(world: World) -> None:
    """What only a device says of itself never opens what the retailer knows of somebody else."""
    liar, owner = registered(world), registered(world)
    identify(world).identify(liar, Pivots(loyalty_id="L1"), vouched=False)
    identify(world).identify(owner, Pivots(customer_id="c1"), vouched=True)
    purchases(world).take([basket("1", pivots=Pivots(loyalty_id="L1"))], source="till")
    assert [row[2] for row in kept(world)] == [liar.shopper_id]
    purchases(world).take([basket("2", pivots=Pivots(loyalty_id="L1", customer_id="c1"))], source="till")
    assert [row[2] for row in kept(world)] == [liar.shopper_id, owner.shopper_id]
    purchases(world).take([basket("3", pivots=Pivots(loyalty_id="L1"))], source="till")
    assert kept(world)[2][2] == owner.shopper_id
    assert shopper_of(world, liar) == liar.shopper_id


def test_who_is_a_customer_is_told_by_the_base_or_by_the_first_purchase(world: World) -> None:
    from m2s.app.inputs import BaseRow

    since = MORNING - timedelta(days=900)
    customers(world).take([BaseRow(Pivots(customer_id="c1"), since=since), BaseRow(Pivots(customer_id="c2"))])
    world.clock.advance(timedelta(hours=1))
    purchases(world).take(
        [
            basket("1", pivots=Pivots(customer_id="c1")),
            basket("2", pivots=Pivots(customer_id="c3")),
            basket("3", pivots=Pivots(customer_id="c3"), at=MORNING - timedelta(days=5)),
        ],
        source="till",
    )
    whose = dict(world.rows("SELECT value, shopper_id FROM pivots"))
    with world.database.read() as records:
        found = records.purchases.customers_since([*whose.values(), "shp_nobody"])
    assert found == {
        whose["c1"]: since,
        whose["c2"]: MORNING,
        whose["c3"]: MORNING - timedelta(days=5),
    }
