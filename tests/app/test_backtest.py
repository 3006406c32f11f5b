"""A backtest decides what the engine decided, and with other terms what it would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campaigns.reader import read_campaign
from m2s.app.backtest import Played
from m2s.core.base.errors import Conflict
from tests.app.town import HARBOUR, MORNING, Town, campaign, fix, heard, open_town

WARM = campaign(
    "warm",
    "come: {near: vicinity}|valid_for: 1h|limits: {per_shopper: 1 per 3d}",
    "stay: {dwell: {zone: premises, for: 6m}}|priority: 60",
    "till: {beacon: {place: till, proximity: near, for: 1s}}|priority: 70",
    "bye: {exit: premises}|priority: 10",
    'weekly: {at: "wed 11:00", audience_near: {within: 2km, seen_within: 7d}}|valid_for: 4h',
    holdout="30%",
)
SHOPPERS = 12
_Row = tuple[str, str, str, int, str | None]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = open_town(tmp_path, pressure=["2 per 1d", "3 per 7d"])
    town.furnish(WARM)
    yield town
    town.engine.stop()


def live(town: Town) -> None:
    """Two days of shoppers who come near, stay, are heard, leave, and come back."""
    for number in range(SHOPPERS):
        town.device(f"p{number}")
    town.wait(minutes=1)
    for day in range(2):
        for number in range(SHOPPERS):
            device = f"dev_p{number}"
            name = f"{day}.{number}"
            town.post(device, fix(f"{name}a", "vicinity"))
            town.wait(minutes=3)
            town.post(device, fix(f"{name}b", "inside"))
            town.wait(minutes=4)
            if number % 2:
                town.post(device, heard(f"{name}c"))
            town.wait(minutes=3)
            town.post(device, fix(f"{name}d", "inside"))
            town.wait(minutes=2)
            town.post(device, fix(f"{name}e", "left"))
            town.wait(minutes=20)
        town.wait(hours=17)
    town.wait(hours=6)


def played(town: Town, *texts: str, since: datetime = MORNING, until: datetime | None = None) -> Played:
    backtest = town.engine.backtest
    until = until or town.clock.now()
    scenario = backtest.scenario("tried", [read_campaign(text) for text in texts], since=since, until=until)
    return backtest.play(scenario, since=since, until=until)


def outcomes(found: Played) -> dict[tuple[str, str], int]:
    """By offer and outcome."""
    return {
        (str(row["offer_id"]), name): int(str(row[name]))
        for row in found.tally.offers()
        for name in ("would_send", "would_hold", "suppressed")
        if row[name]
    }


def decided(town: Town) -> dict[tuple[str, str], int]:
    names = {"send": "would_send", "ghost": "would_hold", "suppressed": "suppressed"}
    return Counter((row.offer_id, names[row.outcome]) for row in town.decisions())


def test_what_ran_is_decided_again_as_it_was(town: Town) -> None:
    live(town)
    before = {table: town.count(table) for table in ("decisions", "messages", "coupons", "spent", "presence")}
    found = played(town, WARM)
    assert outcomes(found) == decided(town)
    assert {offer for offer, _ in outcomes(found)} == {"come", "stay", "till", "bye", "weekly"}
    live_reasons = Counter(
        (row.offer_id, row.reason) for row in town.decisions() if row.outcome == "suppressed"
    )
    assert {(row["offer_id"], row["reason"]): row["count"] for row in found.tally.reasons()} == live_reasons
    assert before == {table: town.count(table) for table in before}


def test_another_version_is_decided_by_its_own_terms_and_nothing_is_written(town: Town) -> None:
    live(town)
    before = town.count("decisions")
    other_terms = WARM.replace("limits: {per_shopper: 1 per 3d}", "limits: {per_shopper: 1 per 12h}")
    other_terms = other_terms.replace("for: 6m", "for: 30m").replace("holdout: 30%", "holdout: 0%")
    found, other = played(town, WARM), played(town, other_terms)
    assert not any(offer == "stay" for offer, _ in outcomes(other))
    # Who was drawn once stays in her arm, whatever the file says then.
    assert sum(count for (_, name), count in outcomes(other).items() if name == "would_hold") > 0
    assert found.versions["warm"] != other.versions["warm"]
    assert town.count("decisions") == before


def come(town: Town, name: str, *, times: int = 1, apart: timedelta = timedelta(hours=2)) -> None:
    """A shopper comes near so many times."""
    device = town.device(name)
    for number in range(times):
        town.post(device, fix(f"{name}{number}", "vicinity"))
        town.wait(seconds=apart.total_seconds())


NEW = campaign("new", "hello: {near: vicinity}", holdout="0%")


def reasons(found: Played) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in found.tally.reasons():
        counts[str(row["reason"])] += int(str(row["count"])) if row["campaign_id"] == "new" else 0
    return {reason: count for reason, count in counts.items() if count}


def test_sends_before_the_span_weigh_on_pressure_and_those_in_it_are_the_runs_own(tmp_path: Path) -> None:
    town = open_town(tmp_path, pressure=["1 per 1d"])
    try:
        town.furnish(campaign("old", "hi: {near: vicinity}"))
        come(town, "ann", times=2)
        middle = MORNING + timedelta(hours=1)
        assert outcomes(played(town, NEW))["hello", "would_send"] == 1
        assert ("hello", "would_send") not in outcomes(played(town, NEW, since=middle))
        assert reasons(played(town, NEW, since=middle)) == {"pressure": 1}
        (saturated,) = (row for row in played(town, NEW).tally.campaigns({}) if row["campaign_id"] == "new")
        assert saturated["saturation"] == pytest.approx(0.5)
        assert (saturated["shoppers"], saturated["shoppers_reached"], saturated["most_to_one"]) == (1, 1, 1)
    finally:
        town.engine.stop()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Town]:
    """Shops without campaigns."""
    town = open_town(tmp_path)
    town.furnish()
    yield town
    town.engine.stop()


def test_a_budget_begins_untouched_and_holds_in_order_of_time(bare: Town) -> None:
    for name in ("ann", "bea", "cleo"):
        come(bare, name)
    tight = NEW.replace("offers:", "budget: {messages: 2}\noffers:")
    found = played(bare, tight)
    assert outcomes(found) == {("hello", "would_send"): 2, ("hello", "suppressed"): 1}
    assert [row["reason"] for row in found.tally.reasons()] == ["budget"]
    assert [row["hour"] for row in found.tally.hours()] == [10, 12, 14]
    assert [(row["store_id"], row["would_send"]) for row in found.tally.stores()] == [(HARBOUR, 2)]


def test_dates_outside_the_span_are_set_aside_and_those_that_touch_it_hold(town: Town) -> None:
    come(town, "ann")
    later = NEW.replace("offers:", "from: 2027-01-01\noffers:")
    found = played(town, later)
    assert outcomes(found)["hello", "would_send"] == 1
    assert "None of the days of new is in the span: its dates were set aside." in found.notes
    over = NEW.replace("offers:", "until: 2026-11-02\noffers:")
    found = played(town, over, since=MORNING - timedelta(days=2))
    assert reasons(found) == {"offer_active": 1}
    # A day ends before midnight where the store is, wherever its end is told from.
    midnight = MORNING.astimezone(ZoneInfo("Europe/Monaco")).replace(hour=0, minute=0) + timedelta(days=1)
    next_day = NEW.replace("offers:", f"from: {midnight.date()}\noffers:")
    for until in (midnight, midnight.astimezone(UTC)):
        assert outcomes(played(town, next_day, until=until))["hello", "would_send"] == 1


def test_follow_ups_come_so_long_after_the_visits_that_are_known(bare: Town) -> None:
    town = bare
    device = town.device("ann")
    for minute in range(0, 12, 3):
        town.post(device, fix(f"m{minute}", "inside"))
        town.wait(minutes=3)
    town.wait(hours=3)
    follow = campaign("new", "how: {after_visit: 2h}|valid_for: 4h")
    found = played(town, follow)
    assert outcomes(found)["how", "would_send"] == 1
    assert [row["hour"] for row in found.tally.hours() if row["campaign_id"] == "new"] == [12]
    late = MORNING + timedelta(hours=3)
    assert ("how", "would_send") not in outcomes(played(town, follow, since=late))


def test_only_one_run_at_a_time(town: Town) -> None:
    come(town, "ann")
    backtest = town.engine.backtest
    scenario = backtest.scenario("x", [], since=MORNING, until=town.clock.now())
    refused = []

    def meanwhile(_share: float) -> None:
        with pytest.raises(Conflict):
            backtest.play(scenario, since=MORNING, until=town.clock.now())
        refused.append(True)

    backtest.play(scenario, since=MORNING, until=town.clock.now(), progress=meanwhile)
    assert refused
    backtest.play(scenario, since=MORNING, until=town.clock.now())


def test_what_cannot_be_known_is_told(town: Town) -> None:
    found = played(
        town,
        campaign(
            "new", "pass: {crossing: vicinity}", "asked: {research: {topics: [availability], within: 3d}}"
        ),
    )
    told = " ".join(found.notes)
    assert "pass waits for ways between two fixes" in told
    assert "asked comes up here as a shopper comes in" in told
    assert "Who is held out of new is drawn when it is applied" in told


def test_who_is_inside_just_left_or_never_came_is_told_as_of_then(tmp_path: Path) -> None:
    town = open_town(tmp_path, pressure=["50 per 1d"])
    try:
        text = campaign(
            "new",
            "hello: {near: vicinity}",
            "first: {near: vicinity}|priority: 90|audience: {visits: {at_most: 0, within: 7d}, not_inside: false}",
            holdout="0%",
        )
        town.furnish(text)
        device = town.device("ann")
        for number, (spot, minutes) in enumerate(
            [("vicinity", 40), ("inside", 4), ("inside", 4), ("inside", 4), ("inside", 30), ("vicinity", 90)]
            * 2
        ):
            town.post(device, fix(f"f{number}", spot))
            town.wait(minutes=minutes)
        found = played(town, text)
        assert outcomes(found) == decided(town)
        assert reasons(found) == Counter(
            row.reason for row in town.decisions() if row.outcome == "suppressed"
        )
        assert {"not_inside", "audience"} <= reasons(found).keys()
        assert outcomes(found)["first", "would_send"] > 0
    finally:
        town.engine.stop()
