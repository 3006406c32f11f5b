"""Are staff and residents found by the service, left out of every figure, and found the same by a rebuild?"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

from m2s.adapters.storage.engine import driver
from m2s.app.measure import Span
from m2s.app.rebuild import rebuild_visits
from tests.app.test_measure import DAY, MONDAY, History, experiment, lift_of
from tests.app.town import HARBOUR, ROCK, Town, campaign, fence, fix

HOUR_S = 3_600


def regulars(town: Town) -> list[tuple[Any, ...]]:
    return town.rows("SELECT shopper_id, store_id, reason, since, until FROM regulars ORDER BY 1, 2, 3, 4")


def told(town: Town) -> list[tuple[str, ...]]:
    return [row[:3] for row in regulars(town)]


def spends(
    town: Town, device: str, name: str, *, hours: float, age_h: float = 0.0, shop: str = HARBOUR
) -> None:
    """So many hours at a shop, until so many hours ago."""
    end_s = age_h * HOUR_S
    start_s = end_s + hours * HOUR_S
    town.post(
        device,
        fence(f"{name}-in", "enter", shop=shop, age_s=start_s),
        fix(f"{name}-1", shop=shop, age_s=start_s),
        fix(f"{name}-2", shop=shop, age_s=end_s),
        fence(f"{name}-out", "exit", shop=shop, age_s=end_s),
    )


def figures(town: Town, store_id: str = HARBOUR) -> tuple[int, int, dict[str, int]]:
    (row,) = town.engine.reports.report("stores", Span(store_id=store_id)).rows
    return row["visits"], row["unique_shoppers"], row["set_aside"]


def test_staff_are_set_aside_with_the_days_before_they_were_recognised(town: Town) -> None:
    town.furnish(visit={"revisit_cooldown_s": 0})
    clerk, buyer = town.device("clerk"), town.device("buyer")
    spends(town, buyer, "b", hours=0.5)
    # Two halves, because one stay of more than two hours is no visit in any case.
    for day in range(3):
        assert figures(town) == (1 + 4 * day, 1 + bool(day), {})
        for half in range(4):
            spends(town, clerk, f"{day}-{half}", hours=1.0, age_h=5 - 1.25 * half)
        town.wait(days=1)
    assert told(town) == [("shp_clerk", HARBOUR, "staff")]
    assert figures(town) == (1, 1, {"staff": 12})
    by_day = town.engine.reports.report("visits", Span(store_id=HARBOUR)).rows
    assert [(row["visits"], row["set_aside"]) for row in by_day] == [
        (1, {"staff": 4}),
        (0, {"staff": 4}),
        (0, {"staff": 4}),
    ]
    spends(town, clerk, "elsewhere", hours=0.5, shop=ROCK)
    assert figures(town, ROCK) == (1, 1, {})
    town.wait(days=10)
    spends(town, clerk, "shopping", hours=0.5)
    assert figures(town) == (2, 2, {"staff": 12})


def test_who_works_next_door_is_no_staff_here(town: Town) -> None:
    town.furnish()
    device = town.device("clerk")
    shifts = [(day, part, 24 * day + 2 + 1.25 * part) for day in range(3) for part in range(4)]
    town.wait(hours=1)
    for day, part, age_h in shifts:
        spends(town, device, f"rock-{day}-{part}", hours=1, age_h=age_h, shop=ROCK)
    town.wait(hours=1)
    assert told(town) == [("shp_clerk", ROCK, "staff")]
    # Where she was in truth comes late, and nothing more comes of the rock.
    for day, part, age_h in shifts:
        more = (fix(f"{day}-{part}-{n}", age_s=(age_h + 1.1 + n / 5) * HOUR_S) for n in range(4))
        town.post(device, *more)
        spends(town, device, f"harbour-{day}-{part}", hours=1, age_h=age_h + 1)
    assert {row.kind for row in town.visits() if row.store_id == ROCK} == {"elsewhere"}
    town.wait(hours=1)
    assert told(town) == [("shp_clerk", HARBOUR, "staff")]


def test_who_is_in_a_shop_at_night_is_a_resident(town: Town) -> None:
    town.furnish(opening_hours="Mo-Su 09:00-19:00")
    town.clock.advance(timedelta(hours=14))
    device = town.device("ann")
    for day in range(3):
        spends(town, device, f"night-{day}", hours=1.0)
        spends(town, device, f"day-{day}", hours=0.25, age_h=6)
        town.wait(days=1)
    assert told(town) == [("shp_ann", HARBOUR, "resident")]
    assert figures(town) == (0, 0, {"resident": 6})


def weak(name: str, age_s: float) -> list[Any]:
    """Two sure fixes and three unsure ones between them."""
    ages = [(0, "inside"), (100, "maybe"), (200, "maybe"), (300, "maybe"), (400, "inside")]
    return [fix(f"{name}-{after_s}", spot, age_s=age_s + 400 - after_s) for after_s, spot in ages]


def test_visits_that_are_many_and_weak_are_those_of_a_resident(town: Town) -> None:
    town.furnish()
    neighbour, fan = town.device("neighbour"), town.device("fan")
    for day in range(21):
        town.post(neighbour, *weak(f"n-{day}", 60))
        mocked = (fix(f"m-{day}-{n}", "maybe", age_s=100 + n, mocked=True) for n in range(5))
        town.post(fan, fix(f"f-{day}", age_s=460), fix(f"g-{day}", age_s=60), *mocked)
        if day == 20:
            assert told(town) == []
        town.wait(days=1)
    assert told(town) == [("shp_neighbour", HARBOUR, "resident")]
    assert figures(town) == (21, 1, {"resident": 21})


def test_late_evidence_makes_and_takes_back_what_a_rebuild_finds(town: Town) -> None:
    town.furnish()
    device = town.device("clerk")
    for day in range(3):
        if day != 1:
            spends(town, device, f"{day}", hours=5)
        town.wait(days=1)
    assert regulars(town) == []
    spends(town, device, "late", hours=5, age_h=48)
    town.wait(hours=1)
    assert told(town) == [("shp_clerk", HARBOUR, "staff")]
    # She left an hour after she came, and was seen for a second at the end.
    town.post(device, fence("out", "exit", age_s=53 * HOUR_S))
    town.wait(hours=1)
    assert regulars(town) == []
    spends(town, device, "later", hours=5)
    town.wait(hours=1)
    live = regulars(town)
    assert [row[2] for row in live] == ["staff"]
    with closing(driver().connect(town.path)) as connection:
        connection.execute("DELETE FROM regulars")
        connection.execute("INSERT INTO regulars VALUES ('shp_clerk', 'harbour', 'resident', 0, 1)")
        connection.commit()
    rebuild_visits(town.engine.database, town.engine.catalog(), now=town.clock.now())
    assert regulars(town) == live


def test_nothing_new_costs_nothing_and_an_emptied_ledger_begins_anew(town: Town) -> None:
    town.furnish()
    device = town.device("clerk")
    for day in range(3):
        spends(town, device, f"{day}", hours=5)
        town.wait(days=1)
    assert len(regulars(town)) == 1
    with closing(driver().connect(town.path)) as connection:
        connection.execute("DELETE FROM regulars")
        connection.commit()
    town.wait(hours=1)
    assert regulars(town) == []
    with closing(driver().connect(town.path)) as connection:
        connection.execute("DELETE FROM evidence")
        connection.commit()
    town.wait(hours=1)
    spends(town, device, "again", hours=0.2)
    town.wait(hours=1)
    assert len(regulars(town)) == 1


def test_what_was_told_by_evidence_that_is_gone_stays(town: Town) -> None:
    town.furnish()
    device = town.device("neighbour")
    for day in range(25):
        town.post(device, *weak(f"n-{day}", 60))
        town.wait(days=1)
    (before,) = regulars(town)
    town.wait(days=396 - 5)
    assert 0 < town.count("evidence") < 25 * 5
    town.post(device, fix("now"))
    town.wait(hours=1)
    assert regulars(town) == [before]
    rebuild_visits(town.engine.database, town.engine.catalog(), now=town.clock.now())
    assert regulars(town) == [before]


def test_the_visits_of_staff_are_no_outcome_of_a_campaign(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    experiment({"send": (30, 60), "ghost": (10, 60)}).keep(town)
    assert (lift_of(town)["treated_visitors"], lift_of(town)["held_out_visitors"]) == (30, 10)
    told = History()
    for day in range(3):
        told.visit(MONDAY + (day - 2) * DAY, 300, shopper_id="send0", kind="too_long")
    told.visit(MONDAY, 300, shopper_id="send1", kind="too_long")
    told.keep(town)
    with closing(driver().connect(town.path)) as connection:
        for shopper_id in ("send0", "send1"):
            names = "shopper_id, store_id, zone_id, device_id, sighting_id, kind, at_ms, inside_probability"
            values = f"'{shopper_id}', '{HARBOUR}', 'premises', 'd', 's', 'location', 0, 0, 0, 0"
            connection.execute(f"INSERT INTO evidence ({names}, mocked, zone_version) VALUES ({values})")  # noqa: S608
        connection.commit()
    town.wait(hours=1)
    assert lift_of(town)["treated_visitors"] == 29
