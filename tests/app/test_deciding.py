from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.audience import Audience, Fact, Predicate
from campaigns.facts import Candidate, Decision, Occasion
from campaigns.model import Budget, Campaign, Channel, Money, Offer, Rate
from m2s.app.catalog import Catalog
from m2s.app.deciding import Deciding, House
from m2s.app.facts import store_facts
from m2s.app.rows import RegularRow
from tests.app.world import CHURCH, PORT, World
from tests.changed import replace

HOUR = timedelta(hours=1)
Change = Callable[[Campaign, Offer], tuple[Campaign, Offer]]


def candidate(
    world: World, shopper_id: str, *, change: Change, store_id: str = PORT, offer_id: str = "warm"
) -> Candidate:
    live = world.catalog.campaigns["morning"]
    campaign, offer = change(live.campaign, live.campaign.offers[0])
    offer = replace(offer, id=offer_id, channels=(Channel.PUSH,))
    now = world.clock.now()
    return Candidate(
        campaign=replace(campaign, offers=(offer,)),
        offer=offer,
        offer_version="1",
        salt="salt",
        paused=False,
        occasion=Occasion(
            key=world.ids.new("occ"),
            shopper_id=shopper_id,
            device_id=None,
            trigger="near",
            at=now,
            scheduled=False,
        ),
        store=store_facts(world.catalog.stores[store_id], now),
    )


def decide(
    world: World, moments: Sequence[Sequence[Candidate]], *, catalog: Catalog | None = None, **policy: Any
) -> list[Decision]:
    """All moments in one transaction; without pressure, as shoppers come again and again here."""
    house = House(replace(world.policy, **{"pressure": (), **policy}), "36111", world.ids)

    def work(records: Any) -> list[Decision]:
        deciding = Deciding(
            records,
            moments,
            house=house,
            catalog=catalog or world.catalog,
            inside={},
            now=world.clock.now(),
        )
        for together in moments:
            deciding.decide(together, now=world.clock.now())
        return deciding.keep(records)

    return world.database.write(work)


def reasons(decisions: Sequence[Decision]) -> list[str | None]:
    return [decision.reason for decision in decisions]


def with_budget(budget: Budget, *, holdout: float = 0.0) -> Change:
    return lambda campaign, offer: (replace(campaign, budget=budget, holdout=holdout), offer)


def with_offer(**changes: Any) -> Change:
    return lambda campaign, offer: (campaign, replace(offer, **changes))


def rounds(world: World, change: Change, *, count: int = 3, store_id: str = PORT) -> list[str | None]:
    """Two shoppers at a time, in one transaction each."""
    found: list[str | None] = []
    for number in range(count):
        moments = [
            [candidate(world, world.shopper(f"{store_id}{number}{name}"), change=change, store_id=store_id)]
            for name in ("a", "b")
        ]
        found += reasons(decide(world, moments))
    return found


def test_a_budget_of_messages_is_met_exactly(world: World) -> None:
    assert rounds(world, with_budget(Budget(messages=3))) == [None, None, None, *["budget"] * 3]
    assert world.rows("SELECT messages FROM spent WHERE offer_id = '' AND store_id = ''") == [(3,)]


def test_a_budget_of_coupons_is_met_exactly(world: World) -> None:
    assert rounds(world, with_budget(Budget(coupons=5))) == [*[None] * 5, "budget"]


def test_a_budget_of_money_is_never_exceeded(world: World) -> None:
    change = with_budget(Budget(cost=Money(Decimal("0.10"), "EUR")))
    prices = {Channel.PUSH: Money(Decimal("0.045"), "EUR")}
    shoppers = [world.shopper(name) for name in ("a", "b", "c")]
    moments = [[candidate(world, shopper, change=change)] for shopper in shoppers]
    decisions = decide(world, moments, prices=prices)
    assert reasons(decisions) == [None, None, "budget"]
    check = decisions[-1].trace[-1]
    assert (check.value, check.limit) == ("cost 0.09", "cost 0.10 EUR")


def test_the_held_out_use_up_nothing(world: World) -> None:
    assert rounds(world, with_budget(Budget(messages=3), holdout=1.0)) == ["holdout"] * 6
    assert world.rows("SELECT * FROM spent") == []


def test_stock_is_of_the_offer_at_all_stores_together(world: World) -> None:
    offer = world.catalog.campaigns["morning"].campaign.offers[0]
    assert offer.coupon is not None
    change = with_offer(coupon=replace(offer.coupon, stock=3))
    assert rounds(world, change, count=1) == [None, None]
    assert rounds(world, change, count=1, store_id=CHURCH) == [None, "stock"]


def test_a_pace_is_of_the_offer_at_one_store_over_a_sliding_window(world: World) -> None:
    change = with_offer(store_pace=Rate(3, HOUR))
    assert rounds(world, change, count=2) == [None, None, None, "store_pace"]
    assert rounds(world, change, count=1, store_id=CHURCH) == [None, None]
    world.clock.advance(HOUR - timedelta(milliseconds=1))
    assert reasons(decide(world, [[candidate(world, world.shopper("late"), change=change)]])) == [
        "store_pace"
    ]
    world.clock.advance(timedelta(milliseconds=1))
    assert reasons(decide(world, [[candidate(world, world.shopper("later"), change=change)]])) == [None]


def test_of_two_stores_the_one_that_sent_less_is_next(world: World) -> None:
    change = with_offer()
    sent = []
    for number in range(4):
        shopper = world.shopper(str(number))
        together = [candidate(world, shopper, change=change, store_id=store) for store in (PORT, CHURCH)]
        (made,) = [one for one in decide(world, [together]) if one.reason is None]
        sent.append(made.candidate.store.store_id)
    assert sorted(sent[:2]) == sorted(sent[2:]) == [CHURCH, PORT]


def test_staff_get_no_offers_of_their_own_store(world: World) -> None:
    shopper, now = world.shopper("ann"), world.clock.now()
    spans = [RegularRow(shopper, PORT, "staff", now - HOUR, now + HOUR)]
    world.database.write(lambda records: records.regulars.replace({(shopper, PORT): spans}))
    moments = [[candidate(world, shopper, change=with_offer(), store_id=store)] for store in (PORT, CHURCH)]
    assert reasons(decide(world, moments)) == ["staff", None]


def asking(fact: Fact, **asked: Any) -> Change:
    return with_offer(audience=Audience((Predicate(fact, **asked),)))


def one_reason(world: World, change: Change, *, catalog: Catalog | None = None) -> str | None:
    (found,) = reasons(decide(world, [[candidate(world, "shp_ann", change=change)]], catalog=catalog))
    return found


@pytest.fixture
def ann(world: World) -> str:
    return world.shopper("ann")


def test_visits_are_asked_from_what_is_kept(world: World, ann: str) -> None:
    world.visited(ann, PORT, world.clock.now() - 3 * HOUR, lasting=timedelta(minutes=20))
    world.visited(ann, CHURCH, world.clock.now() - 50 * HOUR, lasting=timedelta(minutes=5))
    world.visited(ann, CHURCH, world.clock.now() - HOUR, lasting=timedelta(minutes=5), kind="passer_by")
    day = 24 * HOUR
    assert one_reason(world, asking(Fact.VISITS, at_least=2)) is None
    assert one_reason(world, asking(Fact.VISITS, at_least=2, within=day)) == "audience"
    assert one_reason(world, asking(Fact.VISITS, at_most=1, here=True)) is None
    assert one_reason(world, asking(Fact.DWELL, at_least=1200)) is None
    assert one_reason(world, asking(Fact.DWELL, at_least=1201)) == "audience"
    assert one_reason(world, asking(Fact.LAST_VISIT, at_most=3 * 3600)) is None
    assert one_reason(world, asking(Fact.LAST_VISIT, at_least=3 * 3600 + 1)) == "audience"
    assert one_reason(world, asking(Fact.FAVOURITE_STORE, at_least=1)) is None


def test_a_regular_at_this_hour_is_told_by_the_days_she_came(world: World, ann: str) -> None:
    not_regular = asking(Fact.REGULAR, at_most=0)
    for days in (1, 3):
        world.visited(ann, PORT, world.clock.now() - days * 24 * HOUR - HOUR / 2)
    assert one_reason(world, not_regular) is None
    world.visited(ann, PORT, world.clock.now() - 6 * 24 * HOUR + HOUR / 2)
    assert one_reason(world, not_regular) == "audience"


def test_redemptions_baskets_and_research_are_asked_from_what_is_kept(world: World, ann: str) -> None:
    now = world.clock.now()
    world.bought(ann, PORT, now - HOUR, amount="12.50")
    world.researched(ann, "availability", now - HOUR)
    world.researched(ann, "hours", now - 100 * HOUR, store_id=CHURCH)
    assert one_reason(world, asking(Fact.PURCHASES, at_least=1, within=HOUR * 2)) is None
    assert one_reason(world, asking(Fact.BOUGHT, at_least=12.5, among=frozenset({"EUR"}))) is None
    assert one_reason(world, asking(Fact.BOUGHT, at_least=1, among=frozenset({"USD"}))) == "audience"
    assert one_reason(world, asking(Fact.RESEARCHED, at_least=2)) is None
    assert one_reason(world, asking(Fact.RESEARCHED, at_least=1, among=frozenset({"price"}))) == "audience"
    assert one_reason(world, asking(Fact.RESEARCHED, at_least=1, here=True)) == "audience"
    assert one_reason(world, asking(Fact.REDEMPTIONS, at_least=1)) == "audience"
    assert one_reason(world, asking(Fact.CUSTOMERS, among=frozenset({"existing"}))) is None


def test_who_never_bought_is_new(world: World, ann: str) -> None:
    assert ann
    assert one_reason(world, asking(Fact.CUSTOMERS, among=frozenset({"new"}))) is None
    assert one_reason(world, asking(Fact.CUSTOMERS, among=frozenset({"existing"}))) == "audience"


def test_home_is_where_she_is_on_most_evenings(world: World, ann: str) -> None:
    at_home = asking(Fact.HOME_REGION, among=frozenset({"FR"}))
    evening = datetime(2026, 11, 2, 21, 0, tzinfo=world.clock.now().tzinfo)
    for days in (0, 1):
        world.visited(ann, PORT, evening - days * 24 * HOUR, kind="passer_by")
    assert one_reason(world, at_home) == "audience"
    world.visited(ann, PORT, evening - 2 * 24 * HOUR, kind="passer_by")
    assert one_reason(world, at_home) is None
    assert one_reason(world, asking(Fact.HOME_REGION, among=frozenset({"IT"}))) == "audience"
