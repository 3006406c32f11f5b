"""Are the stays on real traces told from drive-bys? Stores where phones stood still, and decoys along their ways.

Nobody confirmed a visit: what is to be found is where a plain stay-point rule has a phone standing still, which may be
a car in a jam or a bus at its terminus. A store with nothing but a point is put at each such place, and as many at
fixes drawn from those far from all of them, which are likelier where traffic is slow. Every phone that has a fix within
a store's radius is judged: ours is whether the service has a visit of it, the baseline says that whoever has a fix
within the radius visits.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean, median

from scipy.stats import binomtest

from accuracy.replayed import Outcome, replayed, store_at
from accuracy.scored import Compared, Estimate, Score, compare_means
from accuracy.stay_points import LEAST_S, Place, StayPoint, apart_m, stay_points
from accuracy.traces import fixes_of, traces
from m2s.bootstrap import Trace
from m2s.core.places.store import VISIT_DEFAULTS, Store, StoreType

RADIUS_M = VISIT_DEFAULTS[StoreType.CONVENIENCE].premises_radius_m
SILENCE_S = VISIT_DEFAULTS[StoreType.CONVENIENCE].rules.gap_merge_s
DECOY_FROM_STAYS_M = 300.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One phone near one store: its stays there by the plain rule, when it had fixes there, and its visits in s."""

    phone: str
    stays: Sequence[StayPoint]
    fixes: Sequence[datetime]
    visits_s: Sequence[float]

    @property
    def stayed(self) -> bool:
        """Whether the plain rule finds a stay."""
        return bool(self.stays)

    @property
    def visited(self) -> bool:
        """Whether the service finds a visit."""
        return bool(self.visits_s)

    @property
    def silent(self) -> bool:
        """Whether the phone was silent in every stay for longer than the gap, which ends a stay in the service."""
        return all(stay.silence_s > SILENCE_S for stay in self.stays)

    @property
    def long(self) -> bool:
        """Whether it had fixes within the radius over as long a time as a stay has to last, whatever lay between."""
        return bool(self.fixes) and (self.fixes[-1] - self.fixes[0]).total_seconds() >= LEAST_S

    @property
    def off_s(self) -> float:
        """How far the time in visits is from that in stays."""
        return abs(sum(self.visits_s) - sum(stay.lasted_s for stay in self.stays))


def evaluate(root: Path, *, seed: int) -> list[Compared]:
    """One verdict for each phone near each store; traces are drawn whole."""
    judged = _judged(traces(root), seed=seed)
    scores = [Score(float(one.visited == one.stayed), float(one.stayed), one.phone) for one in judged]
    stayed = [one for one in judged if one.stayed]
    passed = [one for one in judged if not one.stayed]
    both = [one for one in stayed if one.visited]
    beside: dict[str, float | Estimate] = {
        "stays found": _share(stayed, lambda one: one.visited),
        "stays without 10 minutes of silence found": _share(
            [one for one in stayed if not one.silent], lambda one: one.visited
        ),
        "visits that are stays": _share([one for one in judged if one.visited], lambda one: one.stayed),
        "passers-by counted": _share(passed, lambda one: one.visited),
        "seconds off in dwell": fmean(one.off_s for one in both),
        "seconds off in dwell at the median": median(one.off_s for one in both),
        "right by first to last fix": fmean(one.long == one.stayed for one in judged),
        "passers-by counted by first to last fix": _share(passed, lambda one: one.long),
    }
    return [
        compare_means(
            "stays on traces", "share of phones near a store told right", scores, seed=seed, beside=beside
        )
    ]


def _judged(found: Sequence[Trace], *, seed: int) -> list[Judged]:
    stays = [list(stay_points(fixes_of(trace))) for trace in found]
    stores = _stores(found, [stay for own in stays for stay in own], seed=seed)
    outcomes = replayed(found, stores)
    verdicts = (
        _verdict(trace, own, store, outcome=outcome)
        for trace, own, outcome in zip(found, stays, outcomes, strict=True)
        for store in stores
    )
    return [one for one in verdicts if one.fixes]


def _stores(found: Sequence[Trace], stays: Sequence[StayPoint], *, seed: int) -> list[Store]:
    """One at each stay, the longest first, unless its premises would overlap; and as many decoys."""
    places: list[Place] = []
    for stay in sorted(stays, key=lambda one: one.lasted_s, reverse=True):
        if all(apart_m(stay.middle, place) > 2 * RADIUS_M for place in places):
            places.append(stay.middle)
    decoys: list[Place] = []
    ways = [place for trace in found for _, place in fixes_of(trace)]
    random.Random(seed).shuffle(ways)  # noqa: S311
    for way in ways:
        far = all(apart_m(way, stay.middle) > DECOY_FROM_STAYS_M for stay in stays)
        if far and all(apart_m(way, decoy) > 2 * RADIUS_M for decoy in decoys):
            decoys.append(way)
        if len(decoys) == len(places):
            break
    return [store_at(f"store-{number}", place) for number, place in enumerate([*places, *decoys])]


def _verdict(trace: Trace, stays: Sequence[StayPoint], store: Store, *, outcome: Outcome) -> Judged:
    point = store.latitude, store.longitude
    return Judged(
        trace.phone,
        [stay for stay in stays if apart_m(stay.middle, point) <= RADIUS_M],
        [at for at, place in fixes_of(trace) if apart_m(place, point) <= RADIUS_M],
        [visit.dwell_s for visit in outcome.visits(store.id)],
    )


def _share(judged: Sequence[Judged], held: Callable[[Judged], bool]) -> Estimate:
    """With Wilson's interval, as if one phone at two stores were two phones."""
    found = binomtest(sum(map(held, judged)), len(judged)).proportion_ci(method="wilson")
    return Estimate(sum(map(held, judged)) / len(judged), float(found.low), float(found.high))
