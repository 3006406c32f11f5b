"""How well are visits measured where it is known what happened? The shipped scenarios, two weeks each.

A counted visit is right when it overlaps a real one of the same person at the same store, and each real one makes one
right. Only what the reports count is judged. Where people really were is taken from their ways, by means that share
nothing with the service.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from accuracy.aimed import Aimed, Tally, ratio
from accuracy.bare_mall import bare_mall, judged_bare
from accuracy.happened import Happened
from accuracy.scored import Skipped
from accuracy.simulated_days import DAYS, all_lived, sized
from beacons.sim.route import Kind
from beacons.sim.scenario import Scenario
from m2s.entry.cli.scenario_file import load_scenario

SCENARIOS = ("high_street", "mall", "retail_park", "bakery_chain", "beacon_aisles")
PERSON_DAYS = 20_000
BARE_SHARE = 0.1
"""The mall without beacons comes on top, with this share of their days of persons."""

SIDE_BY_SIDE = ("mall", "retail_park")
"""Where one store is next to another."""

_MARGIN_S = 120.0
_PASSING = (Kind.PASSER_BY, Kind.DRIVER)
_STAYING = (Kind.STAFF, Kind.RESIDENT)


class _Part(NamedTuple):
    """What one thing that is judged adds to a ratio: the group in which it is drawn, and its store."""

    group: str
    store_id: str
    above: float
    below: float = 1.0


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure: its targets at stores with beacons and at those known by positions only, and how it is computed."""

    name: str
    says: str
    with_beacons: float
    without: float
    parts: Callable[[Happened], Iterable[_Part]]
    at_most: bool = True
    share: bool = True
    causes: Callable[[Happened, str], Iterator[str]] | None = None


def evaluate(*, person_days: int, seed: int) -> list[Aimed | Skipped]:
    """Every figure, at stores with and without beacons; and how often the mall without any tells a wrong one."""
    days = all_lived([*shipped_days(person_days), bare_mall(math.ceil(person_days * BARE_SHARE))])
    *shipped, bare = map(Happened, days)
    return [*judged(shipped, seed=seed), judged_bare(bare, seed=seed)]


def shipped_days(person_days: int) -> list[Scenario]:
    """The shipped scenarios, with at least so many days of persons in all."""
    loaded = [load_scenario(name) for name in SCENARIOS]
    whole = DAYS * sum(len(scenario.crowd.kinds()) for scenario in loaded)
    return [sized(one, person_days, whole=whole) for one in loaded]


def judged(scenarios: Sequence[Happened], *, seed: int) -> list[Aimed | Skipped]:
    """The figures of what happened."""
    return [
        _aimed(figure, scenarios, beacons=beacons, seed=seed)
        for figure in _FIGURES
        for beacons in (True, False)
    ]


def _aimed(figure: _Figure, scenarios: Sequence[Happened], *, beacons: bool, seed: int) -> Aimed | Skipped:
    sums: dict[tuple[str, str], list[float]] = {}
    things = 0
    for one in scenarios:
        for part in figure.parts(one):
            if one.has_beacons(part.store_id) == beacons:
                held = sums.setdefault((one.name, part.group), [0.0, 0.0])
                held[0] += part.above
                held[1] += part.below
                things += 1
    tallies = [Tally(name, *held) for (name, _), held in sums.items()]
    name = f"{figure.name}, {'beacons' if beacons else 'positions only'}"
    if not sum(tally.below for tally in tallies):
        return Skipped(name, "there is nothing to judge: simulate more with --person-days")
    return Aimed(
        name,
        figure.says,
        ratio(tallies, seed=seed, share=figure.share),
        figure.with_beacons if beacons else figure.without,
        figure.at_most,
        things,
        len(tallies),
        beside=_causes(figure, scenarios, beacons=beacons, things=things),
    )


def _causes(
    figure: _Figure, scenarios: Sequence[Happened], *, beacons: bool, things: int
) -> Mapping[str, float]:
    """What is wrong by cause, each as a share of all that is judged, the most frequent first."""
    if figure.causes is None or not things:
        return {}
    many: dict[str, int] = {}
    for one in scenarios:
        for store_id in one.store_ids:
            if one.has_beacons(store_id) == beacons:
                for cause in figure.causes(one, store_id):
                    many[cause] = many.get(cause, 0) + 1
    return {cause: many[cause] / things for cause in sorted(many, key=lambda cause: -many[cause])}


def _precision(one: Happened) -> Iterator[_Part]:
    for claim in one.counted:
        yield _Part(claim.device_id, claim.store_id, float(one.visit_of(claim) is not None))


def _counted_wrongly(one: Happened, store_id: str) -> Iterator[str]:
    for claim in one.counted:
        if claim.store_id == store_id and one.visit_of(claim) is None:
            yield one.whose(claim)


def _recall(one: Happened) -> Iterator[_Part]:
    for visit in one.visits:
        if one.lasted_s(visit) >= visit.dwell_min_s + _MARGIN_S:
            yield _Part(visit.device_id, visit.store_id, float(one.claim_of(visit) is not None))


def _missed(one: Happened, store_id: str) -> Iterator[str]:
    for visit in one.visits:
        long = one.lasted_s(visit) >= visit.dwell_min_s + _MARGIN_S
        if long and visit.store_id == store_id and one.claim_of(visit) is None:
            yield one.why_not(visit)


def _dwell(one: Happened) -> Iterator[_Part]:
    for visit in one.visits:
        claim = one.claim_of(visit)
        if claim is not None:
            off_s = abs(one.lasted_s(claim) - one.lasted_s(visit))
            yield _Part(visit.device_id, visit.store_id, off_s)


def _passers_by(one: Happened) -> Iterator[_Part]:
    for device_id in one.devices(*_PASSING):
        for day in range(one.days):
            was_counted = one.stores_counted(device_id, day)
            for store_id in one.stores_passed(device_id, day) | was_counted:
                yield _Part(device_id, store_id, float(store_id in was_counted))


def _staying(one: Happened) -> Iterator[_Part]:
    for device_id in one.devices(*_STAYING):
        for day in range(one.days):
            store_id = one.post(device_id, day)
            if store_id is not None:
                yield _Part(device_id, store_id, float(bool(one.stores_counted(device_id, day))))


def _next_door(one: Happened) -> Iterator[_Part]:
    if one.name in SIDE_BY_SIDE:
        for claim in one.counted:
            really = one.visit_of(claim) or one.visit_during(claim)
            if really is not None:
                yield _Part(claim.device_id, claim.store_id, float(really.store_id != claim.store_id))


def _totals(one: Happened) -> Iterator[_Part]:
    """By the first half of the days it is known how many are missed; the other half is judged. A store is a group."""
    learned = one.days // 2
    for beacons in (True, False):
        stores = [store_id for store_id in one.store_ids if one.has_beacons(store_id) == beacons]
        pairs = [(store_id, day) for store_id in stores for day in range(learned)]
        counted = sum(one.counted_on(store_id, day) for store_id, day in pairs)
        if counted:
            factor = sum(one.real_on(store_id, day) for store_id, day in pairs) / counted
            for store_id in stores:
                for day in range(learned, one.days):
                    real = one.real_on(store_id, day)
                    yield _Part(store_id, store_id, abs(factor * one.counted_on(store_id, day) - real), real)


_FIGURES = (
    _Figure(
        "precision",
        "share of counted visits that are real",
        0.97,
        0.92,
        _precision,
        at_most=False,
        causes=_counted_wrongly,
    ),
    _Figure(
        "recall",
        "share of real visits that are counted",
        0.92,
        0.80,
        _recall,
        at_most=False,
        causes=_missed,
    ),
    _Figure("dwell", "mean error in s", 60, 180, _dwell, share=False),
    _Figure("passers-by", "share of passings that are counted", 0.01, 0.03, _passers_by),
    _Figure("staff and residents", "share of their days that are counted", 0.01, 0.02, _staying),
    _Figure("wrong store", "share of counted visits that were next door", 0.02, 0.10, _next_door),
    _Figure("daily total", "mean error of a store's day, of its visits", 0.05, 0.10, _totals, share=False),
)
