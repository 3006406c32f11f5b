"""When is somebody inside, and does each trigger fire once for each time she comes?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.town import HARBOUR, ROCK, Town, campaign, fence, fix, heard, open_town

OFFERS = campaign(
    "c",
    "near: {near: vicinity}",
    "enter: {enter: premises}",
    "stay: {dwell: {zone: premises, for: 6m}}",
    "till: {beacon: {place: till, proximity: near, for: 20s}}",
    "gone: {exit: premises}",
)


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Town]:
    """A town whose offers nothing holds back, so that each one that fires is a send or loses to another."""
    found = open_town(tmp_path, pressure=["1000 per 1d"])
    found.furnish(OFFERS)
    yield found
    found.engine.stop()


def fired(town: Town, offer_id: str) -> list[str]:
    """The shops at which an offer came up, in the order of the decisions."""
    return [row.store_id for row in town.decisions(offer_id)]


def test_near_fires_once_until_she_left(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    for name, spot in (("s0", "vicinity"), ("s1", "vicinity"), ("s2", "near"), ("s3", "near")):
        town.post(device, fix(name, spot))
        town.wait(minutes=1)
    assert fired(town, "near") == [HARBOUR]
    town.wait(minutes=15)
    town.post(device, fix("s4", "vicinity"))
    assert fired(town, "near") == [HARBOUR, HARBOUR]


@pytest.mark.parametrize("outside", ["left", "near"])
def test_a_phone_that_flutters_at_the_edge_fires_once(open_house: Town, outside: str) -> None:
    town, device = open_house, open_house.device("ann")
    for minute in range(12):
        town.post(device, fix(f"s{minute}", "inside" if minute % 2 == 0 else outside))
        town.wait(minutes=2)
    assert {offer_id: fired(town, offer_id) for offer_id in ("near", "enter", "stay", "gone")} == {
        "near": [HARBOUR, ROCK],
        "enter": [HARBOUR],
        "stay": [HARBOUR],
        "gone": [HARBOUR],
    }


def test_exit_fires_when_a_fix_or_a_fence_shows_her_outside_and_not_by_silence(open_house: Town) -> None:
    town = open_house
    devices = {name: town.device(name) for name in ("fix", "far", "fence", "silent")}
    for name, device in devices.items():
        town.post(device, fix(f"{name}-in"))
    town.wait(minutes=3)
    for name, item in (
        ("fix", fix("f1", "left")),
        ("far", fix("f2", "near")),
        ("fence", fence("f3", "exit")),
    ):
        town.post(devices[name], item)
    town.wait(minutes=30)
    assert [row.shopper_id for row in town.decisions("gone")] == ["shp_fix", "shp_far", "shp_fence"]


def test_enter_fires_once_until_she_left(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    for name, spot in (
        ("s0", "vicinity"),
        ("s1", "inside"),
        ("s2", "inside"),
        ("s3", "left"),
        ("s4", "left"),
    ):
        town.post(device, fix(name, spot))
        town.wait(minutes=1)
    assert fired(town, "enter") == [HARBOUR]
    town.wait(minutes=15)
    town.post(device, fix("s5", "inside"))
    assert fired(town, "enter") == [HARBOUR, HARBOUR]


def test_a_fence_event_fires_like_a_fix(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    for n, how in enumerate(("enter", "dwell", "exit", "enter")):
        town.post(device, fence(f"p{n}", how), fence(f"v{n}", how, zone="vicinity"))
        town.wait(minutes=15 if how == "exit" else 1)
    assert fired(town, "enter") == [HARBOUR, HARBOUR]
    assert fired(town, "near") == [HARBOUR, HARBOUR]


def test_dwell_fires_once_when_she_has_stayed_long_enough(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    when = []
    for minute in range(15):
        town.post(device, fix(f"s{minute}"))
        when.append(len(fired(town, "stay")))
        town.wait(minutes=1)
    assert when == [0] * 6 + [1] * 9
    town.post(device, fix("gone", "left"))
    town.wait(minutes=15)
    for minute in range(8):
        town.wait(minutes=1)
        town.post(device, fix(f"t{minute}"))
    assert fired(town, "stay") == [HARBOUR, HARBOUR]


def test_a_beacon_fires_once_over_bursts_five_minutes_apart(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    when = []
    for burst in range(4):
        town.post(device, heard(f"b{burst}"))
        when.append(len(fired(town, "till")))
        for _ in range(10):
            town.wait(seconds=30)
    assert when == [0, 1, 1, 1]
    town.wait(minutes=2)
    town.post(device, heard("b8"))
    town.wait(minutes=1)
    town.post(device, heard("b9"))
    assert fired(town, "till") == [HARBOUR, HARBOUR]


def test_one_batch_moves_her_in_order_of_time(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    went = [("vicinity", 3000), ("near", 2940), ("near", 1000), ("vicinity", 60), ("vicinity", 0)]
    items = [fix(f"s{age_s}", spot, age_s=age_s) for spot, age_s in went]
    town.post(device, *reversed(items))
    assert fired(town, "near") == [HARBOUR, HARBOUR]
    town.wait(minutes=20)
    town.post(device, fix("last", "near", age_s=1100), fix("back", "vicinity"))
    assert fired(town, "near") == [HARBOUR, HARBOUR, HARBOUR]


def test_who_is_in_the_shop_already_is_not_called_to_it(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0"))
    assert {(row.offer_id, row.store_id, row.outcome, row.reason) for row in town.decisions()} == {
        ("near", HARBOUR, "suppressed", "not_inside"),
        ("near", ROCK, "suppressed", "arbitration"),
        ("enter", HARBOUR, "send", None),
    }


def test_coming_in_shows_and_a_fix_far_from_all_zones_ends_it(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0"))
    assert town.inside("ann") == {HARBOUR}
    town.wait(minutes=1)
    town.post(device, fix("s1", "near"))
    assert town.inside("ann") == frozenset()
    town.wait(minutes=15)
    assert town.count("presence") == 0


@pytest.mark.parametrize("more", [{"mocked": True}, {"accuracy_m": 90.0}, {"age_ms": 120_000}])
def test_a_far_fix_that_is_fake_vague_or_old_ends_nothing(open_house: Town, more: dict[str, Any]) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0"))
    town.wait(minutes=1)
    assert town.post(device, fix("s1", "near", **more)).accepted == 1
    assert town.inside("ann") == {HARBOUR}


def test_a_fix_far_from_all_zones_never_changes_a_visit(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0", age_s=500), fix("s1", age_s=100))
    before = town.visits()
    town.post(device, fix("s2", "near", age_s=300), fix("s3", "near"))
    assert town.visits() == before


def test_silence_ends_presence_by_the_job(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0"), heard("b0"))
    assert town.count("presence") > 0
    town.wait(minutes=10)
    assert town.inside("ann") == {HARBOUR}
    town.wait(seconds=30)
    assert town.inside("ann") == frozenset()
    assert town.count("presence") == 0
    town.post(device, fix("s1"))
    assert fired(town, "enter") == [HARBOUR, HARBOUR]


def test_a_restart_keeps_presence(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("s0"), heard("b0"))
    town.restart()
    assert town.inside("ann") == {HARBOUR}
    town.wait(minutes=5)
    town.post(device, fix("s1"), heard("b1"))
    town.wait(minutes=2)
    town.post(device, fix("s2"))
    for offer_id in ("enter", "stay", "till"):
        assert fired(town, offer_id) == [HARBOUR], offer_id
    town.restart()
    town.post(device, fix("s3", "near"))
    assert town.inside("ann") == frozenset()


def test_late_and_mocked_evidence_moves_no_presence(open_house: Town) -> None:
    town, device = open_house, open_house.device("ann")
    town.post(device, fix("fake", mocked=True))
    town.post(device, fix("s0", "left"))
    town.post(device, fix("late", age_s=60))
    assert town.inside("ann") == frozenset()
    assert fired(town, "enter") == []
    assert [row.dwell_s for row in town.visits()] == [0]


def test_shoppers_and_shops_are_apart(open_house: Town) -> None:
    town = open_house
    ann, bob = town.device("ann"), town.device("bob")
    town.post(ann, fix("s0"))
    town.post(bob, fix("s0", shop=ROCK))
    assert [town.inside("ann"), town.inside("bob")] == [{HARBOUR}, {ROCK}]
    assert sorted((row.shopper_id, row.store_id) for row in town.decisions("enter")) == [
        ("shp_ann", HARBOUR),
        ("shp_bob", ROCK),
    ]


def test_the_phones_of_one_shopper_share_her_presence(open_house: Town) -> None:
    town = open_house
    phone, watch = town.device("phone", of="ann"), town.device("watch", of="ann")
    town.post(phone, fix("s0"))
    town.clock.advance(timedelta(minutes=1))
    town.post(watch, fix("s0"))
    assert fired(town, "enter") == [HARBOUR]
