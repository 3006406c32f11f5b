"""The visits that grow live, from late, shuffled and repeated evidence, are those that the sorted evidence tells.

All of it counts that is no older than 72 hours when it comes; what is older is refused and changes nothing.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m2s.app.matching import TOO_OLD
from m2s.app.rows import VisitRow
from m2s.app.sighting import Batch, Sighting
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.places.hours import hours_of
from m2s.core.places.zone import PREMISES
from m2s.core.presence.rivals import Contender, outcomes
from m2s.core.presence.visit import StayKind, classify, stays, visit_id
from tests.app.town import ALWAYS, HARBOUR, ROCK, Town, fence, fix, heard, open_town
from tests.stories.late_data import Follower

SHAPES = (
    *("inside", "inside", "maybe", "neutral", "left", "near", "driving", "mocked"),
    *("enter", "exit", "dwell", "burst", "burst", "pair"),
)
OLDEST_S = 72 * 3_600
"""How old may be what comes."""
DELAYS_S = (*(0, 0, 0, 20, 20, 300, 300, 7_200, 20 * 3_600), OLDEST_S - 60, OLDEST_S, OLDEST_S + 1)
CLOCKS = ("age", "wrong clock", "right clock")
"""How a phone says when something was: its age; `at` and `sent_at` by a clock that is wrong; `at` alone."""
WRONG_BY = (
    *(timedelta(days=-400, seconds=7), timedelta(days=-3, minutes=-1), timedelta(hours=-2)),
    *(timedelta(minutes=-6), timedelta(seconds=-40), timedelta(minutes=1), timedelta(minutes=6)),
    *(timedelta(hours=2), timedelta(days=3, minutes=1), timedelta(days=400, seconds=-7)),
)
"""By how much the wrong clock of a request is ahead, or behind: also by more than evidence may be old or early."""
JOBS_AT, ALL_JOBS_AT = 0.5, 0.05
"""At which share of the moments a job closes visits, and at which every job runs, which takes far longer."""
HISTORIES = 2_000
SHOPS = (HARBOUR, ROCK)
OWNERS = {"a": "one", "b": "one", "c": "two"}
"""Devices and their shoppers."""


@dataclass(frozen=True)
class Told:
    """One thing that happened: when (s), what, where, on which phone, and how late it arrives (s)."""

    second: int
    shape: str
    store_id: str
    phone: str
    delay_s: int
    repeated: bool


# Around multiples of five minutes, because two of them are the gap after which a stay is over.
seconds = st.one_of(
    st.tuples(st.integers(0, 12), st.integers(0, 4)).map(lambda pair: pair[0] * 300 + pair[1]),
    st.integers(0, 720).map(lambda n: n * 10),
    st.integers(0, 72_000),
)
histories = st.lists(
    st.builds(
        Told,
        second=seconds,
        shape=st.sampled_from(SHAPES),
        store_id=st.sampled_from([HARBOUR, HARBOUR, ROCK]),
        phone=st.sampled_from(["a", "a", "b", "c"]),
        delay_s=st.sampled_from(DELAYS_S),
        repeated=st.booleans(),
    ),
    min_size=1,
    max_size=24,
)


def sighting(told: Told, name: str, age_s: float, **more: Any) -> Sighting:
    more |= {"shop": told.store_id, "age_s": age_s}
    match told.shape:
        case "driving":
            return fix(name, speed_mps=14.0, **more)
        case "mocked":
            return fix(name, mocked=True, **more)
        case "enter" | "exit" | "dwell":
            return fence(name, told.shape, **more)
        case "burst" | "pair":
            return heard(name, n=5 if told.shape == "burst" else 2, **more)
        case spot:
            return fix(name, spot, **more)


Due = Sequence[tuple[int, Told, int]]
"""What a phone sends: the number, what happened, and how many seconds ago."""


def request(town: Town, run: int, phone: str, *, due: Due, rng: Random) -> Batch:
    """A request of a phone, timed by one of its clocks."""
    clock, shown = rng.choice(CLOCKS), town.clock.now()
    if clock == "wrong clock":
        shown += rng.choice(WRONG_BY)
    items = [
        sighting(told, f"s{n}", age_s)
        if clock == "age"
        else sighting(told, f"s{n}", age_s, age_ms=None, at=shown - timedelta(seconds=age_s))
        for n, told, age_s in due
    ]
    return batch(town, run, phone, items=items, sent_at=shown if clock == "wrong clock" else None)


def batch(
    town: Town, run: int, phone: str, *, items: Sequence[Sighting], sent_at: datetime | None = None
) -> Batch:
    """A request, received now."""
    device_id, sent_at_ms = f"dev_{phone}{run}", None if sent_at is None else to_ms(sent_at)
    shoppers = {device_id: f"shp_{OWNERS[phone]}{run}"}
    return Batch(device_id, shoppers, to_ms(town.clock.now()), sent_at_ms, list(enumerate(items)), [])


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Town]]:
    """One town that hears things as they come, one that hears them in order."""
    made = []
    for name in ("live", "ordered"):
        town = open_town(tmp_path_factory.mktemp(name))
        town.furnish(opening_hours="Mo-Su 09:00-19:00")
        made.append(town)
    yield made[0], made[1]
    for town in made:
        town.engine.stop()


numbers = itertools.count()


def start(towns: tuple[Town, Town]) -> datetime:
    """Both clocks at the same instant, later than all that was."""
    now = max(town.clock.now() for town in towns) + timedelta(hours=1)
    for town in towns:
        town.clock.set(now)
    return now


@dataclass(frozen=True)
class Heard:
    """What came of a history that arrived live: who listened, by shopper, and the numbers of what was taken."""

    followers: dict[str, Follower]
    taken: set[int]


def live(town: Town, history: Sequence[Told], *, run: int, began: datetime, rng: Random) -> Heard:
    """Posts as phones do: late, in any order, in several requests, some of it twice, by any clock; jobs in between."""
    heard_of = Heard(defaultdict(Follower), set())
    arrivals = [
        (told.second + late_s, n, told)
        for n, told in enumerate(history)
        for late_s in (
            (told.delay_s, told.delay_s + rng.choice(DELAYS_S)) if told.repeated else (told.delay_s,)
        )
    ]
    rng.shuffle(arrivals)
    # Hardly more moments than 12, so that what arrives then shares groups and requests.
    moments = sorted({seconds for seconds, _, _ in arrivals})
    moments = sorted({*moments[:: len(moments) // 12 + 1], moments[-1]})
    for before, moment in itertools.pairwise([-1, *moments]):
        town.clock.set(began + timedelta(seconds=moment))
        run_jobs(town, rng)
        due = [(n, told, moment - told.second) for second, n, told in arrivals if before < second <= moment]
        parts = []
        for phone in OWNERS:
            mine = [one for one in due if one[1].phone == phone]
            cut = rng.randint(0, len(mine))
            parts += [(phone, part) for part in (mine[:cut], mine[cut:]) if part]
        rng.shuffle(parts)
        for group in [parts] if rng.random() < 0.5 else [[part] for part in parts]:
            post(town, run, group, heard_of=heard_of, rng=rng)
    return heard_of


def run_jobs(town: Town, rng: Random) -> None:
    """Lets visits be closed, or all jobs run, or neither."""
    drawn = rng.random()
    if drawn < ALL_JOBS_AT:
        town.engine.jobs.run_due(town.clock.now())
    elif drawn < JOBS_AT:
        town.engine.jobs.beat("close_visits")


def post(town: Town, run: int, group: Sequence[tuple[str, Due]], *, heard_of: Heard, rng: Random) -> None:
    """Posts the requests of one group; what is too old is refused, and only that."""
    batches = [request(town, run, phone, due=due, rng=rng) for phone, due in group]
    for (phone, due), answer in zip(group, town.together(batches), strict=True):
        refused = {(one.id, one.detail) for one in answer.rejected}
        assert refused == {(f"s{n}", TOO_OLD) for n, _, age_s in due if age_s > OLDEST_S}
        heard_of.taken.update(n for n, _, age_s in due if age_s <= OLDEST_S)
        heard_of.followers[f"shp_{OWNERS[phone]}{run}"].hear(answer.events)


def ordered(town: Town, history: Sequence[Told], *, run: int, began: datetime, taken: set[int]) -> None:
    """Posts once what was taken, in order of time, when it is all over."""
    last = max(told.second for told in history)
    town.clock.set(began + timedelta(seconds=last))
    for n, told in sorted(enumerate(history), key=lambda pair: pair[1].second):
        if n in taken:
            items = [sighting(told, f"s{n}", last - told.second)]
            town.engine.submit(batch(town, run, told.phone, items=items)).result(timeout=30)


def visits_of(town: Town, shopper_id: str) -> list[VisitRow]:
    """Her stays of every kind."""
    with town.engine.database.read() as records:
        found = [records.sightings.visits_since(shopper_id, store_id, ALWAYS[0]) for store_id in SHOPS]
    return [row for rows in found for row in rows]


def folded(town: Town, shopper_id: str) -> list[tuple[object, ...]]:
    """The stays that the kept evidence tells, by the pure rules alone."""
    found, rivals = [], []
    catalog = town.engine.catalog()
    for store in catalog.stores.values():
        rules = catalog.rules[store.id, PREMISES]
        hours = hours_of(store.opening_hours, store.timezone, store.country)
        with town.engine.database.read() as records:
            evidence = records.sightings.evidence(shopper_id, store.id, 0)
        for stay in stays(evidence, rules):
            begin, end = from_ms(stay.start_ms), from_ms(stay.end_ms)
            kind = classify(stay, rules, open_share=hours.open_share(begin, end))
            name = visit_id(shopper_id, store.id, stay=stay)
            found.append((name, begin, end, stay.dwell_s, kind, stay.confidence.value))
            if kind in (StayKind.VISIT, StayKind.TOO_LONG):
                may_count = kind is StayKind.VISIT
                span = (stay.start_ms, stay.end_ms)
                rivals.append(Contender(name, store.id, *span, stay.score, stay.proven, may_count))
    kinds = outcomes(rivals, catalog.neighbours)
    return sorted(
        ((name, *when, kinds.get(name, kind).value, sure) for name, *when, kind, sure in found), key=str
    )


def kept(rows: Sequence[VisitRow]) -> list[tuple[object, ...]]:
    return sorted(
        ((row.id, row.start_at, row.end_at, row.dwell_s, row.kind, row.confidence) for row in rows), key=str
    )


@settings(
    max_examples=max(HISTORIES, settings.default.max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories, seed=st.integers(0, 2**32))
def test_visits_do_not_depend_on_how_the_evidence_arrived(
    towns: tuple[Town, Town], history: list[Told], seed: int
) -> None:
    run = next(numbers)
    began = start(towns)
    heard_of = live(towns[0], history, run=run, began=began, rng=Random(seed))
    ordered(towns[1], history, run=run, began=began, taken=heard_of.taken)
    for owner in sorted(set(OWNERS.values())):
        shopper_id = f"shp_{owner}{run}"
        truth = folded(towns[1], shopper_id)
        rows = visits_of(towns[0], shopper_id)
        assert kept(visits_of(towns[1], shopper_id)) == truth
        assert kept(rows) == truth
        assert folded(towns[0], shopper_id) == truth
        heard_of.followers[shopper_id].check(rows)


def test_late_evidence_moves_every_later_day_of_a_resident_alike(towns: tuple[Town, Town]) -> None:
    town, run = towns[0], next(numbers)
    start(towns)
    device_id, shopper_id = town.device(f"a{run}", of=f"one{run}"), f"shp_one{run}"
    for hour in range(52):
        town.clock.advance(timedelta(hours=1))
        town.post(device_id, *(fix(f"{hour}-{n}", age_s=300 * n) for n in range(12)))
        assert kept(visits_of(town, shopper_id)) == folded(town, shopper_id)
    for hours_ago in (20, 52):
        town.post(device_id, fix(f"late-{hours_ago}", age_s=hours_ago * 3600 + 7))
        assert kept(visits_of(town, shopper_id)) == folded(town, shopper_id)
    assert len(visits_of(town, shopper_id)) == 3
