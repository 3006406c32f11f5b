"""What would another radius or dwell change at a store, and who only drives by? Told by the evidence that there is.

Evidence holds distances to the edge, so a circle can be judged as if it were larger or smaller, as far as evidence
beyond its edge is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import quantiles

import numpy as np
from msgspec import structs

from m2s.core.places.check import TOO_SMALL_M, Finding
from m2s.core.places.inside import CIRCLE_CERTAIN, SIGMAS_PER_ACCURACY, in_circles
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES, Circle, Zone
from m2s.core.presence.evidence import Evidence, Kind
from m2s.core.presence.quality import Fix, Verdict, fix_of, judge
from m2s.core.presence.rules import StayRules, fence_fits
from m2s.core.presence.visit import Stay, StayKind, classify, stays

LEAST = 30
"""Fewer stays, or positions, than this say nothing of a store."""
FACTORS = (0.75, 1.0, 1.25, 1.5)
"""The radii that are compared, as parts of the store's."""
DRIVE_BY_SHARE, SHORT_SHARE = 0.3, 0.8

_AS_MANY, _MORE = 0.95, 1.2
_DWELLS = (1.0, 0.75, 1.25, 0.5, 1.5, 2.0)
_NEAR_DWELL = 0.15
_LEAST_NEAR = 10
_INSIDE = frozenset({Verdict.INSIDE, Verdict.MAYBE, Verdict.MOVING})


@dataclass(slots=True)
class Tally:
    """What the evidence of a store's shoppers adds up to.

    `positions` claim to be inside, `moving` of them faster than walking. `dwells_s` are those of the stays that beacons
    did not hear, `visits` counts by factor of the radius, `depths_m` are how far inside the edge the positions of
    stays lie.
    """

    positions: int = 0
    moving: int = 0
    stays: int = 0
    short: int = 0
    dwells_s: list[int] = field(default_factory=list)
    depths_m: list[float] = field(default_factory=list)
    visits: dict[float, int] = field(default_factory=lambda: dict.fromkeys(FACTORS, 0))


def tally(into: Tally, evidence: Sequence[Evidence], store: Store, *, rules: StayRules) -> None:
    """Adds the evidence of the premises that there is of one shopper at a store."""
    fixes = [one for one in evidence if one.kind is Kind.LOCATION and one.boundary_distance_m is not None]
    verdicts = _verdicts(fixes, rules)
    into.positions += len(verdicts)
    into.moving += verdicts.count(Verdict.MOVING)
    found = stays(evidence, rules)
    into.stays += len(found)
    into.short += sum(classify(stay, rules) is StayKind.PASSER_BY for stay in found)
    into.dwells_s += [stay.dwell_s for stay in found if not stay.heard]
    into.depths_m += [
        -(one.boundary_distance_m or 0.0)
        for one in fixes
        if any(stay.start_ms <= one.at_ms <= stay.end_ms for stay in found)
    ]
    shape = store.premises.shape
    if isinstance(shape, Circle):
        for factor in FACTORS:
            wider = as_if_wider(evidence, shape, factor)
            zone = Zone(PREMISES, replace(shape, radius_m=shape.radius_m * factor))
            other = replace(rules, leave_margin_m=zone.margin_m, fence_fits=fence_fits(zone))
            into.visits[factor] += _visits(stays(wider, other), other)


def _verdicts(fixes: Sequence[Evidence], rules: StayRules) -> list[Verdict]:
    """What the positions say that claim to be inside."""
    previous: dict[str, Fix] = {}
    found = []
    for one in sorted(fixes, key=lambda one: one.at_ms):
        verdict = judge(
            one,
            previous.get(one.device_id),
            max_accuracy_m=rules.max_accuracy_m,
            leave_margin_m=rules.leave_margin_m,
        )
        fix = fix_of(one, verdict)
        if fix is not None:
            previous[one.device_id] = fix
        if verdict in _INSIDE:
            found.append(verdict)
    return found


def _visits(found: Sequence[Stay], rules: StayRules) -> int:
    return sum(classify(stay, rules) is StayKind.VISIT for stay in found)


def as_if_wider(evidence: Sequence[Evidence], circle: Circle, factor: float) -> list[Evidence]:
    """The evidence as it would be if the circle's radius were so many times what it is."""
    if factor == 1.0:
        return list(evidence)
    radius_m = circle.radius_m * factor
    fixes = [one for one in evidence if one.boundary_distance_m is not None and one.accuracy_m is not None]
    others = [one for one in evidence if one.boundary_distance_m is None or one.accuracy_m is None]
    if not fixes:
        return others
    distances_m = np.array([one.boundary_distance_m for one in fixes]) + circle.radius_m - radius_m
    sigmas_m = np.array([one.accuracy_m for one in fixes]) / SIGMAS_PER_ACCURACY
    probabilities = np.where(distances_m <= 0.0, 1.0, 0.0)
    unsure = np.abs(distances_m) < CIRCLE_CERTAIN * sigmas_m
    if unsure.any():
        radii_m = np.full(int(unsure.sum()), radius_m)
        probabilities[unsure] = in_circles(radii_m, distances_m[unsure], sigmas_m=sigmas_m[unsure])
    told = zip(fixes, distances_m.tolist(), probabilities.tolist(), strict=True)
    return others + [
        structs.replace(one, boundary_distance_m=distance_m, inside_probability=probability)
        for one, distance_m, probability in told
    ]


def advice(store: Store, seen: Tally) -> list[Finding]:
    """What the evidence of a store says should be looked at, with the numbers that it rests on."""
    return [*_drive_by(store, seen), *_short(store, seen), *_radius(store, seen), *_dwell(store, seen)]


def too_few(stores: int) -> Finding:
    """That so many stores have evidence, but not enough to say anything."""
    which = "1 store has" if stores == 1 else f"{stores} stores have"
    detail = (
        f"{which} fewer than {LEAST} stays in the evidence looked at: too few to advise on radius and dwell"
    )
    return Finding(None, "note", "too_few_stays", detail, "look again when more shoppers have come")


def _drive_by(store: Store, seen: Tally) -> Iterator[Finding]:
    if seen.positions >= LEAST and seen.moving >= DRIVE_BY_SHARE * seen.positions:
        detail = f"{_share(seen.moving, seen.positions)} of {seen.positions} positions inside move faster than walking"
        advice = "a road runs through the premises: make them smaller, or draw the outline"
        yield Finding(store.id, "warning", "drive_by", detail, advice)


def _short(store: Store, seen: Tally) -> Iterator[Finding]:
    if seen.stays >= LEAST and seen.short >= SHORT_SHARE * seen.stays:
        detail = f"{_share(seen.short, seen.stays)} of {seen.stays} stays are too short to be visits"
        advice = (
            "the premises reach into the street, or people come for less time: see radius and dwell_min_s"
        )
        yield Finding(store.id, "note", "short_stays", detail, advice)


def _radius(store: Store, seen: Tally) -> Iterator[Finding]:
    shape = store.premises.shape
    if not isinstance(shape, Circle) or seen.stays < LEAST or seen.visits[1.0] == 0:
        return
    best = _best_factor(seen.visits, may_shrink_to=0.0 if store.beacons else TOO_SMALL_M / shape.radius_m)
    if best == 1.0:
        return
    counts = ", ".join(f"{shape.radius_m * factor:.0f} m {many}" for factor, many in seen.visits.items())
    near_m, _, deep_m = quantiles(seen.depths_m, n=4) if len(seen.depths_m) > 1 else [0.0] * 3
    detail = (
        f"visits by radius: {counts} (of {seen.stays} stays, the middle half of their positions"
        f" {near_m:.0f} m to {deep_m:.0f} m inside the edge)"
    )
    why = "finds more visits" if best > 1.0 else "finds as many visits and holds less of the street"
    advice = f"premises_radius_m {shape.radius_m * best:.0f} {why}"
    yield Finding(store.id, "note", "radius", detail, advice)


def _best_factor(visits: dict[float, int], *, may_shrink_to: float) -> float:
    """A larger radius that finds clearly more visits, else the smallest that finds as many; 1 where neither is."""
    larger = {factor: many for factor, many in visits.items() if factor > 1.0}
    most = max(larger.values())
    if most >= _MORE * visits[1.0]:
        return min(factor for factor, many in larger.items() if many >= _AS_MANY * most)
    smaller = [f for f in FACTORS if may_shrink_to <= f < 1.0 and visits[f] >= _AS_MANY * visits[1.0]]
    return min(smaller, default=1.0)


def _dwell(store: Store, seen: Tally) -> Iterator[Finding]:
    if len(seen.dwells_s) < LEAST:
        return
    now_s = store.visit.dwell_min_s
    near = {factor: _near(seen.dwells_s, now_s * factor) for factor in _DWELLS}
    best = min(_DWELLS, key=near.__getitem__)
    if near[1.0] < _LEAST_NEAR or near[best] > near[1.0] / 2:
        return
    other_s = round(now_s * best)
    detail = (
        f"{near[1.0]} of {len(seen.dwells_s)} stays last about as long as dwell_min_s, {now_s},"
        f" and {near[best]} about {other_s} s"
    )
    longer, longer_other = (
        sum(dwell_s >= least_s for dwell_s in seen.dwells_s) for least_s in (now_s, other_s)
    )
    advice = f"dwell_min_s {other_s} parts visits from passers-by more clearly: {longer_other} visits, not {longer}"
    yield Finding(store.id, "note", "dwell", detail, advice)


def _near(dwells_s: Sequence[int], dwell_s: float) -> int:
    return sum(abs(one - dwell_s) <= _NEAR_DWELL * dwell_s for one in dwells_s)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}"
