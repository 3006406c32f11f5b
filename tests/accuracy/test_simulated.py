"""The figures on a few simulated days through the real engine, with floors that only what is broken falls below."""

from __future__ import annotations

import pytest

from accuracy.aimed import Aimed
from accuracy.happened import Happened
from accuracy.simulated import SCENARIOS, judged, shipped_days
from accuracy.simulated_days import all_lived, lived
from beacons.sim.simulation import Crowd
from m2s.entry.cli.scenario_file import load_scenario, shipped
from tests.changed import replace

CROWD = Crowd(buyers=12, passers_by=12, drivers=4, staff=2, queue=2, residents=2)


@pytest.fixture(scope="module")
def rows() -> dict[str, Aimed]:
    scenario = replace(load_scenario("high_street"), days=2, crowd=CROWD)
    return {row.name: row for row in judged([Happened(lived(scenario))], seed=1) if isinstance(row, Aimed)}


def test_both_kinds_of_stores_have_all_figures_of_a_street(rows: dict[str, Aimed]) -> None:
    figures = ("precision", "recall", "dwell", "passers-by", "staff and residents", "daily total")
    assert set(rows) == {f"{name}, {kind}" for name in figures for kind in ("beacons", "positions only")}
    assert all(row.n >= row.groups > 0 for row in rows.values())


@pytest.mark.parametrize("kind", ["beacons", "positions only"])
def test_most_visits_are_found_and_most_that_are_counted_are_real(rows: dict[str, Aimed], kind: str) -> None:
    assert rows[f"precision, {kind}"].ours.value > 0.6
    assert rows[f"recall, {kind}"].ours.value > 0.6
    assert rows[f"dwell, {kind}"].ours.value < 300
    assert rows[f"passers-by, {kind}"].ours.value < 0.2


def test_all_scenarios_that_ship_are_scored() -> None:
    assert sorted(SCENARIOS) == sorted(shipped())


def test_the_size_is_at_least_what_was_asked_for() -> None:
    made = shipped_days(20_000)
    assert [one.id for one in made] == list(SCENARIOS)
    assert 20_000 <= sum(one.days * len(one.crowd.kinds()) for one in made) < 21_000


def test_processes_beside_each_other_find_what_one_finds_and_in_the_order_asked_for() -> None:
    small, large = (
        replace(load_scenario(name), days=1, crowd=Crowd(buyers, passers_by=0, drivers=0, staff=0))
        for name, buyers in (("beacon_aisles", 2), ("high_street", 4))
    )
    found = all_lived([small, large])
    assert [one.scenario.id for one in found] == ["beacon_aisles", "high_street"]
    assert found[0].counted
    again = lived(small)
    assert (found[0].visits, found[0].counted, found[0].aside) == (again.visits, again.counted, again.aside)
