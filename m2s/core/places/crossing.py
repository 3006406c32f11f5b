"""Does the way between two fixes lead through a zone, although neither fix lies in it?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from m2s.core.places.geo import frame_at, metres_per_degree, unwrapped
from m2s.core.places.zone import Circle, Zone

ZoneKey = tuple[str, str]
Position = tuple[float, float]
"""Latitude and longitude."""


@dataclass(frozen=True, slots=True)
class Way:
    """The straight way from one position to another."""

    start: Position
    end: Position


class CrossingIndex:
    """Zones of which it is to be known who passes through them."""

    def __init__(self, zones: Iterable[tuple[ZoneKey, Zone]]) -> None:
        """Zones by their store and id."""
        self._zones = list(zones)
        boxes, owners = [], []
        for place, (_, zone) in enumerate(self._zones):
            west, south, east, north = _box(zone)
            # A way is looked for within 180 degrees of its start, so a zone near the antimeridian is there twice.
            for turn in (-360.0, 0.0, 360.0):
                if west + turn < 181.0 and east + turn > -181.0:
                    boxes.append(shapely.box(west + turn, south, east + turn, north))
                    owners.append(place)
        self._owners = np.array(owners, dtype=np.int64)
        self._tree = shapely.STRtree(boxes)

    def __bool__(self) -> bool:
        return bool(self._zones)

    def crossed(self, ways: Sequence[Way]) -> list[tuple[int, ZoneKey]]:
        """The zones that each way crosses, by its index: it leads through them and begins and ends outside."""
        if not ways or not self._zones:
            return []
        lines = shapely.linestrings(
            [[way.start[::-1], (float(unwrapped(way.end[1], way.start[1])), way.end[0])] for way in ways]
        )
        found, boxes = self._tree.query(lines, predicate="intersects")
        pairs = sorted(set(zip(found.tolist(), self._owners[boxes].tolist(), strict=True)))
        return [
            (index, self._zones[place][0])
            for index, place in pairs
            if crosses(ways[index], self._zones[place][1])
        ]


def crosses(way: Way, zone: Zone) -> bool:
    """Whether a way leads through a zone, and begins and ends outside of it; touching its edge is no crossing."""
    shape = zone.shape
    latitudes, longitudes = np.array([way.start, way.end]).T
    if (shape.signed_distances_m(latitudes, longitudes) <= 0).any():
        return False
    east, north = frame_at(shape.latitude, shape.longitude).metres(latitudes, longitudes)
    line = shapely.linestrings(np.stack([east, north], axis=-1))
    if isinstance(shape, Circle):
        return bool(shapely.distance(line, shapely.points(0.0, 0.0)) < shape.radius_m)
    return bool(shapely.crosses(line, shape.local))


def _box(zone: Zone) -> tuple[float, float, float, float]:
    """West, south, east and north of a box that holds the zone, in degrees."""
    shape = zone.shape
    north_m, east_m = metres_per_degree(shape.latitude)
    tall = 1.01 * shape.reach_m / float(north_m)
    wide = min(180.0, 1.01 * shape.reach_m / max(float(east_m), 1.0))
    return shape.longitude - wide, shape.latitude - tall, shape.longitude + wide, shape.latitude + tall
