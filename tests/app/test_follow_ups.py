from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.decision import SPREAD
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.catalog import build_catalog
from m2s.app.deciding import House
from m2s.app.follow_ups import FollowUps
from m2s.app.rows import CampaignRow, RedemptionRow
from tests.app.world import MORNING, PORT, World
from tests.changed import replace

CAMPAIGN = """
campaign: thanks
name: Thanks
stores: {ids: [port]}
holdout: 0%
offers:
  - offer: opinion
    trigger: {after_visit: 2h}
    channels: [push]
    valid_for: 3h
    message:
      push: {body: {en: "How was {store_name}?"}}
  - offer: again
    trigger: {after_redemption: 7d}
    channels: [push]
    valid_for: 1d
    message:
      push: {body: {en: "Come again to {store_name}"}}
"""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def following(world: World) -> tuple[World, FollowUps]:
    row = CampaignRow("thanks", "1", "active", "salt", CAMPAIGN, MORNING)
    world = replace(world, catalog=build_catalog(1, world.catalog.stores.values(), [row]))
    house = House(replace(world.policy, pressure=()), "36111", world.ids)
    return world, FollowUps(world.database, lambda: world.catalog, house=house, observer=Metrics())


def decided(world: World, shopper_id: str) -> list[tuple[str, str, str | None]]:
    return [(row.offer_id, row.outcome, row.reason) for row in world.decisions_of(shopper_id)]


def redeemed(world: World, shopper_id: str, at: datetime, *, campaign_id: str = "thanks") -> None:
    row = RedemptionRow(
        id=world.ids.new("red"),
        code="code",
        shopper_id=shopper_id,
        campaign_id=campaign_id,
        offer_id="again",
        store_id=PORT,
        key_id="key",
        basket_id=None,
        amount=None,
        currency=None,
        at=at,
        voided_at=None,
    )
    world.database.write(lambda records: records.coupons.add_redemption(row))


def test_an_offer_comes_so_long_after_a_visit_and_once(following: tuple[World, FollowUps]) -> None:
    world, follow_ups = following
    ann = world.shopper("ann")
    world.visited(ann, PORT, MORNING)
    assert follow_ups.run(MORNING + 2 * HOUR - timedelta(milliseconds=1)) == 0
    assert follow_ups.run(MORNING + 2 * HOUR) == 1
    assert follow_ups.run(MORNING + 3 * HOUR) == 0
    assert decided(world, ann) == [("opinion", "send", None)]
    (message,) = world.messages_of(ann)
    assert message.valid_until == MORNING + 5 * HOUR


def test_what_came_due_while_nobody_ran_is_made_up_for_while_it_is_valid(
    following: tuple[World, FollowUps],
) -> None:
    world, follow_ups = following
    for name, end in (("late", MORNING), ("too-late", MORNING - timedelta(milliseconds=1))):
        world.visited(world.shopper(name), PORT, end)
    assert follow_ups.run(MORNING + 5 * HOUR - timedelta(milliseconds=1)) == 1
    assert decided(world, "shp_late") == [("opinion", "send", None)]
    assert decided(world, "shp_too-late") == []


@pytest.mark.parametrize(("kind", "store_id"), [("passer_by", PORT), ("visit", "church"), ("visit", "gone")])
def test_only_counted_visits_to_stores_of_the_campaign_are_followed(
    following: tuple[World, FollowUps], kind: str, store_id: str
) -> None:
    world, follow_ups = following
    world.visited(world.shopper("ann"), store_id, MORNING, kind=kind)
    assert follow_ups.run(MORNING + 2 * HOUR) == 0


def test_at_night_the_offer_waits_for_the_law_or_is_dropped(following: tuple[World, FollowUps]) -> None:
    world, follow_ups = following
    monday_evening = datetime(2026, 11, 9, 19, 0, tzinfo=UTC)
    for name, end in (("ann", monday_evening - 2 * HOUR), ("bea", monday_evening - 8 * DAY)):
        redeemed(world, world.shopper(name), end - 7 * DAY + 2 * HOUR)
    world.visited("shp_ann", PORT, monday_evening - 2 * HOUR)
    assert follow_ups.run(monday_evening) == 2
    reasons = {offer: reason for offer, _, reason in decided(world, "shp_ann")}
    assert reasons == {"opinion": "send_law", "again": None}
    (message,) = world.messages_of("shp_ann")
    opening = datetime(2026, 11, 10, 7, 30, tzinfo=UTC)
    assert opening <= message.not_before < opening + SPREAD


def test_a_redemption_is_followed_once_by_an_experiment_of_its_own(
    following: tuple[World, FollowUps],
) -> None:
    world, follow_ups = following
    ann = world.shopper("ann")
    redeemed(world, ann, MORNING - 7 * DAY)
    redeemed(world, ann, MORNING - 7 * DAY, campaign_id="other")
    assert [follow_ups.run(MORNING), follow_ups.run(MORNING + HOUR)] == [1, 0]
    assert decided(world, ann) == [("again", "send", None)]
    assert world.rows("SELECT experiment FROM assignments") == [("thanks/again",)]


def test_a_redemption_taken_back_is_not_followed(following: tuple[World, FollowUps]) -> None:
    world, follow_ups = following
    redeemed(world, world.shopper("ann"), MORNING - 7 * DAY)
    ((redemption_id,),) = world.rows("SELECT id FROM redemptions")
    world.database.write(lambda records: records.coupons.void_redemption(redemption_id, at=MORNING))
    assert follow_ups.run(MORNING) == 0


def test_told_to_stop_it_leaves_the_rest_to_the_next_run(following: tuple[World, FollowUps]) -> None:
    world, follow_ups = following
    world.visited(world.shopper("ann"), PORT, MORNING)
    follow_ups.stop()
    assert follow_ups.run(MORNING + 2 * HOUR) == 0
    assert decided(world, "shp_ann") == []
