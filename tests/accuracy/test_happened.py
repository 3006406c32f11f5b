"""Counted visits beside real ones: which are right, what becomes of the others, and who was really where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from accuracy.happened import Happened
from accuracy.simulated_days import Aside, Lived
from beacons.sim.route import Kind
from beacons.sim.truth import MeasuredVisit, TrueVisit, Truth
from beacons.sim.walker import Shopper
from m2s.entry.cli.scenario_file import load_scenario

SCENARIO = replace(load_scenario("high_street"), days=2)
SHOP, NEXT = list(SCENARIO.world.shops)[:2]
START = SCENARIO.midnight()


def at(minute: float) -> datetime:
    return START + timedelta(hours=10, minutes=minute)


def real(since: float, until: float, store_id: str = SHOP) -> TrueVisit:
    return TrueVisit(0, "buyer", store_id, at(since), at(until), 300, True, Kind.BUYER)


def told(since: float, until: float, store_id: str = SHOP, device_id: str = "buyer") -> MeasuredVisit:
    return MeasuredVisit(device_id, store_id, at(since), at(until))


def happened(
    visits: Sequence[TrueVisit] = (),
    counted: Sequence[MeasuredVisit] = (),
    *,
    passers_by: Sequence[MeasuredVisit] = (),
    aside: Sequence[Aside] = (),
) -> Happened:
    kinds = (Kind.BUYER, Kind.PASSER_BY, Kind.STAFF, Kind.RESIDENT)
    people = {kind.value: Shopper(SCENARIO.world, 7, place, kind, 0) for place, kind in enumerate(kinds)}
    truth = Truth(START, timedelta(minutes=1), {}, people=people, visits=list(visits))
    return Happened(Lived(SCENARIO, truth, counted, passers_by, aside, sightings=0, rejected=0))


def test_a_real_visit_makes_one_counted_visit_right() -> None:
    visit, short, long = real(0, 20), told(0, 5), told(8, 22)
    found = happened([visit], [short, long])
    assert (found.visit_of(long), found.claim_of(visit)) == (visit, long)
    assert found.visit_of(short) is None
    assert found.whose(short) == "counted twice"


def test_who_was_next_door_is_told_from_who_was_nowhere() -> None:
    beside, later = told(0, 20, NEXT), told(60, 80)
    found = happened([real(0, 20)], [beside, later, told(0, 20, NEXT, "passer_by")])
    assert [found.whose(claim) for claim in found.counted] == ["next door", "buyer", "passer_by"]
    assert found.visit_during(beside) == real(0, 20)
    assert found.visit_during(later) is None


@pytest.mark.parametrize(
    ("counted", "is_told"),
    [
        ([told(5, 20, NEXT)], True),
        ([told(0, 5), told(8, 20)], False),
        ([told(20, 30, NEXT)], False),
        ([told(5, 20, NEXT, "passer_by")], False),
        ([told(15, 40, NEXT)], False),
    ],
)
def test_a_visit_is_told_of_another_store_by_what_is_right_nowhere(
    counted: list[MeasuredVisit], is_told: bool
) -> None:
    """From minute 30 on she really is next door."""
    found = happened([real(0, 20), real(30, 40, NEXT)], counted)
    assert found.is_told_of_another(real(0, 20)) is is_told


def test_touching_is_not_overlapping() -> None:
    assert happened([real(0, 20)], [told(20, 30)]).claim_of(real(0, 20)) is None


@pytest.mark.parametrize(
    ("stays", "reason"),
    [
        ({}, "no stay"),
        ({"passers_by": [told(3, 5)]}, "too short"),
        ({"passers_by": [told(3, 5)], "aside": [Aside(told(3, 9), "ambiguous")]}, "ambiguous"),
        ({"aside": [Aside(told(3, 9, NEXT), "ambiguous"), Aside(told(30, 40), "closed")]}, "no stay"),
    ],
)
def test_why_a_visit_is_not_counted(stays: dict[str, list[MeasuredVisit]], reason: str) -> None:
    assert happened([real(0, 20)], **stays).why_not(real(0, 20)) == reason


def test_days_are_those_of_the_stores() -> None:
    next_day = MeasuredVisit("buyer", SHOP, START + timedelta(hours=24.5), START + timedelta(hours=25))
    found = happened([real(0, 9)], [told(0, 9), next_day])
    assert [found.counted_on(SHOP, day) for day in range(2)] == [1, 1]
    assert [found.real_on(SHOP, day) for day in range(2)] == [1, 0]
    assert found.stores_counted("buyer", 1) == {SHOP}


def test_passed_is_what_the_way_leads_through() -> None:
    plan = Shopper(SCENARIO.world, 7, 0, Kind.BUYER, 0).plan(0)
    crossed = {
        shop.id
        for shop in SCENARIO.world.shops.values()
        for second in range(int(plan.start_s), int(plan.end_s))
        if shop.covers(plan.at(second)[0], "premises")
    }
    assert {stop.store_id for stop in plan.stops} <= crossed < set(SCENARIO.world.shops)
    assert happened().stores_passed("buyer", 0) == crossed


def test_the_post_is_where_one_works_and_where_one_lives() -> None:
    found = happened()
    assert found.post("staff", 0) == found.post("staff", 1)
    assert found.post("resident", 0) == found.post("resident", 1)
    assert found.post("passer_by", 0) is None
