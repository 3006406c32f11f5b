"""Which regions should this phone watch? Circles and beacons by worth and distance, and how far the plan holds.

A region costs (500 m + distance) / worth, and the cheapest get the slots. A step of a metre changes a cost by at
most 1 / worth, so that the plan knows how far the phone may go before another region could become the cheapest.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from m2s.core.places.geo import Floats, earth_centred
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.places.zone_index import ZoneIndex, ZoneRef

MOST_REGIONS = {"ios": 20, "android": 100}
"""What the operating system lets one app watch, circles and beacons together."""
SMALLEST_RADIUS_M = 100.0
"""Smaller circles are not noticed in time by a phone (vendors advise 100 to 200 m)."""
REFRESH_AFTER_S = 86_400
REFRESH = "refresh"
"""The id of the circle round the phone; no store's region has an id without a slash."""

NEEDED, SENSES, OTHER = 4.0, 2.0, 1.0
"""What a region is worth: a trigger that may fire while the plan holds needs it; it finds visits; neither."""
FAR_M = 5_000.0
"""Five minutes at 60 km/h: so late a phone may tell that it has left a circle."""
_SCALE_M = 500.0
_NEAREST_REFRESH_M, _FARTHEST_REFRESH_M = 200.0, 50_000.0
_DECIMALS = 3
OFF_CENTRE_M = 80.0
"""Phones within so many metres are planned for alike: in degrees of so many decimals they are at one position."""
_CURVED = 1.001
"""A polygon's reach is measured in a plane: up to 50 km it is too short by far less than this."""


class Needs(Protocol):
    """Where triggers need to know of a shopper: in a zone of a store, or by the beacons of one of its places."""

    def zone(self, store_id: str, zone_id: str) -> bool: ...
    def place(self, store_id: str, place: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Region:
    """A circle to watch. `id` is `store_id/zone_id`; the circle contains the zone."""

    id: str
    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class BeaconRegion:
    """All beacons of one uuid and major; several stores may share them."""

    id: str
    uuid: str
    major: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to watch, best first, and the circle within which that holds, for `REFRESH_AFTER_S` seconds.

    Everywhere in the refresh circle the best region is among those planned, or all others are at least `FAR_M`
    away; unless there is so much that the circle has the smallest radius, 200 m. `version` is of all of it.
    """

    circles: tuple[Region, ...]
    beacons: tuple[BeaconRegion, ...]
    refresh: Region

    @property
    def refresh_after_m(self) -> float:
        """How far the phone may go from where it asked."""
        return self.refresh.radius_m - OFF_CENTRE_M

    @property
    def version(self) -> str:
        """Changes with, and only with, what is planned."""
        text = repr((self.circles, self.beacons, self.refresh))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Candidate:
    region: Region | BeaconRegion | None
    worth: float
    distance_m: float

    @property
    def cost_m(self) -> float:
        return (_SCALE_M + self.distance_m) / self.worth


def plan_regions(
    index: ZoneIndex,
    stores: Mapping[str, Store],
    needs: Needs,
    *,
    latitude: float,
    longitude: float,
    slots: int,
) -> Plan:
    """The plan for a phone near a position; the refresh circle takes one of the slots."""
    latitude, longitude = round(latitude, _DECIMALS), round(longitude, _DECIMALS)
    radii_m = _radii_m(index)
    middles_m = np.linalg.norm(index.rows[:, :3] - earth_centred(latitude, longitude), axis=1)
    distances_m = np.maximum(0.0, middles_m - radii_m)
    most, seen = slots - 1, 8 * slots
    while True:
        near = np.argpartition(distances_m, seen)[: seen + 1] if seen < distances_m.size else None
        numbers = range(distances_m.size) if near is None else near[:-1].tolist()
        candidates = [
            candidate
            for number in numbers
            for candidate in _candidates(
                index.zones[number],
                stores,
                needs,
                distance_m=float(distances_m[number]),
                radius_m=float(radii_m[number]),
            )
        ]
        # All that was not looked at is at least so far away, and at most so much worth.
        unseen = [] if near is None else [_Candidate(None, NEEDED, float(distances_m[near[-1]]))]
        chosen, left = _shared_out(candidates, most)
        if not unseen or (len(chosen) == most and all(c.cost_m <= unseen[0].cost_m for c in chosen)):
            break
        seen *= 4
    regions = [candidate.region for candidate in chosen]
    radius_m = _refresh_radius_m(chosen, [*left, *unseen])
    return Plan(
        tuple(region for region in regions if isinstance(region, Region)),
        tuple(region for region in regions if isinstance(region, BeaconRegion)),
        Region(REFRESH, latitude, longitude, radius_m),
    )


def _radii_m(index: ZoneIndex) -> Floats:
    """The radius of each zone's circle."""
    reaches_m = index.rows[:, 3]
    contain_m = np.where(index.is_shaped, np.ceil(reaches_m * _CURVED), reaches_m)
    radii_m: Floats = np.maximum(SMALLEST_RADIUS_M, contain_m)
    return radii_m


def _candidates(
    ref: ZoneRef, stores: Mapping[str, Store], needs: Needs, *, distance_m: float, radius_m: float
) -> Iterator[_Candidate]:
    """The zone's circle; and at the premises the store's beacons, which find visits there better than a circle."""
    store, shape = stores[ref.store_id], ref.zone.shape
    # A shape across the antimeridian goes on past 180 degrees; phones do not.
    longitude = shape.longitude - 360.0 * round(shape.longitude / 360.0)
    circle = Region(f"{ref.store_id}/{ref.zone_id}", shape.latitude, longitude, radius_m)
    is_premises, is_needed = ref.zone_id == PREMISES, needs.zone(ref.store_id, ref.zone_id)
    senses = is_premises and not store.beacons
    yield _Candidate(circle, NEEDED if is_needed else SENSES if senses else OTHER, distance_m)
    if not is_premises:
        return
    for uuid, major in dict.fromkeys((beacon.uuid, beacon.major) for beacon in store.beacons):
        places = {b.place for b in store.beacons if (b.uuid, b.major) == (uuid, major) and b.place}
        is_heard_for = is_needed or any(needs.place(store.id, place) for place in places)
        region = BeaconRegion(f"beacon:{uuid}/{major}", uuid, major)
        yield _Candidate(region, NEEDED if is_heard_for else SENSES, distance_m)


def _shared_out(candidates: Iterable[_Candidate], most: int) -> tuple[list[_Candidate], list[_Candidate]]:
    """The best candidates, each region once, and those whose region got no slot."""
    chosen: dict[str, _Candidate] = {}
    left = []
    named = [(candidate.region.id, candidate) for candidate in candidates if candidate.region is not None]
    for name, candidate in sorted(named, key=lambda pair: (pair[1].cost_m, pair[1].distance_m, pair[0])):
        if len(chosen) < most:
            chosen.setdefault(name, candidate)
        elif name not in chosen:
            left.append(candidate)
    return list(chosen.values()), left


def _refresh_radius_m(chosen: list[_Candidate], left: list[_Candidate]) -> float:
    """How far the phone may go until one that was left out could be the best, or within `FAR_M`."""
    if not left:
        return _FARTHEST_REFRESH_M
    radius_m = min(candidate.distance_m for candidate in left) - FAR_M
    if chosen:
        best = chosen[0]
        steps_m = ((c.cost_m - best.cost_m) / (1.0 / c.worth + 1.0 / best.worth) for c in left)
        radius_m = max(radius_m, min(steps_m))
    return float(math.floor(min(_FARTHEST_REFRESH_M, max(_NEAREST_REFRESH_M, radius_m))))
