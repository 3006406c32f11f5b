"""Is one who is between two shops counted at one of them at most, whatever becomes known when, and is that told?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from m2s.app.measure import Span
from m2s.app.ports import Records
from m2s.app.rebuild import Rebuilt, rebuild_visits
from m2s.app.rows import RedemptionRow
from m2s.app.visits import refresh_visits
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_collection
from tests.app.test_visits import events, retracted
from tests.app.town import HARBOUR, POINTS, ROCK, Town, features, fence, fix, heard
from tests.stories.late_data import QUAY, three_shops

QUAY_LATITUDE = POINTS[ROCK][0] + 250 / 111_130


@pytest.fixture
def row(town: Town) -> Town:
    """Three shops in a row; the first and the last are no neighbours."""
    town.engine.publish.publish_stores(read_collection(three_shops()))
    return town


def stays(name: str, shop: str, number: int, *, age_s: float = 0, minutes: float = 10) -> list[Any]:
    """So many fixes, evenly over some minutes that ended so long ago."""
    gap_s = minutes * 60 / (number - 1)
    where = {"latitude": QUAY_LATITUDE} if shop == QUAY else {"shop": shop}
    return [fix(f"{name}{n}", age_s=age_s + n * gap_s, **where) for n in range(number)]


def kinds(town: Town) -> dict[str, str]:
    return {row.store_id: row.kind for row in town.visits()}


def rebuilt(town: Town) -> bool:
    """Whether a rebuild finds what is kept."""
    before = town.rows("SELECT * FROM visits ORDER BY id")
    done = rebuild_visits(town.engine.database, town.engine.catalog(), now=town.clock.now())
    same = town.rows("SELECT * FROM visits ORDER BY id") == before
    return same and done == Rebuilt(done.evidence, len(before), changed=0, dropped=0)


def test_fixes_in_both_shops_are_a_visit_where_most_of_them_are(row: Town) -> None:
    device = row.device("ann")
    answer = row.post(device, *stays("h", HARBOUR, 6), *stays("r", ROCK, 4))
    assert kinds(row) == {HARBOUR: "visit", ROCK: "elsewhere"}
    assert events(answer.events) == ["visit.started"]
    assert rebuilt(row)
    answer = row.post(device, *stays("more", ROCK, 3, minutes=5))
    assert kinds(row) == {HARBOUR: "ambiguous", ROCK: "ambiguous"}
    (visit,) = [one for one in row.visits() if one.store_id == HARBOUR]
    assert answer.events == [retracted(visit)]
    assert rebuilt(row)
    answer = row.post(device, *stays("most", ROCK, 2, minutes=5))
    assert kinds(row) == {HARBOUR: "elsewhere", ROCK: "visit"}
    assert events(answer.events) == ["visit.started"]
    assert rebuilt(row)


def test_a_beacon_window_counts_as_three_fixes(row: Town) -> None:
    row.post(row.device("ann"), *stays("h", HARBOUR, 5), heard("b", age_s=300), *stays("r", ROCK, 5))
    assert kinds(row) == {HARBOUR: "visit", ROCK: "elsewhere"}


def test_no_visit_next_door_competes_with_one_that_is_too_short(row: Town) -> None:
    row.post(row.device("ann"), *stays("h", HARBOUR, 4), *stays("r", ROCK, 8, age_s=200, minutes=3))
    assert kinds(row) == {HARBOUR: "visit", ROCK: "passer_by"}


def test_who_works_next_door_is_no_visitor_here(row: Town) -> None:
    device = row.device("clerk")
    day = stays("h", HARBOUR, 40, minutes=240)
    row.post(device, *stays("r", ROCK, 4, age_s=6_000))
    assert kinds(row) == {ROCK: "visit"}
    answer = row.post(device, *day)
    assert kinds(row) == {ROCK: "elsewhere", HARBOUR: "too_long"}
    assert events(answer.events) == ["visit.retracted"]
    assert rebuilt(row)


def test_late_evidence_at_one_end_leaves_what_is_two_doors_away_as_it_is(row: Town) -> None:
    """The rock is held against the quay as well, of which nothing is new."""
    device = row.device("ann")
    row.post(device, *stays("q", QUAY, 6))
    row.post(device, *stays("r", ROCK, 6))
    assert kinds(row) == {QUAY: "ambiguous", ROCK: "ambiguous"}
    answer = row.post(device, *stays("h", HARBOUR, 4))
    assert kinds(row) == {QUAY: "ambiguous", ROCK: "ambiguous", HARBOUR: "elsewhere"}
    assert answer.events == []
    assert rebuilt(row)
    row.post(device, *stays("more", HARBOUR, 6))
    assert kinds(row) == {QUAY: "ambiguous", ROCK: "elsewhere", HARBOUR: "visit"}
    assert rebuilt(row)


def test_what_no_longer_overlaps_gives_the_visit_next_door_back(row: Town) -> None:
    device = row.device("ann")
    row.post(device, *stays("r", ROCK, 4, age_s=2_700, minutes=8))
    # The fence vouches for the silence from an hour ago to half an hour ago.
    fences = (fence("in", "enter", age_s=4_200), fence("out", "exit", age_s=1_500))
    row.post(
        device,
        *fences,
        *stays("h", HARBOUR, 6, age_s=3_600, minutes=9),
        *stays("i", HARBOUR, 2, age_s=1_560, minutes=2),
    )
    assert kinds(row) == {ROCK: "elsewhere", HARBOUR: "visit"}
    answer = row.post(device, fix("left", "left", age_s=3_300))
    assert [(one.store_id, one.kind) for one in row.visits()][:2] == [(HARBOUR, "visit"), (ROCK, "visit")]
    assert sorted(map(str, events(answer.events)))[:2] == ["visit.corrected", "visit.started"]
    assert rebuilt(row)


def test_a_redemption_makes_its_shop_the_visit_until_it_is_taken_back(row: Town) -> None:
    device = row.device("ann")
    row.post(device, *stays("h", HARBOUR, 9), *stays("r", ROCK, 4))
    assert kinds(row) == {HARBOUR: "visit", ROCK: "elsewhere"}
    now = row.clock.now()

    def judged(*, voided: bool) -> dict[str, str]:
        def work(records: Records) -> None:
            if voided:
                records.coupons.void_redemption("red_1", at=now)
            else:
                records.coupons.add_redemption(redemption(now))
            touched = {("shp_ann", ROCK): to_ms(now)}
            refresh_visits(records, touched, catalog=row.engine.catalog(), now=now)

        row.engine.database.write(work)
        return kinds(row)

    assert judged(voided=False) == {HARBOUR: "elsewhere", ROCK: "visit"}
    assert rebuilt(row)
    assert judged(voided=True) == {HARBOUR: "visit", ROCK: "elsewhere"}
    assert rebuilt(row)


def redemption(at: datetime) -> RedemptionRow:
    return RedemptionRow("red_1", "code", "shp_ann", "c", "o", ROCK, "key", None, None, None, at, None)


def test_shops_that_are_far_apart_ask_nothing_of_each_other(town: Town) -> None:
    shops = features()
    shops["features"][1]["geometry"]["coordinates"] = [7.42, 44.0]
    town.engine.publish.publish_stores(read_collection(shops))
    assert town.engine.catalog().neighbours == {}


def test_a_shop_that_moves_closer_has_neighbours_from_then_on(town: Town) -> None:
    shops = features()
    shops["features"][1]["geometry"]["coordinates"] = [7.42, 44.0]
    town.engine.publish.publish_stores(read_collection(shops))
    town.furnish()
    assert town.engine.catalog().neighbours == {HARBOUR: {ROCK}, ROCK: {HARBOUR}}


def test_reports_show_what_was_set_aside_between_two_shops(row: Town) -> None:
    device = row.device("ann")
    row.post(device, *stays("h", HARBOUR, 6), *stays("r", ROCK, 5))
    row.wait(hours=3)
    row.post(device, *stays("h2", HARBOUR, 9), *stays("r2", ROCK, 3))
    told = row.engine.reports.report("stores", Span()).rows
    assert [(one["store_id"], one["visits"], one["set_aside"]) for one in told] == [
        (HARBOUR, 1, {"ambiguous": 1}),
        (ROCK, 0, {"ambiguous": 1, "elsewhere": 1}),
    ]
