"""What is told late corrects visits and never sends: not by itself, and not by what comes fresh after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from m2s.app.sighting import Sighting
from tests.app.town import HARBOUR, ROCK, SPOTS, Town, campaign, fence, fix, heard, open_town, research

OFFERS = campaign(
    "c",
    "close: {near: vicinity}",
    "in: {enter: premises}",
    "stays: {dwell: {zone: premises, for: 1m}}",
    "out: {exit: premises}",
    "leaves: {exit: vicinity}",
    "through: {crossing: premises}",
    "till: {beacon: {place: till, proximity: near, for: 1s}}",
    "answer: {research: {topics: [availability], within: 3d}}",
)
LATE_S = (2 * 3_600, 71 * 3_600)
"""Ages farther back than any stay goes on without a word."""
HOURS = 3_600


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path, pressure=["10000 per 1d"])
    found.furnish(OFFERS)
    yield found
    found.engine.stop()


def came_up(town: Town, name: str) -> Counter[tuple[str, str]]:
    """What was decided for a shopper of what is fresh, whatever the outcome: how often each offer of each store."""
    return Counter(
        (row.offer_id, row.store_id)
        for row in town.decisions()
        if row.shopper_id == f"shp_{name}" and row.reason != "fresh"
    )


def messages(town: Town, name: str) -> int:
    """How many messages a shopper was sent."""
    return int(town.rows(f"SELECT count(*) FROM messages WHERE shopper_id = 'shp_{name}'")[0][0])  # noqa: S608


@pytest.mark.parametrize("age_s", [40 * 60, 2 * HOURS, 55 * HOURS])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "last", [fix("last", "away"), fix("last", "left"), fix("last", "neutral"), fence("last", "exit")]
)
def test_a_stay_that_is_told_late_is_not_left_now(
    town: Town, age_s: int, together: bool, last: Sighting
) -> None:
    ann, bob = town.device("ann"), town.device("bob")
    late = [fix("first", age_s=age_s + 300), fix("second", age_s=age_s)]
    if together:
        town.post(ann, *late, last)
    else:
        town.post(ann, *late)
        town.post(ann, last)
    town.post(bob, last)
    assert came_up(town, "ann") == came_up(town, "bob")
    assert messages(town, "ann") <= messages(town, "bob")


def test_a_stay_that_is_told_in_time_is_left_now(town: Town) -> None:
    ann = town.device("ann")
    town.post(ann, fix("first"))
    town.wait(minutes=5)
    town.post(ann, fix("last", "away"))
    assert came_up(town, "ann")["out", HARBOUR] == 1
    assert messages(town, "ann") == 2


@pytest.mark.parametrize("age_s", [40 * 60, 2 * HOURS, 70 * HOURS])
@pytest.mark.parametrize("spot", ["vicinity", "inside"])
def test_who_was_near_long_ago_looks_nothing_up_there(town: Town, age_s: int, spot: str) -> None:
    ann, bob = town.device("ann"), town.device("bob")
    town.post(ann, fix("late", spot, age_s=age_s))
    research(town, ann, "availability")
    assert came_up(town, "ann") == Counter()
    assert messages(town, "ann") == 0
    assert town.inside("ann") == frozenset()
    town.post(bob, fix("now", spot))
    research(town, bob, "availability")
    assert came_up(town, "bob")["answer", HARBOUR] == 1


def test_whatever_is_told_late_adds_no_message_to_what_is_told_now(town: Town) -> None:
    rng, seen = Random(5), Counter[str]()
    for run in range(150):
        names = f"late{run}", f"now{run}"
        late, now = (town.device(name) for name in names)
        ages_s = sorted(rng.uniform(*LATE_S) for _ in range(rng.randrange(1, 6)))
        old = [_something(rng, f"old{n}", age_s) for n, age_s in enumerate(ages_s)]
        fresh = [_something(rng, f"new{n}", 140.0 - 60 * n) for n in range(rng.randrange(1, 4))]
        rng.shuffle(old)
        if rng.random() < 0.5:
            town.post(late, *old, *fresh)
        else:
            town.post(late, *old)
            town.post(late, *fresh)
        town.post(now, *fresh)
        if rng.random() < 0.5:
            for device in (late, now):
                research(town, device, "availability")
        mine, theirs = (came_up(town, name) for name in names)
        assert mine == theirs, (run, mine - theirs, theirs - mine)
        assert messages(town, names[0]) <= messages(town, names[1]), run
        seen.update(offer for offer, _ in theirs)
        town.wait(seconds=rng.choice((1, 40)))
    assert len(seen) == OFFERS.count("- offer:"), seen


def _left(offers: Counter[str]) -> int:
    return offers["out"] + offers["leaves"]


def _something(rng: Random, name: str, age_s: float) -> Sighting:
    shop = rng.choice((HARBOUR, HARBOUR, ROCK))
    kind = rng.random()
    if kind < 0.7:
        return fix(name, rng.choice(list(SPOTS)), shop=shop, age_s=age_s)
    if kind < 0.85:
        zone = rng.choice(("premises", "vicinity"))
        return fence(name, rng.choice(("enter", "exit", "dwell")), shop=shop, zone=zone, age_s=age_s)
    return heard(name, shop=shop, age_s=age_s)
