"""Which zones do these positions touch? All stores' zones in one immutable index, a whole group at once.

Candidates come from a grid of 0.01 degree cells; then boxes, then exact metres: circles from earth-centred
coordinates, polygons from Shapely's prepared predicates. No object is made for a fix that touches nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, earth_centred, metres_per_degree, unwrapped
from m2s.core.places.nearness import Nearness, nearness_of
from m2s.core.places.store import Store
from m2s.core.places.zone import Circle, Polygon, Zone

AWAY_M = 2_000.0
"""A fix farther than this from every zone is away: counted, not stored."""

_CELLS_PER_DEGREE = 100
_COLUMNS = 360 * _CELLS_PER_DEGREE
_ROW = 1 << 20
_MOST_CELLS = 20_000
"""A zone in more cells than this (hundreds of kilometres) is a candidate everywhere."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ZoneRef:
    """A zone and the store that it belongs to."""

    store_id: str
    zone_id: str
    zone: Zone


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of a position and a zone, as indexes; `distance_m` to the zone's edge is negative inside."""

    point_index: Ints
    zone_index: Ints
    distance_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """`away` for each position; and, as in `Matches`, the padded zones that hold a position."""

    away: Bools
    point_index: Ints
    zone_index: Ints
    distance_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ZoneIndex:
    """An immutable index; make it with `ZoneIndex.build`. `zone_index` numbers refer to `zones`.

    `pads_m` is each zone's padding: its leave margin and the store's largest accepted accuracy.
    """

    zones: tuple[ZoneRef, ...]
    pads_m: Floats
    nearness: Nearness
    centres: Floats
    """Earth-centred metres of each zone's middle."""
    middles: Floats
    """Latitude and longitude of each zone's middle."""
    reaches_m: Floats
    is_circle: Bools
    polygons: "_Polygons"
    half_boxes: Floats
    """Half the height and width of each padded zone in degrees."""
    cells: Ints
    cell_starts: Ints
    cell_zones: Ints
    everywhere: Ints

    @classmethod
    def build(cls, stores: Iterable[Store]) -> "ZoneIndex":
        """The index of all zones of these stores, in their order."""
        pairs = [(store, zone) for store in stores for zone in store.zones]
        zones = tuple(ZoneRef(store.id, zone.id, zone) for store, zone in pairs)
        shapes = [ref.zone.shape for ref in zones]
        pads_m = np.array([zone.margin_m + store.visit.max_accuracy_m for store, zone in pairs], dtype=float)
        middles = np.array([(s.latitude, s.longitude) for s in shapes], dtype=float).reshape(-1, 2)
        reaches_m = np.array([s.reach_m for s in shapes], dtype=float)
        half_boxes = _half_boxes(middles[:, 0], reaches_m + pads_m)
        numbers, cells, everywhere = _registered(middles, half_boxes)
        order = np.argsort(cells, kind="stable")
        distinct, starts = np.unique(cells[order], return_index=True)
        return cls(
            zones=zones,
            pads_m=pads_m,
            nearness=nearness_of(shapes, AWAY_M),
            centres=earth_centred(middles[:, 0], middles[:, 1]),
            middles=middles,
            reaches_m=reaches_m,
            is_circle=np.array([isinstance(s, Circle) for s in shapes], dtype=np.bool_),
            polygons=_polygons(shapes),
            half_boxes=half_boxes,
            cells=distinct,
            cell_starts=np.append(starts, cells.size).astype(np.int64),
            cell_zones=numbers[order],
            everywhere=everywhere,
        )

    def locate(self, latitudes: Floats, longitudes: Floats) -> Located:
        """The hot path: which positions are away, and which padded zones hold the others."""
        near = self.near_any(latitudes, longitudes)
        chosen = np.flatnonzero(near)
        found = self.match_padded(latitudes[chosen], longitudes[chosen])
        return Located(~near, chosen[found.point_index], found.zone_index, found.distance_m)

    def near_any(self, latitudes: Floats, longitudes: Floats) -> Bools:
        """Whether each position is within 2 km of any zone (up to 2.3 km may count as near)."""
        return self.nearness.near(latitudes, longitudes)

    def match(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The zones that hold each position; the edge counts as inside."""
        found = self.match_padded(latitudes, longitudes)
        return _kept(found, found.distance_m <= 0.0)

    def match_padded(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The padded zones that hold each position, with the distance to the zone's own edge."""
        point, zone = self._candidates(latitudes, longitudes)
        beside = unwrapped(longitudes[point], self.middles[zone, 1]) - self.middles[zone, 1]
        boxed = (np.abs(latitudes[point] - self.middles[zone, 0]) <= self.half_boxes[zone, 0]) & (
            np.abs(beside) <= self.half_boxes[zone, 1]
        )
        point, zone = point[boxed], zone[boxed]
        found = Matches(point, zone, self._distances_m(latitudes[point], longitudes[point], zone))
        return _kept(found, found.distance_m <= self.pads_m[zone])

    def nearest(self, latitude: float, longitude: float, *, limit: int) -> list[tuple[ZoneRef, float]]:
        """The nearest zones and their distances in metres (0 inside), nearest first, then nearest middle."""
        if limit <= 0 or not self.zones:
            return []
        middle_m = np.linalg.norm(self.centres - earth_centred(latitude, longitude), axis=1)
        at_least_m = np.maximum(0.0, middle_m - self.reaches_m)
        order = np.argsort(at_least_m, kind="stable")
        enough_m = float(self._exact_m(latitude, longitude, order[:limit]).max()) + 0.001
        chosen = order[: max(limit, int(np.searchsorted(at_least_m[order], enough_m)))]
        exact_m = self._exact_m(latitude, longitude, chosen)
        ranked = sorted(zip(exact_m.tolist(), middle_m[chosen].tolist(), chosen.tolist(), strict=True))
        return [(self.zones[number], distance_m) for distance_m, _, number in ranked[:limit]]

    def _exact_m(self, latitude: float, longitude: float, numbers: Ints) -> Floats:
        latitudes = np.full(numbers.size, latitude)
        exact_m: Floats = np.maximum(
            0.0, self._distances_m(latitudes, np.full(numbers.size, longitude), numbers)
        )
        return exact_m

    def _candidates(self, latitudes: Floats, longitudes: Floats) -> tuple[Ints, Ints]:
        """Pairs of a position and a zone registered in the position's cell."""
        if not self.zones:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        keys = _cell_keys(latitudes, longitudes)
        cell = np.minimum(np.searchsorted(self.cells, keys), self.cells.size - 1)
        point = np.flatnonzero(self.cells[cell] == keys) if self.cells.size else np.empty(0, np.int64)
        starts = self.cell_starts[cell[point]]
        counts = self.cell_starts[cell[point] + 1] - starts
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        zone = self.cell_zones[np.repeat(starts, counts) + offsets]
        point = np.repeat(point, counts)
        if self.everywhere.size:
            point = np.concatenate((point, np.repeat(np.arange(latitudes.size), self.everywhere.size)))
            zone = np.concatenate((zone, np.tile(self.everywhere, latitudes.size)))
        return point, zone

    def _distances_m(self, latitudes: Floats, longitudes: Floats, zone: Ints) -> Floats:
        """Signed metres of each position to the edge of its zone."""
        offsets = earth_centred(latitudes, longitudes) - self.centres[zone]
        distances: Floats = np.sqrt(np.einsum("ij,ij->i", offsets, offsets)) - self.reaches_m[zone]
        pair = np.flatnonzero(~self.is_circle[zone])
        if pair.size:
            around = unwrapped(longitudes[pair], self.middles[zone[pair], 1])
            distances[pair] = self.polygons.signed_m(offsets[pair], latitudes[pair], around, zone=zone[pair])
        return distances


@dataclass(frozen=True, slots=True, eq=False)
class _Polygons:
    """What many polygons need at once, by zone number: `Polygon.signed_distances_m` over pairs."""

    easts: Floats
    norths: Floats
    outlines: NDArray[np.object_]
    areas: NDArray[np.object_]

    def signed_m(self, offsets: Floats, latitudes: Floats, around: Floats, *, zone: Ints) -> Floats:
        east = np.einsum("ij,ij->i", offsets, self.easts[zone])
        north = np.einsum("ij,ij->i", offsets, self.norths[zone])
        distances = shapely.distance(self.outlines[zone], shapely.points(east, north))
        signed: Floats = np.where(
            shapely.intersects_xy(self.areas[zone], around, latitudes), -distances, distances
        )
        return signed


def _polygons(shapes: Sequence[Circle | Polygon]) -> _Polygons:
    easts, norths = np.zeros((len(shapes), 3)), np.zeros((len(shapes), 3))
    outlines, areas = np.empty(len(shapes), dtype=object), np.empty(len(shapes), dtype=object)
    for number, shape in enumerate(shapes):
        if isinstance(shape, Polygon):
            easts[number], norths[number] = shape.frame.east, shape.frame.north
            outlines[number], areas[number] = shape.outline, shape.geometry
    return _Polygons(easts, norths, outlines, areas)


def _kept(found: Matches, keep: Bools) -> Matches:
    return Matches(found.point_index[keep], found.zone_index[keep], found.distance_m[keep])


def _half_boxes(latitudes: Floats, reaches_m: Floats) -> Floats:
    """Half height and half width in degrees, a little too large, of circles of this reach."""
    north_m, _ = metres_per_degree(0.0)
    height = 1.001 * reaches_m / north_m
    _, east_m = metres_per_degree(np.minimum(89.9, np.abs(latitudes) + height))
    return np.stack((height, np.minimum(180.0, 1.001 * reaches_m / east_m)), axis=-1)


def _cell_keys(latitudes: Floats, longitudes: Floats) -> Ints:
    row = np.floor((latitudes + 90.0) * _CELLS_PER_DEGREE).astype(np.int64)
    column = np.floor((longitudes + 180.0) * _CELLS_PER_DEGREE).astype(np.int64) % _COLUMNS
    return row * _ROW + column


def _registered(middles: Floats, half_boxes: Floats) -> tuple[Ints, Ints, Ints]:
    """Pairs of a zone and the key of a cell that its padded box touches; and the zones too large for that."""
    low = np.floor((middles - half_boxes + (90.0, 180.0)) * _CELLS_PER_DEGREE).astype(np.int64)
    high = np.floor((middles + half_boxes + (90.0, 180.0)) * _CELLS_PER_DEGREE).astype(np.int64)
    tall, wide = (high - low + 1).T
    wide = np.minimum(wide, _COLUMNS)
    many = tall * wide > _MOST_CELLS
    counts = np.where(many, 0, tall * wide)
    number = np.repeat(np.arange(counts.size), counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row = low[number, 0] + step // wide[number]
    column = (low[number, 1] + step % wide[number]) % _COLUMNS
    return number, row * _ROW + column, np.flatnonzero(many)
