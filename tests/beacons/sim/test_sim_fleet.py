"""Batteries die, beacons are moved and copied: what sends, from where, and when, is as the faults say."""

from __future__ import annotations

import math

import pytest

from beacons.sim.fleet import Faults, Fleet
from beacons.sim.radio import Radio
from beacons.sim.town import town
from beacons.sim.world import Point, Shop, Transmitter

MALL = town("mall").world
DAY_S = 86_400.0
HOUR_S = 3600.0


def identity(beacon: Transmitter) -> tuple[str, int, int]:
    return beacon.uuid, beacon.major, beacon.minor


def heard_at(fleet: Fleet, point: Point, at_s: float, beacon: Transmitter) -> list[Transmitter]:
    return [one for one in fleet.around(point, at_s) if identity(one) == identity(beacon)]


def home(beacon: Transmitter) -> Shop:
    return next(shop for shop in MALL.shops.values() if beacon in shop.beacons)


def test_without_faults_every_beacon_sends_from_its_shop_at_any_time() -> None:
    fleet = Fleet(MALL, Radio(earshot_m=5.0))
    assert fleet.faults == ()
    for shop in MALL.shops.values():
        assert fleet.around(shop.at, 0.0) == fleet.around(shop.at, DAY_S) == list(shop.beacons)


def test_a_dead_battery_weakens_for_half_a_day_and_then_is_silent() -> None:
    fleet = Fleet(MALL, Radio(earshot_m=5.0), faults=Faults(dead=1), length_s=2 * DAY_S)
    (fault,) = fleet.faults
    at = home(fault.beacon).at
    powers = [
        [one.measured_power_dbm for one in heard_at(fleet, at, fault.at_s + late_s, fault.beacon)]
        for late_s in (-13 * HOUR_S, -6 * HOUR_S, -1.0, 0.0, HOUR_S)
    ]
    assert powers == [[-59], [-65], [-71], [], []]


def test_a_moved_beacon_sends_from_one_place_only() -> None:
    fleet = Fleet(MALL, Radio(earshot_m=5.0), faults=Faults(moved=1), length_s=DAY_S)
    (fault,) = fleet.faults
    assert fault.store_id is not None
    before, after = home(fault.beacon), MALL.shops[fault.store_id]
    assert before is not after
    for at_s, here, gone in ((fault.at_s - 1, before, after), (fault.at_s, after, before)):
        (found,) = heard_at(fleet, here.at, at_s, fault.beacon)
        assert math.dist(found.at, here.at) < 15
        assert heard_at(fleet, gone.at, at_s, fault.beacon) == []


def test_a_cloned_beacon_sends_from_two_places() -> None:
    fleet = Fleet(MALL, Radio(earshot_m=5.0), faults=Faults(cloned=1), length_s=DAY_S)
    (fault,) = fleet.faults
    assert fault.store_id is not None
    for shop in (home(fault.beacon), MALL.shops[fault.store_id]):
        assert len(heard_at(fleet, shop.at, 10.0, fault.beacon)) == 1


def test_the_same_seed_breaks_the_same_beacons_and_as_many_as_asked() -> None:
    asked = Faults(dead=2, moved=3, cloned=1)
    one, same, other = (Fleet(MALL, faults=asked, seed=seed).faults for seed in (1, 1, 2))
    assert one == same != other
    assert [fault.kind for fault in one] == ["dead"] * 2 + ["moved"] * 3 + ["cloned"]
    assert len({identity(fault.beacon) for fault in one}) == 6


@pytest.mark.parametrize(
    ("listener", "walls"),
    [((0.0, 0.0), 0), ((16.0, 0.0), 1), ((32.0, 0.0), 2), ((0.0, 30.0), 2), ((0.0, 13.0), 1)],
    ids=["same unit", "next door", "two doors away", "across the aisle", "in the aisle"],
)
def test_walls_between_are_counted_and_a_shared_one_once(listener: Point, walls: int) -> None:
    first = next(iter(MALL.shops.values()))
    beacon = Transmitter("u", 1, 1, -59, "middle", first.at)
    fleet = Fleet(MALL, Radio(wall_loss_db=5.0))
    assert fleet.walls(beacon, (first.at[0] + listener[0], first.at[1] + listener[1])) == walls
    assert Fleet(MALL).walls(beacon, listener) == 0
