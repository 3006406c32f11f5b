"""What does an index have to know of each zone, as numbers? Measured once, and taken over while the zone stays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2s.core.places.geo import EQUATOR_M, Floats, earth_centred, metres_per_degree
from m2s.core.places.nearness import (
    Bools,
    Ints,
    Near,
    Padded,
    bands_of,
    cells_touched,
    near_areas,
    near_points,
)
from m2s.core.places.polygons import Polygons
from m2s.core.places.store import Store
from m2s.core.places.zone import Polygon

AWAY_M = 2_000.0
"""A fix farther than this from every zone is away: counted, not stored."""

_BESIDE_M = AWAY_M + 300.0
_MOST_CELLS = 50_000
"""A zone with more cells near it than this (150 km across) is a candidate everywhere."""
CHORD = 1.5
"""A chord is at most this much longer (√2) than what a plane shows of it, up to a quarter of the earth away."""
_MOST_BOW_M = 15.0
"""A polygon whose edges (tens of kilometres long) bow more is a candidate everywhere: `near` has 300 m to err."""
_LITTLE_BOW_M = 1.0
_MOST_LATITUDE = 89.0
"""Nearer to a pole a distance in degrees of longitude tells nothing: a zone there is a candidate everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Zones by number. `rows` is that of `ZoneIndex`; zones that `is_large` are candidates everywhere."""

    degrees: Floats
    """The latitude and longitude of each middle."""
    half: Floats
    """Half the height and half the width in degrees, a little too large, of each padded zone."""
    rows: Floats
    is_shaped: Bools
    is_large: Bools
    polygons: Polygons
    near: Near

    @classmethod
    def of(cls, stores: Sequence[Store]) -> "Measured":
        """All zones of these stores, in their order."""
        shapes = [zone.shape for store in stores for zone in store.zones]
        owner = np.repeat(np.arange(len(stores)), [len(store.zones) for store in stores])
        pads_m = np.array(
            [zone.margin_m + store.visit.max_accuracy_m for store in stores for zone in store.zones],
            dtype=float,
        )
        latitudes = np.array([shape.latitude for shape in shapes], dtype=float)
        degrees = np.column_stack((latitudes, [shape.longitude for shape in shapes]))
        reaches_m = np.array([shape.reach_m for shape in shapes], dtype=float)
        areas = np.empty(len(shapes), dtype=object)
        areas[:] = [shape.geometry if isinstance(shape, Polygon) else None for shape in shapes]
        is_shaped = areas != None  # noqa: E711  element by element
        polygons = Polygons.of(areas, degrees)
        bows_m = _bows_m(polygons, degrees, reaches_m=reaches_m, is_shaped=is_shaped)
        half = _half_boxes(degrees[:, 0], reaches_m + pads_m)
        beside = np.maximum(half, _half_boxes(degrees[:, 0], reaches_m + _BESIDE_M))
        is_large = cells_touched(degrees - beside, degrees + beside) > _MOST_CELLS
        is_large |= bows_m > _MOST_BOW_M
        most_m = np.where(is_large, CHORD, 1.001) * (reaches_m + pads_m)
        centres = earth_centred(degrees[:, 0], degrees[:, 1])
        alone = ~is_large & ~_covered(owner, degrees, reaches_m=reaches_m, is_shaped=is_shaped)
        round_, shaped = np.flatnonzero(alone & ~is_shaped), np.flatnonzero(alone & is_shaped)
        return cls(
            degrees,
            half,
            np.column_stack((centres, reaches_m, pads_m, most_m)),
            is_shaped,
            is_large,
            polygons,
            Near.joined(
                near_points(round_, degrees[round_], within_m=AWAY_M + reaches_m[round_]),
                near_areas(shaped, areas[shaped], within_m=AWAY_M + bows_m[shaped]),
            ),
        )

    @classmethod
    def picked(cls, first: "Measured", second: "Measured", numbers: Ints) -> "Measured":
        """The zones with these numbers, those of the second after those of the first; and what is near them."""
        renumbered = np.full(len(first.rows) + len(second.rows), -1)
        renumbered[numbers] = np.arange(numbers.size)
        near = Near.joined(
            first.near.of_zones(renumbered), second.near.of_zones(renumbered[len(first.rows) :])
        )
        return cls(
            np.concatenate((first.degrees, second.degrees))[numbers],
            np.concatenate((first.half, second.half))[numbers],
            np.concatenate((first.rows, second.rows))[numbers],
            np.concatenate((first.is_shaped, second.is_shaped))[numbers],
            np.concatenate((first.is_large, second.is_large))[numbers],
            Polygons.picked((first.polygons, second.polygons), numbers),
            near,
        )

    def bands(self, zones: Bools | None = None) -> Bools:
        """The bands of the table that these zones concern, or all of them."""
        padded = self.padded()
        if zones is None:
            return bands_of(self.near) | bands_of(padded)
        return bands_of(self.near.chosen(zones[self.near.zone])) | bands_of(padded.chosen(zones[padded.zone]))

    def padded(self) -> Padded:
        """The boxes of the padded zones, but for those that are candidates everywhere."""
        number = np.flatnonzero(~self.is_large)
        degrees, half = self.degrees[number], self.half[number]
        return Padded(number, degrees - half, degrees + half)


def _covered(owner: Ints, degrees: Floats, *, reaches_m: Floats, is_shaped: Bools) -> Bools:
    """Which zones lie within a circle of their store round the same middle: what is near them is near that."""
    radii_m = np.where(is_shaped, 0.0, reaches_m)
    begins = np.diff(owner, prepend=-1) > 0
    widest = np.lexsort((-radii_m, owner))[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    beneath = (reaches_m <= radii_m[widest]) & (widest != np.arange(owner.size))
    covered: Bools = beneath & (degrees == degrees[widest]).all(axis=1)
    return covered


def _bows_m(polygons: Polygons, degrees: Floats, *, reaches_m: Floats, is_shaped: Bools) -> Floats:
    """How far edges that are straight in degrees bow at most from edges that are straight in metres; or a little more.

    A parallel curves round the pole with the radius R·cot φ; half an edge L bows by L²·tan φ / 2R. Half an edge is
    at most as long as the polygon reaches: only where that tells too little are edges looked at.
    """
    most = np.minimum(_MOST_LATITUDE, np.abs(degrees[:, 0]) + reaches_m / 110_000.0)
    bend = np.where(is_shaped, np.tan(np.radians(most)) / (2.0 * EQUATOR_M), 0.0)
    half_m = reaches_m.copy()
    for number in np.flatnonzero(reaches_m**2 * bend > _LITTLE_BOW_M).tolist():
        half_m[number] = polygons.edges.longest_m(number) / 2.0
    bows_m: Floats = half_m**2 * bend
    return bows_m


def _half_boxes(latitudes: Floats, reaches_m: Floats) -> Floats:
    """Half height and half width in degrees, a little too large, of circles of this reach."""
    north_m, _ = metres_per_degree(0.0)
    height = 1.001 * reaches_m / north_m
    most = np.abs(latitudes) + height
    _, east_m = metres_per_degree(np.minimum(_MOST_LATITUDE, most))
    width = np.where(most < _MOST_LATITUDE, np.minimum(180.0, 1.001 * reaches_m / east_m), 180.0)
    return np.stack((height, width), axis=-1)
