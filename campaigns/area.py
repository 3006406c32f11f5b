"""Which places does an area on the map hold? Polygons of a campaign file, with their holes."""

from dataclasses import dataclass
from functools import lru_cache

import shapely

Ring = tuple[tuple[float, float], ...]
"""Positions as GeoJSON has them, longitude first; the last is the first again."""


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons, each an outer ring and the holes in it."""

    polygons: tuple[tuple[Ring, ...], ...]

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a place is inside or on the boundary."""
        return bool(_shape(self).covers(shapely.Point(longitude, latitude)))

    def flaw(self) -> str | None:
        """What keeps the rings from enclosing an area; None where nothing does."""
        shape = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in self.polygons])
        return None if shape.is_valid else str(shapely.is_valid_reason(shape))


@lru_cache(maxsize=256)
def _shape(area: Area) -> shapely.MultiPolygon:
    shape = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in area.polygons])
    shapely.prepare(shape)
    return shape
