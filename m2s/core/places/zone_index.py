"""Which zones do these positions touch? All stores' zones in one immutable index, a whole group at once.

Candidates come from a table of cells; then enclosing circles, then exact metres: circles from earth-centred
coordinates, polygons from Shapely. No object is made for a fix that touches nothing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from m2s.core.places.geo import Floats, earth_centred, earth_centred_one
from m2s.core.places.inside import CIRCLE_CERTAIN, POLYGON_CERTAIN, SIGMAS_PER_ACCURACY, in_circles
from m2s.core.places.measured import AWAY_M, CHORD, Measured
from m2s.core.places.nearness import Before, Bools, CellTable, Ints, cell_table
from m2s.core.places.polygons import Polygons
from m2s.core.places.store import Store
from m2s.core.places.zone import Zone

_FEW = 32
"""So many positions cost as much one by one as all at once."""


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
    """Whether each position is `away`; and, as in `Matches`, the padded zones that hold a position.

    What is within 2 km of any zone is never away, what is farther than 2.3 km always.
    """

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

    stores: tuple[Store, ...]
    zones: tuple[ZoneRef, ...]
    table: CellTable
    rows: Floats
    is_shaped: Bools
    polygons: Polygons
    everywhere: Ints
    """The zones that the table leaves out."""
    measured: Measured

    @classmethod
    def build(cls, stores: Iterable[Store], before: "ZoneIndex | None" = None) -> "ZoneIndex":
        """The index of all zones of these stores, in their order; those that are in `before` need little work."""
        stores = tuple(stores)
        if before is None:
            measured = Measured.of(stores)
            table = cell_table(measured.near, measured.padded())
            return cls._of(stores, _refs(stores), measured=measured, table=table)
        fresh, numbers = _numbers(stores, before)
        added = Measured.of(fresh)
        refs = (*before.zones, *_refs(fresh))
        measured = Measured.picked(before.measured, added, numbers)
        renumbered = np.full(len(refs), -1)
        renumbered[numbers] = np.arange(numbers.size)
        gone = renumbered[: len(before.zones)] < 0
        changed = before.measured.bands(gone) | added.bands()
        table = cell_table(
            measured.near,
            measured.padded(),
            before=Before(before.table, renumbered[: len(before.zones)], changed),
        )
        return cls._of(stores, tuple(refs[n] for n in numbers.tolist()), measured=measured, table=table)

    @classmethod
    def _of(
        cls, stores: tuple[Store, ...], zones: tuple[ZoneRef, ...], *, measured: Measured, table: CellTable
    ) -> "ZoneIndex":
        return cls(
            stores=stores,
            zones=zones,
            table=table,
            rows=measured.rows,
            is_shaped=measured.is_shaped,
            polygons=measured.polygons,
            everywhere=np.flatnonzero(measured.is_large),
            measured=measured,
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

    def match(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The zones that hold each position; the edge counts as inside."""
        found = self.match_padded(latitudes, longitudes)
        return _kept(found, found.distance_m <= 0.0)

    def match_padded(self, latitudes: Floats, longitudes: Floats) -> Matches:
        """The padded zones that hold each position, with the distance to the zone's own edge."""
        cell, _, held = self._looked_up(latitudes, longitudes)
        return self._held(latitudes, longitudes, cell=cell, chosen=held.nonzero()[0])

    def _looked_up(self, latitudes: Floats, longitudes: Floats) -> tuple[Ints, Bools, Bools]:
        """As `CellTable.look_up`, with the zones that it leaves out."""
        cell, near, held = self.table.look_up(latitudes, longitudes)
        if self.everywhere.size:
            held[:] = True
            places = earth_centred(latitudes, longitudes)
        for number in self.everywhere.tolist():
            row = self.rows[number]
            offsets = places - row[:3]
            middle_m = np.linalg.norm(offsets, axis=1)
            beside = np.flatnonzero(middle_m <= CHORD * (row[3] + AWAY_M))
            edges_m = middle_m[beside] - row[3]
            if self.is_shaped[number]:
                zone = np.full(beside.size, number)
                edges_m = self.polygons.signed_m(
                    offsets[beside], latitudes[beside], longitudes[beside], zone=zone
                )
            near[beside] |= edges_m <= AWAY_M
        return cell, near, held

    def _held(self, latitudes: Floats, longitudes: Floats, *, cell: Ints, chosen: Ints) -> Matches:
        """The padded zones that hold the chosen positions, each in its cell."""
        # `take` is three times as fast as the brackets.
        pair, zone = self.table.candidates(cell.take(chosen))
        if self.everywhere.size:
            pair = np.concatenate((pair, np.repeat(np.arange(chosen.size), self.everywhere.size)))
            zone = np.concatenate((zone, np.tile(self.everywhere, chosen.size)))
        rows = self.rows.take(zone, axis=0)
        places = earth_centred(latitudes.take(chosen), longitudes.take(chosen))
        offsets = places.take(pair, axis=0) - rows[:, :3]
        middle_m = np.sqrt(np.vecdot(offsets, offsets))
        kept = (middle_m <= rows[:, 5]).nonzero()[0]
        point, zone, rows = chosen.take(pair.take(kept)), zone.take(kept), rows.take(kept, axis=0)
        edges_m = middle_m.take(kept) - rows[:, 3]
        shaped = self.is_shaped.take(zone).nonzero()[0]
        if shaped.size:
            at = point.take(shaped)
            edges_m[shaped] = self.polygons.signed_m(
                offsets.take(kept.take(shaped), axis=0),
                latitudes.take(at),
                longitudes.take(at),
                zone=zone.take(shaped),
            )
        return _kept(Matches(point, zone, edges_m), edges_m <= rows[:, 4])


def _refs(stores: Iterable[Store]) -> tuple[ZoneRef, ...]:
    return tuple(ZoneRef(store.id, zone.id, zone) for store in stores for zone in store.zones)


def _numbers(stores: Iterable[Store], before: ZoneIndex) -> tuple[list[Store], Ints]:
    """The stores that `before` has not, and for every zone its number there; those it has not follow on its own."""
    known: dict[str, tuple[Store, int]] = {}
    count = 0
    for store in before.stores:
        known[store.id] = (store, count)
        count += len(store.zones)
    fresh: list[Store] = []
    numbers: list[int] = []
    for store in stores:
        same, first = known.get(store.id, (None, 0))
        if same is not store:
            fresh.append(store)
            first, count = count, count + len(store.zones)
        numbers.extend(range(first, first + len(store.zones)))
    return fresh, np.array(numbers, dtype=np.int64)


def _kept(found: Matches, keep: Bools) -> Matches:
    return Matches(found.point_index[keep], found.zone_index[keep], found.distance_m[keep])
