"""A scenario is the same each time, loses no visit and no sighting, and dates what it sends truly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from beacons.sim.client import Watch
from beacons.sim.fleet import Faults
from beacons.sim.habits import Habits
from beacons.sim.radio import Radio
from beacons.sim.recorder import Recorder
from beacons.sim.scenario import Scenario
from beacons.sim.simulation import Crowd, Simulation
from beacons.sim.town import TIMEZONE, town
from beacons.sim.truth import told
from beacons.sim.world import Point

TOWN = town("bakery_chain", 6)
CROWD = Crowd(buyers=6, passers_by=8, drivers=2, staff=1, queue=3, residents=2, mall_neighbours=2)
SMALL = Scenario(
    id="small",
    seed=7,
    first_day=date(2026, 11, 2),
    days=1,
    timezone=TIMEZONE,
    world=TOWN.world,
    stores=TOWN.stores,
    crowd=CROWD,
    habits=Habits(regions_planned=True),
    radio=Radio(earshot_m=60.0),
    faults=Faults(dead=1),
)
Line = dict[str, Any]


def run(scenario: Scenario, **options: Any) -> tuple[list[Line], Simulation]:
    """Everything that a scenario sends, and the simulation that sent it."""
    lines: list[Line] = []
    recorder = Recorder(scenario.world, lines.append, now=scenario.midnight())
    simulation = scenario.simulation(recorder, **options)
    simulation.register()
    for now in simulation.instants():
        recorder.now = now
        simulation.step(now)
    return lines, simulation


def test_the_same_seed_gives_the_same_lines_and_another_seed_others() -> None:
    def written(seed: int) -> str:
        lines, simulation = run(replace(SMALL, seed=seed))
        return json.dumps([*lines, *told(simulation.truth, simulation.faults)])

    assert written(7) == written(7) != written(8)


def test_requests_are_written_in_their_order_with_the_ages_of_their_sightings() -> None:
    lines, _ = run(replace(SMALL, habits=replace(SMALL.habits, tells_age=1.0)))
    received = [datetime.fromisoformat(line["received_at"]) for line in lines]
    assert received == sorted(received)
    start = SMALL.midnight()
    for at, line in zip(received, lines, strict=True):
        for item in line["sightings"]:
            happened = at - timedelta(milliseconds=item["age_ms"])
            assert start - timedelta(hours=1) <= happened <= at


def test_no_phone_keeps_anything_back_and_no_visit_is_forgotten_however_late_all_is_sent() -> None:
    late = replace(SMALL.habits, offline_share=0.8, offline_s=(50_000.0, 100_000.0))
    scenario = replace(SMALL, days=3, habits=late)
    lines, simulation = run(scenario)
    numbers: dict[str, set[int]] = {}
    for line in lines:
        numbers.setdefault(line["device_id"], set()).update(
            int(item["id"].split("-")[1]) for item in line["sightings"]
        )
    assert len(numbers) == len(CROWD.kinds())
    assert all(found == set(range(1, max(found) + 1)) for found in numbers.values())
    visits = Counter((visit.shopper, visit.store_id, visit.start) for visit in simulation.truth.visits)
    planned = {
        (index, stop.store_id, scenario.midnight() + timedelta(seconds=stop.arrive_s))
        for index, shopper in enumerate(simulation.truth.people.values())
        for day in range(3)
        for stop in shopper.plan(day).stops
    }
    assert set(visits) == planned
    assert set(visits.values()) == {1}


def test_what_would_run_is_counted_as_it_runs() -> None:
    scenario = replace(SMALL, days=2)
    counted = scenario.counted()
    _, simulation = run(scenario)
    assert counted["people"] == Counter(shopper.kind for shopper in simulation.truth.people.values())
    assert counted["person_days"] == 2 * len(simulation.truth.people) == 48
    assert counted["planned_visits"] == len(simulation.truth.visits)
    assert (counted["stores"], counted["beacons"], counted["faults"]) == (6, 4, {"dead": 1})
    platforms = Counter(phone.traits.platform for phone in simulation.phones)
    assert {name: counted["phones"][name] for name in platforms} == platforms


def test_the_truth_names_people_visits_and_faults() -> None:
    _, simulation = run(SMALL)
    lines = list(told(simulation.truth, simulation.faults))
    assert Counter(line["truth"] for line in lines) == {
        "person": len(CROWD.kinds()),
        "visit": len(simulation.truth.visits),
        "beacon": 1,
    }
    who = {line["device_id"]: line["who"] for line in lines if line["truth"] == "person"}
    for line in lines:
        if line["truth"] == "visit":
            assert line["who"] == who[line["device_id"]]
            assert line["who"] in ("buyer", "queue", "mall_neighbour")
            assert str(line["start"]) < str(line["end"])


def test_ages_count_from_when_a_request_leaves_by_the_clock_of_the_service() -> None:
    habits = replace(SMALL.habits, tells_age=1.0, wrong_clock=0.0)
    lag = timedelta(hours=5)

    def ages(sending: Callable[[Recorder], Callable[[], datetime] | None]) -> list[int]:
        lines: list[Line] = []
        recorder = Recorder(SMALL.world, lines.append, now=SMALL.midnight())
        simulation = replace(SMALL, habits=habits).simulation(recorder, sending=sending(recorder))
        simulation.register()
        for now in simulation.instants():
            recorder.now = now
            simulation.step(now)
        return [item["age_ms"] for line in lines for item in line["sightings"]]

    true = ages(lambda _: None)
    assert ages(lambda recorder: lambda: recorder.now + lag) == [age + 5 * 3_600_000 for age in true]


@pytest.mark.parametrize(("holds_m", "more"), [(100.0, True), (50_000.0, False)])
def test_phones_ask_again_for_regions_where_the_plan_holds_no_longer(holds_m: float, more: bool) -> None:
    asked: list[str] = []

    class Planning(Recorder):
        def watch(self, token: str, where: tuple[float, float], *, at: Point, platform: str) -> Watch:
            asked.append(token)
            return replace(super().watch(token, where, at=at, platform=platform), holds_m=holds_m)

    recorder = Planning(SMALL.world, lambda _: None, now=SMALL.midnight())
    simulation = SMALL.simulation(recorder)
    simulation.register()
    for now in simulation.instants():
        simulation.step(now)
    assert (len(asked) > 2 * len(CROWD.kinds())) is more


@pytest.mark.parametrize(("platform", "most"), [("ios", 20), ("android", 100)])
def test_without_a_service_a_phone_watches_the_nearest_regions_that_its_system_allows(
    platform: str, most: int
) -> None:
    world = town("mall", 60).world
    recorder = Recorder(world, lambda _: None, now=SMALL.midnight())
    shops = list(world.shops.values())
    watch = recorder.watch("phone-1", (0.0, 0.0), at=shops[0].at, platform=platform)
    assert len(watch.circles) + len(watch.beacons) == most
    # The premises are a box of 16 m by 20 m, in the smallest circle that a phone notices in time.
    radii_m = {
        zone_id: watch.circles[f"{shops[0].id}/{zone_id}"].radius_m for zone_id in ("premises", "vicinity")
    }
    assert radii_m == {"premises": 100.0, "vicinity": 150.0}
    assert (shops[0].beacons[0].uuid, shops[0].beacons[0].major) in watch.beacons
