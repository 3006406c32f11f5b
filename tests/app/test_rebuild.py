"""Does a rebuild make the visits what the evidence says, and leave alone what it cannot know better?"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.storage.engine import driver
from m2s.app.rebuild import Rebuilt, rebuild_visits
from tests.app.town import HARBOUR, ROCK, Town, fix, open_town
from tests.changed import replace


def dump(town: Town) -> list[tuple[Any, ...]]:
    return town.rows("SELECT * FROM visits ORDER BY id")


def rebuild(town: Town) -> Rebuilt:
    return rebuild_visits(town.engine.database, town.engine.catalog(), now=town.clock.now())


def alter(town: Town, *statements: str) -> None:
    """Changes the file behind the engine's back."""
    with closing(driver().connect(town.path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def live(town: Town) -> None:
    """Three closed visits at two shops, two of them corrected, and one that is open."""
    ann, bob = town.device("ann"), town.device("bob")
    town.post(
        ann, fix("p1", age_s=7_200), fix("p2", age_s=6_800), fix("p3", age_s=5_900), fix("p4", age_s=5_500)
    )
    town.post(ann, fix("p0", age_s=7_300), fix("between", age_s=6_350))
    town.post(bob, fix("p0", shop=ROCK, age_s=3_000), fix("p1", shop=ROCK, age_s=2_600), fix("p2", age_s=300))
    town.post(bob, fix("p3"))


def test_a_rebuild_of_what_is_right_changes_nothing(town: Town) -> None:
    town.furnish()
    live(town)
    before = dump(town)
    assert any(row.replaces for row in town.visits())
    assert {row.status for row in town.visits()} == {"open", "closed"}
    assert rebuild(town) == Rebuilt(evidence=10, stays=3, changed=0, dropped=0)
    assert dump(town) == before


def test_a_rebuild_puts_right_what_is_wrong_missing_or_invented(town: Town) -> None:
    town.furnish()
    live(town)
    before = dump(town)
    invented = ", ".join("'vis_0'" if name == "id" else name for name in columns(town))
    alter(
        town,
        f"INSERT INTO visits SELECT {invented} FROM visits WHERE store_id = '{ROCK}'",  # noqa: S608
        f"DELETE FROM visits WHERE store_id = '{ROCK}' AND id <> 'vis_0'",  # noqa: S608
        f"UPDATE visits SET kind = 'passer_by', dwell_s = 1 WHERE store_id = '{HARBOUR}'",  # noqa: S608
    )
    assert rebuild(town) == Rebuilt(evidence=10, stays=3, changed=3, dropped=1)
    assert dump(town) == before


def columns(town: Town) -> list[str]:
    return [name for _, name, *_ in town.rows("PRAGMA table_info(visits)")]


def test_time_closes_visits_in_a_rebuild_as_it_does_live(town: Town) -> None:
    town.furnish()
    live(town)
    town.clock.advance(timedelta(minutes=11))
    assert rebuild(town).changed == 0
    assert {row.status for row in town.visits()} == {"closed"}


def test_a_rebuild_goes_by_the_stores_as_they_are_now(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("p0", age_s=200), fix("p1"))
    assert [row.kind for row in town.visits()] == ["passer_by"]
    town.furnish(visit={"dwell_min_s": 120})
    assert rebuild(town).changed == 1
    assert [row.kind for row in town.visits()] == ["visit"]
    assert town.post(device, fix("p2")).events == []


def test_a_stay_that_is_a_visit_again_is_replaced_by_none(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, *(fix(f"p{age_s}", age_s=age_s) for age_s in (7_200, 6_800, 5_900, 5_500)))
    first, second = town.visits()
    town.post(device, fix("between", age_s=6_350))
    (joined,) = town.visits()
    assert (joined.id, joined.replaces) == (first.id, second.id)
    town.furnish(visit={"gap_merge_s": 440})
    rebuild(town)
    assert [(row.id, row.replaces) for row in town.visits() if row.kind == "visit"] == [
        (first.id, None),
        (second.id, None),
    ]


def test_the_stays_of_a_store_that_is_not_in_the_catalog_are_left_alone(town: Town) -> None:
    town.furnish()
    live(town)
    alter(town, "UPDATE visits SET dwell_s = 1")
    catalog = town.engine.catalog()
    others = {store.id: store for store in catalog.stores.values() if store.id != ROCK}
    rebuild_visits(town.engine.database, replace(catalog, stores=others), now=town.clock.now())
    assert {(row.store_id, row.dwell_s) for row in town.visits()} == {
        (HARBOUR, 1_800),
        (HARBOUR, 300),
        (ROCK, 1),
    }


def test_a_redemption_still_proves_what_it_proved(town: Town) -> None:
    town.furnish()
    town.post(town.device("ann"), fix("p0", age_s=60), fix("p1"))
    names = "id, code, shopper_id, campaign_id, offer_id, store_id, key_id, at"
    values = f"'r', 'c', 'shp_ann', 'c', 'o', '{HARBOUR}', 'k', {int(town.clock.now().timestamp() * 1000)}"
    alter(town, f"INSERT INTO redemptions ({names}) VALUES ({values})")  # noqa: S608
    assert rebuild(town).changed == 1
    assert [(row.kind, row.confidence) for row in town.visits()] == [("visit", "high")]


@pytest.mark.parametrize("hours_kept", [10, 30, 49])
def test_stays_older_than_the_evidence_that_is_kept_stay_as_they_are(tmp_path: Path, hours_kept: int) -> None:
    town = open_town(tmp_path, evidence_kept_days=60)
    try:
        town.furnish()
        edge_s = hours_kept * 3_600
        car = [
            fix("p0", "left", age_s=edge_s + 1),
            fix("p1", age_s=edge_s - 1),
            fix("p2", age_s=edge_s - 500),
        ]
        town.post(town.device("car"), *car)
        assert [row.dwell_s for row in town.visits("shp_car")] == [0]
        resident, visitor = town.device("resident"), town.device("visitor")
        for half in (1, 0):
            ages = reversed(range(half * 300, half * 300 + 300))
            town.post(resident, *(fix(f"p{n}", age_s=n * 300) for n in ages))
        town.post(
            visitor,
            *(
                fix(f"p{hour}-{n}", age_s=hour * 3_600 + n * 400)
                for hour in reversed(range(50))
                for n in (1, 0)
            ),
        )
        evidence = town.count("evidence")
        town.clock.advance(timedelta(days=60) - timedelta(hours=hours_kept))
        town.engine.jobs.run_due(town.clock.now())
        assert 0 < town.count("evidence") < evidence
        before, done = dump(town), rebuild(town)
        assert (done.changed, done.dropped) == (0, 0)
        assert dump(town) == before
    finally:
        town.engine.stop()
