"""Which zones do these positions touch? All stores' zones in one immutable index, a whole group at once.

Candidates come from a table of cells; then enclosing circles, then exact metres: circles from earth-centred
coordinates, polygons from Shapely's prepared predicates. No object is made for a fix that touches nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, earth_centred, metres_per_degree, unwrapped
from m2s.core.places.nearness import Bools, CellTable, Ints, bow_m, cell_table, cells_touched
from m2s.core.places.store import Store
from m2s.core.places.zone import Circle, Polygon, Zone

AWAY_M = 2_000.0
"""A fix farther than this from every zone is away: counted, not stored."""

_BESIDE_M = AWAY_M + 300.0
_MOST_CELLS = 50_000
"""A zone with more cells near it than this (150 km across) is a candidate everywhere."""
_CHORD = 1.5
"""A chord is at most this much longer (√2) than what a plane shows of it, up to a quarter of the earth away."""
_MOST_BOW_M = 15.0
"""A polygon whose edges (tens of kilometres long) bow more is a candidate everywhere: `near` has 300 m to err."""
_MOST_LATITUDE = 89.0
"""Nearer to a pole a distance in degrees of longitude tells nothing: a zone there is a candidate everywhere."""


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

    `rows` holds per zone what a match needs, side by side, as one look costs less than five: its earth-centred
    middle (x, y, z), `reach_m`, its padding (its leave margin and the store's largest accepted accuracy), and how
    far from the middle a padded zone can hold anything at most, all in metres.
    """

    zones: tuple[ZoneRef, ...]
    table: CellTable
    rows: Floats
    is_shaped: Bools
    polygons: "_Polygons"
    everywhere: Ints
    """The zones that the table leaves out."""

    @classmethod
    def build(cls, stores: Iterable[Store]) -> "ZoneIndex":
        """The index of all zones of these stores, in their order."""
        pairs = [(store, zone) for store in stores for zone in store.zones]
        zones = tuple(ZoneRef(store.id, zone.id, zone) for store, zone in pairs)
        shapes = [ref.zone.shape for ref in zones]
        pads_m = np.array([zone.margin_m + store.visit.max_accuracy_m for store, zone in pairs], dtype=float)
        middles = np.array([(s.latitude, s.longitude) for s in shapes], dtype=float).reshape(-1, 2)
        reaches_m = np.array([s.reach_m for s in shapes], dtype=float)
        half = _half_boxes(middles[:, 0], reaches_m + pads_m)
        beside = np.maximum(half, _half_boxes(middles[:, 0], reaches_m + _BESIDE_M))
        large = cells_touched(middles - beside, middles + beside) > _MOST_CELLS
        large |= np.array([bow_m(s) > _MOST_BOW_M for s in shapes], dtype=np.bool_)
        most_m = np.where(large, _CHORD, 1.001) * (reaches_m + pads_m)
        centres = earth_centred(middles[:, 0], middles[:, 1])
        numbers = np.flatnonzero(~large)
        return cls(
            zones=zones,
            table=cell_table(
                [shapes[number] for number in numbers.tolist()],
                AWAY_M,
                numbers=numbers,
                low=(middles - half)[numbers],
                high=(middles + half)[numbers],
            ),
            rows=np.column_stack((centres, reaches_m, pads_m, most_m)),
            is_shaped=np.array([isinstance(s, Polygon) for s in shapes], dtype=np.bool_),
            polygons=_polygons(shapes),
            everywhere=np.flatnonzero(large),
        )

    @property
    def pads_m(self) -> Floats:
        """How far outside its edge each padded zone holds a position."""
        return self.rows[:, 4]

    def locate(self, latitudes: Floats, longitudes: Floats) -> Located:
        """The hot path: which positions are away, and which padded zones hold the others."""
        cell, near, held = self._looked_up(latitudes, longitudes)
        found = self._held(latitudes, longitudes, cell=cell, chosen=(near & held).nonzero()[0])
        return Located(~near, found.point_index, found.zone_index, found.distance_m)

    def near_any(self, latitudes: Floats, longitudes: Floats) -> Bools:
        """Whether each position is within 2 km of any zone (up to 2.3 km may count as near)."""
        return self._looked_up(latitudes, longitudes)[1]

    def match(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The zones that hold each position; the edge counts as inside."""
        found = self.match_padded(latitudes, longitudes)
        return _kept(found, found.distance_m <= 0.0)

    def match_padded(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The padded zones that hold each position, with the distance to the zone's own edge."""
        cell, _, held = self._looked_up(latitudes, longitudes)
        return self._held(latitudes, longitudes, cell=cell, chosen=held.nonzero()[0])

    def nearest(self, latitude: float, longitude: float, *, limit: int) -> list[tuple[ZoneRef, float]]:
        """The nearest zones and their distances in metres (0 inside), nearest first, then nearest middle."""
        if limit <= 0 or not self.zones:
            return []
        middle_m = np.linalg.norm(self.rows[:, :3] - earth_centred(latitude, longitude), axis=1)
        at_least_m = np.maximum(0.0, middle_m - self.rows[:, 3])
        order = np.argsort(at_least_m, kind="stable")
        enough_m = float(self._exact_m(latitude, longitude, order[:limit]).max()) + 0.001
        chosen = order[: max(limit, int(np.searchsorted(at_least_m[order], enough_m)))]
        exact_m = self._exact_m(latitude, longitude, chosen)
        ranked = sorted(zip(exact_m.tolist(), middle_m[chosen].tolist(), chosen.tolist(), strict=True))
        return [(self.zones[number], distance_m) for distance_m, _, number in ranked[:limit]]

    def _exact_m(self, latitude: float, longitude: float, numbers: Ints) -> Floats:
        latitudes, longitudes = np.full(numbers.size, latitude), np.full(numbers.size, longitude)
        offsets = earth_centred(latitudes, longitudes) - self.rows[numbers, :3]
        exact_m: Floats = np.maximum(0.0, self._edges_m(latitudes, longitudes, offsets=offsets, zone=numbers))
        return exact_m

    def _looked_up(self, latitudes: Floats, longitudes: Floats) -> tuple[Ints, Bools, Bools]:
        """As `CellTable.look_up`, with the zones that it leaves out."""
        cell, near, held = self.table.look_up(latitudes, longitudes)
        if self.everywhere.size:
            held[:] = True
            places = earth_centred(latitudes, longitudes)
        for number in self.everywhere.tolist():
            shape, row = self.zones[number].zone.shape, self.rows[number]
            middle_m = np.linalg.norm(places - row[:3], axis=1)
            beside = np.flatnonzero(middle_m <= _CHORD * (row[3] + AWAY_M))
            near[beside] |= shape.signed_distances_m(latitudes[beside], longitudes[beside]) <= AWAY_M
        return cell, near, held

    def _held(self, latitudes: Floats, longitudes: Floats, *, cell: Ints, chosen: Ints) -> Matches:
        """The padded zones that hold the chosen positions, each in its cell."""
        pair, zone = self.table.candidates(cell[chosen])
        if self.everywhere.size:
            pair = np.concatenate((pair, np.repeat(np.arange(chosen.size), self.everywhere.size)))
            zone = np.concatenate((zone, np.tile(self.everywhere, chosen.size)))
        rows = self.rows[zone]
        offsets = earth_centred(latitudes[chosen], longitudes[chosen])[pair] - rows[:, :3]
        middle_m = np.sqrt(np.vecdot(offsets, offsets))
        kept = (middle_m <= rows[:, 5]).nonzero()[0]
        point, zone = chosen[pair[kept]], zone[kept]
        edges_m = self._edges_m(latitudes[point], longitudes[point], offsets=offsets[kept], zone=zone)
        return _kept(Matches(point, zone, edges_m), edges_m <= rows[kept, 4])

    def _edges_m(self, latitudes: Floats, longitudes: Floats, *, offsets: Floats, zone: Ints) -> Floats:
        """Signed metres of each position, at this offset from its zone's middle, to the zone's edge."""
        edges_m: Floats = np.sqrt(np.vecdot(offsets, offsets)) - self.rows[zone, 3]
        shaped = self.is_shaped[zone].nonzero()[0]
        if shaped.size:
            edges_m[shaped] = self.polygons.signed_m(
                offsets[shaped], latitudes[shaped], longitudes[shaped], zone=zone[shaped]
            )
        return edges_m


@dataclass(frozen=True, slots=True, eq=False)
class _Polygons:
    """What many polygons need at once, by zone number: `Polygon.signed_distances_m` over pairs."""

    axes: Floats
    """East and north of each polygon's frame."""
    middles: Floats
    """The longitude of each middle in degrees."""
    outlines: NDArray[np.object_]
    areas: NDArray[np.object_]

    def signed_m(self, offsets: Floats, latitudes: Floats, longitudes: Floats, *, zone: Ints) -> Floats:
        local = np.vecdot(offsets[:, None], self.axes[zone])
        distances = shapely.distance(self.outlines[zone], shapely.points(local))
        around = unwrapped(longitudes, self.middles[zone])
        inside = shapely.intersects_xy(self.areas[zone], around, latitudes)
        signed: Floats = np.where(inside, -distances, distances)
        return signed


def _polygons(shapes: Sequence[Circle | Polygon]) -> _Polygons:
    axes, middles = np.zeros((len(shapes), 2, 3)), np.zeros(len(shapes))
    outlines, areas = np.empty(len(shapes), dtype=object), np.empty(len(shapes), dtype=object)
    for number, shape in enumerate(shapes):
        if isinstance(shape, Polygon):
            axes[number], middles[number] = (shape.frame.east, shape.frame.north), shape.longitude
            outlines[number], areas[number] = shape.outline, shape.geometry
    return _Polygons(axes, middles, outlines, areas)


def _kept(found: Matches, keep: Bools) -> Matches:
    return Matches(found.point_index[keep], found.zone_index[keep], found.distance_m[keep])


def _half_boxes(latitudes: Floats, reaches_m: Floats) -> Floats:
    """Half height and half width in degrees, a little too large, of circles of this reach."""
    north_m, _ = metres_per_degree(0.0)
    height = 1.001 * reaches_m / north_m
    most = np.abs(latitudes) + height
    _, east_m = metres_per_degree(np.minimum(_MOST_LATITUDE, most))
    width = np.where(most < _MOST_LATITUDE, np.minimum(180.0, 1.001 * reaches_m / east_m), 180.0)
    return np.stack((height, width), axis=-1)
