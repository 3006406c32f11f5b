"""People walk at human speeds, shop when shops are open, and lose nothing by a message."""

import math
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacons.sim.route import Kind
from beacons.sim.town import town
from beacons.sim.walker import Shopper
from beacons.sim.world import World

MONDAY = 0


def crowd(city: World, kind: Kind, *, seed: int = 7, many: int = 60) -> list[Shopper]:
    return [Shopper(city, seed, index, kind, MONDAY) for index in range(many)]


@pytest.mark.parametrize(("kind", "top_mps"), [(kind, 14.0 if kind is Kind.DRIVER else 1.5) for kind in Kind])
def test_nobody_jumps(city: World, kind: Kind, top_mps: float) -> None:
    for shopper in crowd(city, kind):
        plan = shopper.plan(0)
        for (t0, p0), (t1, p1) in pairwise(plan.knots):
            assert t1 > t0
            assert math.dist(p0, p1) / (t1 - t0) <= top_mps + 0.01


@pytest.mark.parametrize("kind", [Kind.BUYER, Kind.PASSER_BY, Kind.STAFF])
def test_walkers_come_from_and_head_for_real_places_of_the_city(city: World, kind: Kind) -> None:
    for shopper in crowd(city, kind):
        knots = shopper.plan(0).knots
        assert {knots[0][1], knots[-1][1]} <= set(city.places)


def test_passers_by_are_many_where_the_city_has_many_places(city: World) -> None:
    def within_150_m(of: tuple[float, float], points: Iterable[tuple[float, float]]) -> int:
        return sum(math.dist(of, point) < 150 for point in points)

    starts = [shopper.plan(0).knots[0][1] for shopper in crowd(city, Kind.PASSER_BY, many=300)]
    by_places = sorted(city.shops.values(), key=lambda shop: within_150_m(shop.at, city.places))
    quiet, busy = by_places[:5], by_places[-5:]
    passing = [sum(within_150_m(shop.at, starts) for shop in some) for some in (quiet, busy)]
    assert passing[1] > 3 * passing[0]


def test_buyers_visit_one_to_three_open_shops_for_8_to_30_minutes(city: World) -> None:
    for shopper in crowd(city, Kind.BUYER):
        stops = shopper.plan(0).stops
        assert 1 <= len(stops) <= 3
        for stop in stops:
            assert 480 <= stop.leave_s - stop.arrive_s <= 1800.001
            shop = city.shops[stop.store_id]
            assert shop.is_open(MONDAY, stop.arrive_s, stop.leave_s)
            midway, _ = shopper.plan(0).at((stop.arrive_s + stop.leave_s) / 2)
            assert shop.covers(midway, "premises")


def test_passers_by_and_drivers_stay_under_two_minutes_in_any_premises_at_a_time(city: World) -> None:
    for shopper in (*crowd(city, Kind.PASSER_BY), *crowd(city, Kind.DRIVER)):
        plan = shopper.plan(0)
        assert plan.stops == ()
        for shop in city.shops.values():
            run_s = 0.0
            second = plan.start_s
            while second < plan.end_s:
                run_s = run_s + 5 if shop.covers(plan.at(second)[0], "premises") else 0.0
                assert run_s <= 180, (shopper.index, shop.name)
                second += 5


def test_staff_work_five_to_eight_hours_and_that_is_no_visit(city: World) -> None:
    for shopper in crowd(city, Kind.STAFF):
        plan = shopper.plan(0)
        assert plan.on_duty
        assert plan.stops == ()
        longest_s = max(t1 - t0 for (t0, _), (t1, _) in pairwise(plan.knots))
        assert 5 * 3600 - 1 < longest_s < 8 * 3600 + 1


def test_who_queues_waits_outside_the_door_and_is_then_served(city: World) -> None:
    for shopper in crowd(city, Kind.QUEUE):
        plan = shopper.plan(0)
        for stop in plan.stops:
            shop = city.shops[stop.store_id]
            assert 360 < stop.leave_s - stop.arrive_s < 1300
            assert shop.is_open(MONDAY, stop.arrive_s, stop.leave_s)
            assert math.dist(plan.at(stop.arrive_s + 200)[0], shop.at) >= 2.0
            assert plan.at(stop.leave_s - 60)[0] == shop.at
    assert sum(len(shopper.plan(0).stops) for shopper in crowd(city, Kind.QUEUE)) > 50


def test_residents_are_at_home_by_a_shop_each_night_and_away_by_day(city: World) -> None:
    for shopper in crowd(city, Kind.RESIDENT, many=20):
        first, second = shopper.plan(0), shopper.plan(1)
        home = first.knots[0][1]
        assert first.knots[-1][1] == second.knots[0][1] == home
        assert min(math.dist(home, shop.at) for shop in city.shops.values()) < 80
        assert first.at(12 * 3600)[0] != home
        assert first.stops == ()
        assert not first.from_afar
        assert second.end_s < 2 * 86_400


def test_mall_neighbours_stay_behind_a_wall_and_visit_the_unit_that_is_there() -> None:
    mall = town("mall").world
    visited = 0
    for shopper in crowd(mall, Kind.MALL_NEIGHBOUR):
        plan = shopper.plan(0)
        (stands, until) = max(pairwise(plan.knots), key=lambda pair: pair[1][0] - pair[0][0])
        assert 600 <= until[0] - stands[0] <= 2400
        around = [shop for shop in mall.shops.values() if shop.covers(stands[1], "premises")]
        assert [stop.store_id for stop in plan.stops] == [shop.id for shop in around]
        visited += len(around)
    assert 10 < visited < 50


def test_buyers_in_a_department_store_walk_from_department_to_department() -> None:
    store = town("beacon_aisles").world
    for shopper in crowd(store, Kind.BUYER, many=20):
        plan = shopper.plan(0)
        for stop in plan.stops:
            shop = store.shops[stop.store_id]
            at = [
                plan.at(stop.arrive_s + second)[0]
                for second in range(0, int(stop.leave_s - stop.arrive_s), 20)
            ]
            assert all(shop.covers(point, "premises") for point in at)
            assert any(math.dist(point, spot) < 2 for point in at for spot in shop.departments)


def test_on_a_sunday_only_shops_open_on_sundays_are_visited(city: World) -> None:
    sunday = 6
    stops = [stop for shopper in crowd(city, Kind.BUYER) for stop in shopper.plan(sunday).stops]
    assert stops
    assert all(city.shops[stop.store_id].week[sunday] for stop in stops)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(city: World) -> None:
    one, same, other = (Shopper(city, seed, 3, Kind.BUYER, MONDAY) for seed in (7, 7, 8))
    assert one.plan(0) == same.plan(0)
    assert one.plan(0) != other.plan(0)
    assert one.plan(0) != one.plan(1)


@settings(max_examples=60, deadline=None)
@given(index=st.integers(0, 400), share=st.floats(0.0, 0.99), store=st.integers(0, 19))
def test_a_detour_adds_one_open_visit_and_moves_no_planned_one(
    city: World, index: int, share: float, store: int
) -> None:
    kind = Kind.BUYER if index % 2 else Kind.PASSER_BY
    shopper = Shopper(city, 7, index, kind, MONDAY)
    plan = shopper.plan(0)
    store_id = list(city.shops)[store]
    seen_s = plan.start_s + share * (plan.end_s - plan.start_s)
    changed = shopper.detour(plan, store_id, seen_s)
    if changed is None:
        return
    assert changed.stops[:-1] == plan.stops
    added = changed.stops[-1]
    assert added.store_id == store_id
    assert added.store_id not in {stop.store_id for stop in plan.stops}
    assert 480 <= added.leave_s - added.arrive_s <= 900.001
    assert city.shops[store_id].is_open(MONDAY, added.arrive_s, added.leave_s)
    assert added.arrive_s > seen_s
    for earlier in (plan.start_s, (plan.start_s + seen_s) / 2):
        assert changed.at(earlier)[0] == pytest.approx(plan.at(earlier)[0])
    assert all(t1 > t0 for (t0, _), (t1, _) in pairwise(changed.knots))
    assert changed.knots[-1][1] == plan.knots[-1][1]


def test_some_messages_can_be_followed_and_those_at_work_at_home_or_at_the_wheel_never_follow(
    city: World,
) -> None:
    followed = dict.fromkeys(Kind, 0)
    for kind in Kind:
        for shopper in crowd(city, kind):
            plan = shopper.plan(0)
            midway_s = (plan.start_s + plan.end_s) / 2
            followed[kind] += shopper.detour(plan, "node-954713831", midway_s) is not None
    assert followed[Kind.PASSER_BY] > 30
    assert followed[Kind.STAFF] == followed[Kind.DRIVER] == followed[Kind.RESIDENT] == 0


def test_a_message_seen_when_she_is_gone_changes_nothing(city: World) -> None:
    shopper = Shopper(city, 7, 0, Kind.PASSER_BY, MONDAY)
    plan = shopper.plan(0)
    assert shopper.detour(plan, "node-954713831", plan.end_s) is None
    assert shopper.detour(plan, "node-954713831", plan.start_s - 1) is None


def test_the_share_that_a_message_moves_is_the_effect_and_grows_with_it(city: World) -> None:
    people = crowd(city, Kind.PASSER_BY, many=3000)
    moved = {effect: {p.index for p in people if p.reacts("c", "s", effect)} for effect in (0.0, 0.3, 0.6)}
    assert moved[0.0] == set()
    assert len(moved[0.3]) / 3000 == pytest.approx(0.3, abs=0.03)
    assert moved[0.3] < moved[0.6]
