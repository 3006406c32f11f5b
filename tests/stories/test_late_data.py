"""However late and in whatever order evidence comes: the visits are those of the ordered run, and events tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec import structs

from m2s.app.ports import Records
from m2s.app.rebuild import rebuild_visits
from m2s.app.rows import VisitRow
from m2s.app.visit_events import CORRECTED, RETRACTED, STARTED
from m2s.app.visits import close_visits
from m2s.core.places.geojson import read_collection
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence, Kind, Transition
from tests.app.town import HARBOUR, MORNING, Town, campaign, fix, open_town
from tests.changed import replace
from tests.stories.late_data import (
    HOUR_MS,
    Arrival,
    Told,
    as_phones_send,
    from_order,
    history,
    in_any_order,
    live,
    three_shops,
)

HISTORIES = 2_000
TOGETHER = 100
"""Histories in one transaction."""
VOUCHED_FOR_EVERY = 8
"""One of so many histories ends with a visit that falls in two by what comes late."""
WAYS = {"as phones send": as_phones_send, "in any order": in_any_order}
OVER = MORNING + timedelta(days=60)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = open_town(tmp_path_factory.mktemp("late"))
    made.engine.publish.publish_stores(read_collection(three_shops(opening_hours="Mo-Su 09:00-21:00")))
    yield made
    made.engine.stop()


def test_late_data_ends_in_the_visits_of_the_ordered_run_and_events_tell_them(town: Town, way: str) -> None:
    seen: Counter[str] = Counter()
    for first in range(0, HISTORIES, TOGETHER):

        def work(records: Records, first: int = first) -> None:
            for number in range(first, first + TOGETHER):
                seen.update(_told(records, town, way, number=number))

        town.engine.database.write(work)
    told = (STARTED, CORRECTED, RETRACTED, "renamed", "merged", "split", "elsewhere", "ambiguous")
    assert min(seen[what] for what in told) > 10, seen
    before = _dump(town)
    done = rebuild_visits(town.engine.database, town.engine.catalog(), now=OVER)
    assert (done.stays, done.changed, done.dropped) == (len(before), 0, 0)
    assert _dump(town) == before


def test_no_message_ever_comes_from_late_evidence(town: Town) -> None:
    town.engine.publish.apply_campaign(
        None, campaign("c", "in: {enter: premises}", "stays: {dwell: {zone: premises, for: 2m}}")
    )
    rng, seen = Random(3), Counter[str]()
    for run in range(40):
        device = town.device(f"ann{run}")
        for n, age_s in enumerate(rng.sample(range(301, 7_200, 120), 20)):
            spot = rng.choice(("inside", "inside", "inside", "left"))
            answer = town.post(device, fix(f"s{n}", spot, age_s=age_s))
            seen.update(str(event["type"]) for event in answer.events)
        town.wait(minutes=1)
    assert min(seen[event] for event in (STARTED, CORRECTED, RETRACTED)) > 0, seen
    assert {(row.outcome, row.reason) for row in town.decisions()} == {("suppressed", "fresh")}
    assert town.count("messages") == 0
    town.post(town.device("bob"), fix("now"))
    assert town.count("messages") == 1


def _told(records: Records, town: Town, way: str, *, number: int) -> Counter[str]:
    """Lets one history happen, and looks at what is kept and what was told of it."""
    catalog, rng = town.engine.catalog(), Random(number)
    told, splits = history(number, way[:2]), Counter[str]()
    if number % VOUCHED_FOR_EVERY == 0:
        told += _vouched_for(told, rng)
    arrivals = _watched(WAYS[way](told, rng), records, splits)
    follower = live(records, arrivals, catalog=catalog, rng=rng)
    close_visits(records, catalog=catalog, now=OVER)
    rows = _kept(records, told)
    assert [replace(row, replaces=None) for row in rows] == from_order(told, catalog=catalog), number
    follower.check(rows)
    return follower.seen + splits + Counter(row.kind for row in rows)


def _vouched_for(told: Sequence[Told], rng: Random) -> list[Told]:
    """A visit whose silence fences vouch for, a day after all else; a fix between says late that she was away."""
    shopper_id, phone = told[0].shopper_id, f"dev_{told[0].shopper_id}_a"
    begin_ms = max(one.at_ms for one in told) + 24 * HOUR_MS
    back_ms = begin_ms + rng.randint(1_500, 7_200) * 1_000
    inside = Evidence(shopper_id, HARBOUR, PREMISES, phone, "", Kind.LOCATION, 0, 1.0, -50.0, accuracy_m=10.0)
    away = structs.replace(inside, inside_probability=0.0, boundary_distance_m=90.0)
    fence = Evidence(shopper_id, HARBOUR, PREMISES, phone, "", Kind.GEOFENCE, 0, 1.0)
    enter = structs.replace(fence, transition=Transition.ENTER)
    dwell = structs.replace(fence, transition=Transition.DWELL)
    late_ms = rng.choice((1, 2, 20)) * HOUR_MS
    happened = [(enter, begin_ms, 0), (away, rng.randint(begin_ms + 660_000, back_ms - 660_000), late_ms)]
    happened += [(inside, since_ms + s * 1_000, 0) for since_ms in (begin_ms, back_ms) for s in (60, 400)]
    happened += [(dwell, back_ms + 500_000, 0)]
    return [
        Told(
            shopper_id,
            HARBOUR,
            at_ms,
            at_ms + late_ms,
            structs.replace(one, sighting_id=f"v{n}", at_ms=at_ms),
        )
        for n, (one, at_ms, late_ms) in enumerate(happened)
    ]


def _watched(arrivals: Iterable[Arrival], records: Records, splits: Counter[str]) -> Iterator[Arrival]:
    """The same; counts the visits that more than one visit stands for when what arrived has been taken."""
    for now_ms, together in arrivals:
        before = _visits(records, together)
        yield now_ms, together
        after = _visits(records, together) if before else []
        splits["split"] += sum(sum(_overlap(old, new) for new in after) > 1 for old in before)


def _visits(records: Records, told: Sequence[Told]) -> list[VisitRow]:
    return [row for row in _kept(records, told) if row.kind == "visit"]


def _overlap(one: VisitRow, other: VisitRow) -> bool:
    pairs = ((row.shopper_id, row.store_id) for row in (one, other))
    return len(set(pairs)) == 1 and one.start_at < other.end_at and other.start_at < one.end_at


def _kept(records: Records, told: Sequence[Told]) -> list[VisitRow]:
    pairs = {(one.shopper_id, one.store_id) for one in told}
    rows = [row for pair in pairs for row in records.sightings.visits_since(*pair, MORNING)]
    return sorted(rows, key=lambda row: row.id)


def _dump(town: Town) -> list[tuple[Any, ...]]:
    return town.rows("SELECT * FROM visits ORDER BY id")
