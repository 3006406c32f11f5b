"""Which zones do these positions touch? All stores' zones in one immutable index, a whole group at once.

Candidates come from a table of cells; then enclosing circles, then exact metres: circles from earth-centred
coordinates, polygons from Shapely's prepared predicates. No object is made for a fix that touches nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, earth_centred, earth_centred_one, metres_per_degree, unwrapped
from m2s.core.places.inside import CIRCLE_CERTAIN, POLYGON_CERTAIN, SIGMAS_PER_ACCURACY, Outlines, in_circles
from m2s.core.places.nearness import Bools, CellTable, Ints, bow_m, cell_table, cells_touched
from m2s.core.places.store import Store
from m2s.core.places.zone import Circle, Polygon, Zone

AWAY_M = 2_000.0
"""A fix farther than this from every zone is away: counted, not stored."""

_BESIDE_M = AWAY_M + 300.0
_MOST_CELLS = 50_000
"""A zone with more cells near it than this (150 km across) is a candidate everywhere."""
_FEW = 32
"""So many positions cost as much one by one as all at once."""
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
        if latitudes.size <= _FEW:
            return self._locate_singly(latitudes, longitudes)
        return self._locate_together(latitudes, longitudes)

    def _locate_together(self, latitudes: Floats, longitudes: Floats) -> Located:
        cell, near, held = self._looked_up(latitudes, longitudes)
        found = self._held(latitudes, longitudes, cell=cell, chosen=(near & held).nonzero()[0])
        return Located(~near, found.point_index, found.zone_index, found.distance_m)

    def locate_one(self, latitude: float, longitude: float) -> tuple[bool, list[tuple[int, float]]]:
        """As `locate`, for one position: whether it is away, and (zone, distance) of the padded zones that hold it."""
        if self.everywhere.size:
            located = self._locate_together(np.array([latitude]), np.array([longitude]))
            pairs = zip(located.zone_index.tolist(), located.distance_m.tolist(), strict=True)
            return bool(located.away[0]), list(pairs)
        cell, near, held = self.table.look_up_one(latitude, longitude)
        if not (near and held):
            return not near, []
        x, y, z = earth_centred_one(latitude, longitude)
        starts = self.table.starts
        found = []
        for number in self.table.zones[starts[cell] : starts[cell + 1]].tolist():
            to_x, to_y, to_z, reach_m, pad_m, most_m = self.rows[number].tolist()
            middle_m = math.hypot(x - to_x, y - to_y, z - to_z)
            if middle_m > most_m:
                continue
            edge_m = middle_m - reach_m
            if self.is_shaped[number]:
                edge_m = self.polygons.signed_m_one(
                    (x - to_x, y - to_y, z - to_z), latitude, longitude, zone=number
                )
            if edge_m <= pad_m:
                found.append((number, edge_m))
        return False, found

    def _locate_singly(self, latitudes: Floats, longitudes: Floats) -> Located:
        singly = [
            self.locate_one(*place) for place in zip(latitudes.tolist(), longitudes.tolist(), strict=True)
        ]
        found = [(point, *pair) for point, (_, pairs) in enumerate(singly) for pair in pairs]
        return Located(
            np.array([away for away, _ in singly], dtype=np.bool_),
            np.array([point for point, _, _ in found], dtype=np.int64),
            np.array([zone for _, zone, _ in found], dtype=np.int64),
            np.array([distance_m for _, _, distance_m in found], dtype=np.float64),
        )

    def inside_probabilities(
        self, latitudes: Floats, longitudes: Floats, *, accuracies_m: Floats, zone: Ints, distances_m: Floats
    ) -> Floats:
        """How probable it is that each fix, with this 68 % radius, was taken inside its zone; radius 0 decides.

        `zone` is the number of a zone for each fix, `distances_m` those to its edge. Circles are exact to 1e-4,
        polygons to 0.02.
        """
        sigmas_m = accuracies_m / SIGMAS_PER_ACCURACY
        is_shaped = self.is_shaped[zone]
        reaches_m = self.rows[zone, 3]
        certain = np.where(is_shaped, POLYGON_CERTAIN, CIRCLE_CERTAIN) * sigmas_m
        unsure = (np.abs(distances_m) < certain) & (reaches_m > 0.0)
        probabilities = (distances_m <= 0.0).astype(np.float64)
        circles = (unsure & ~is_shaped).nonzero()[0]
        if circles.size:
            probabilities[circles] = in_circles(
                reaches_m[circles], distances_m[circles], sigmas_m=sigmas_m[circles]
            )
        shaped = (unsure & is_shaped).nonzero()[0]
        if shaped.size:
            numbers = zone[shaped]
            offsets = earth_centred(latitudes[shaped], longitudes[shaped]) - self.rows[numbers, :3]
            probabilities[shaped] = self.polygons.edges.hold(
                numbers, self.polygons.local(offsets, numbers), sigmas_m=sigmas_m[shaped]
            )
        return probabilities

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
    edges: Outlines

    def local(self, offsets: Floats, zone: Ints) -> Floats:
        """Metres east and north of each polygon's middle."""
        places: Floats = np.vecdot(offsets[:, None], self.axes[zone])
        return places

    def signed_m(self, offsets: Floats, latitudes: Floats, longitudes: Floats, *, zone: Ints) -> Floats:
        distances = shapely.distance(self.outlines[zone], shapely.points(self.local(offsets, zone)))
        around = unwrapped(longitudes, self.middles[zone])
        inside = shapely.intersects_xy(self.areas[zone], around, latitudes)
        signed: Floats = np.where(inside, -distances, distances)
        return signed

    def signed_m_one(
        self, offset: tuple[float, float, float], latitude: float, longitude: float, *, zone: int
    ) -> float:
        """As `signed_m`, for one pair."""
        east, north = self.axes[zone].tolist()
        place = shapely.points(
            sum(o * e for o, e in zip(offset, east, strict=True)),
            sum(o * n for o, n in zip(offset, north, strict=True)),
        )
        distance_m = float(shapely.distance(self.outlines[zone], place))
        around = float(unwrapped(longitude, self.middles[zone]))
        return -distance_m if shapely.intersects_xy(self.areas[zone], around, latitude) else distance_m


def _polygons(shapes: Sequence[Circle | Polygon]) -> _Polygons:
    axes, middles = np.zeros((len(shapes), 2, 3)), np.zeros(len(shapes))
    outlines, areas = np.empty(len(shapes), dtype=object), np.empty(len(shapes), dtype=object)
    for number, shape in enumerate(shapes):
        if isinstance(shape, Polygon):
            axes[number], middles[number] = (shape.frame.east, shape.frame.north), shape.longitude
            outlines[number], areas[number] = shape.outline, shape.geometry
    return _Polygons(axes, middles, outlines, areas, Outlines.of(outlines))


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
