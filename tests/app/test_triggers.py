from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from m2s.app.sighting import Location
from tests.app.town import HARBOUR, POINTS, ROCK, Town, campaign, fix, open_town, research

OFFERS = campaign(
    "c",
    "through: {crossing: premises}",
    "answer: {research: {topics: [availability, address], within: 3d}}",
)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path, pressure=["1000 per 1d"])
    found.furnish(OFFERS)
    yield found
    found.engine.stop()


def came_up(town: Town, offer_id: str) -> list[str]:
    return [row.store_id for row in town.decisions(offer_id)]


def beside(name: str, north_m: float, *, age_s: float = 0, **more: Any) -> Location:
    """A fix so many metres north of the harbour shop, whose premises reach 60 m."""
    latitude, _ = POINTS[HARBOUR]
    return fix(name, age_s=age_s, latitude=latitude + north_m / 111_130, **more)


def test_who_passes_through_a_shop_between_two_fixes_crosses_it(town: Town) -> None:
    device = town.device("ann")
    town.post(device, beside("south", -90))
    town.wait(minutes=2)
    town.post(device, beside("north", 90))
    assert came_up(town, "through") == [HARBOUR]
    (decision,) = town.decisions("through")
    assert (decision.trigger, decision.outcome) == ("crossing", "send")


def test_both_fixes_may_come_in_one_batch_in_any_order(town: Town) -> None:
    town.post(town.device("ann"), beside("north", 90), beside("south", -90, age_s=60))
    assert came_up(town, "through") == [HARBOUR]


@pytest.mark.parametrize(
    "fixes",
    [
        pytest.param([beside("a", -90, age_s=60), beside("b", 0)], id="into it"),
        pytest.param([beside("a", -90, age_s=60), beside("b", -200)], id="away from it"),
        pytest.param([beside("a", -90, age_s=601), beside("b", 90)], id="ten minutes apart"),
        pytest.param([beside("a", -90, age_s=60, accuracy_m=90.0), beside("b", 90)], id="a poor fix"),
        pytest.param([beside("a", -90, age_s=60, mocked=True), beside("b", 90)], id="a mocked fix"),
    ],
)
def test_what_is_no_crossing(town: Town, fixes: list[Location]) -> None:
    town.post(town.device("ann"), *fixes)
    assert came_up(town, "through") == []


def test_going_to_and_fro_crosses_once_until_ten_minutes_without(town: Town) -> None:
    device = town.device("ann")
    for number in range(6):
        town.post(device, beside(f"s{number}", 90 if number % 2 else -90))
        town.wait(minutes=4)
    assert came_up(town, "through") == [HARBOUR]
    town.wait(minutes=10)
    town.post(device, beside("again", -90, age_s=60), beside("through", 90))
    assert came_up(town, "through") == [HARBOUR, HARBOUR]


def test_two_people_do_not_make_one_way(town: Town) -> None:
    town.post(town.device("ann"), beside("south", -90))
    town.post(town.device("bea"), beside("north", 90))
    assert came_up(town, "through") == []


def test_who_looked_something_up_is_answered_where_she_comes(town: Town) -> None:
    device = town.device("ann")
    research(town, device, "availability", age_s=3600)
    town.post(device, fix("s0", "vicinity"))
    assert came_up(town, "answer") == [HARBOUR]
    town.wait(minutes=30)
    town.post(device, fix("s1", "vicinity"))
    assert came_up(town, "answer") == [HARBOUR], "one question is answered once at a store"
    research(town, device, "address")
    assert came_up(town, "answer") == [HARBOUR, HARBOUR], "a new one is answered where she is"


@pytest.mark.parametrize(
    ("topic", "store_id", "age_s"),
    [
        pytest.param("product", None, 0, id="something else"),
        pytest.param("availability", ROCK, 0, id="about another store"),
        pytest.param("availability", None, 3 * 86_400 + 60, id="too long ago"),
    ],
)
def test_what_the_offer_does_not_answer_brings_nothing_up(
    town: Town, topic: str, store_id: str | None, age_s: float
) -> None:
    device = town.device("ann")
    research(town, device, topic, store_id=store_id, age_s=age_s)
    town.post(device, fix("s0", "vicinity"))
    assert came_up(town, "answer") == []


def test_who_is_nowhere_near_is_not_answered(town: Town) -> None:
    device = town.device("ann")
    town.post(device, fix("s0", "near"))
    research(town, device, "availability")
    assert came_up(town, "answer") == []
