"""Which area does a GeoJSON geometry mean? Checked coordinates and rings, there and back."""

from itertools import pairwise
from typing import TypeGuard

import numpy as np
import shapely
from shapely import MultiPolygon as Areas
from shapely import Polygon as Area

from m2s.core.base.errors import Problem
from m2s.core.places.fields import shown
from m2s.core.places.geo import unwrapped
from m2s.core.places.zone import Polygon

Position = tuple[float, float]
"""Longitude and latitude, WGS 84 degrees."""

LARGEST_REACH_M = 50_000.0
"""Half the size of the largest polygon: local metres are exact to 0.01 % up to here."""


class _Refused(Exception):
    """A geometry cannot be used."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(detail)


def read_geometry(value: object, pointer: str, *, problems: list[Problem]) -> Position | Polygon | None:
    """The point or area that a GeoJSON geometry object means; None, with a problem noted, if not valid."""
    try:
        if not isinstance(value, dict):
            raise _Refused("geometry", f"{shown(value)} is not a GeoJSON geometry object")
        kind, coordinates = value.get("type"), value.get("coordinates")
        if kind == "Point":
            return _position(coordinates)
        if kind == "Polygon":
            return _area([coordinates])
        if kind == "MultiPolygon":
            return _area(_list(coordinates, "a MultiPolygon is a list of polygons"))
        raise _Refused("geometry_type", f"{shown(kind)} is not Point, Polygon or MultiPolygon")
    except _Refused as refused:
        problems.append(Problem(pointer, refused.code, refused.detail))
        return None


def write_geometry(polygon: Polygon) -> dict[str, object]:
    """The GeoJSON geometry of an area; past the antimeridian longitudes go on from the other side."""
    parts = [_written(part) for part in shapely.get_parts(polygon.geometry)]
    if isinstance(polygon.geometry, Area):
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _written(area: Area) -> list[list[list[float]]]:
    return [
        [
            [lon - 360.0 if lon > 180.0 else lon + 360.0 if lon < -180.0 else lon, lat]
            for lon, lat in ring.coords
        ]
        for ring in (area.exterior, *area.interiors)
    ]


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list) or not value:
        raise _Refused("geometry", f"{shown(value)} is not right: {what}")
    return value


def _position(value: object) -> Position:
    numbers = _list(value, "a position is [longitude, latitude]")
    if len(numbers) < 2 or not (_is_number(numbers[0]) and _is_number(numbers[1])):
        raise _Refused("geometry", f"{shown(value)} is not right: a position is [longitude, latitude]")
    longitude, latitude = numbers[0], numbers[1]
    if _within(longitude, 180.0) and _within(latitude, 90.0):
        return float(longitude), float(latitude)
    swapped = _within(longitude, 90.0) and _within(latitude, 180.0)
    hint = "; they look swapped: GeoJSON has longitude first" if swapped else ""
    where = f"longitude {shown(longitude)}, latitude {shown(latitude)}"
    raise _Refused("coordinates_range", f"{where} is not on earth (±180, ±90){hint}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _within(value: float, limit: float) -> bool:
    return -limit <= value <= limit


def _ring(value: object) -> list[Position]:
    positions = [_position(item) for item in _list(value, "a ring is a list of positions")]
    if positions[0] != positions[-1]:
        first = f"[{positions[0][0]:g}, {positions[0][1]:g}]"
        raise _Refused(
            "ring_not_closed", f"the ring that starts at {first} is not closed: repeat that at its end"
        )
    if len(positions) < 4:
        raise _Refused("ring_too_short", f"a ring needs 4 positions or more, this one has {len(positions)}")
    steps = (abs(a - b) for (a, _), (b, _) in pairwise(positions))
    if max(steps) <= 180.0:
        return positions
    longitudes = unwrapped(np.array([longitude for longitude, _ in positions]), positions[0][0])
    if np.abs(np.diff(longitudes)).max() > 180.0:
        raise _Refused("geometry_invalid", "a ring may not go round a pole")
    return [(float(lon), lat) for lon, (_, lat) in zip(longitudes, positions, strict=True)]


def _beside(ring: list[Position], around: float) -> list[Position]:
    """The same ring, moved by a whole turn where that brings it to the others of its geometry."""
    turn = float(unwrapped(ring[0][0], around)) - ring[0][0]
    return ring if turn == 0.0 else [(lon + turn, lat) for lon, lat in ring]


def _area(polygons: list[object]) -> Polygon:
    parts: list[Area] = []
    around: float | None = None
    for polygon in polygons:
        rings = [_ring(ring) for ring in _list(polygon, "a polygon is a list of rings")]
        around = rings[0][0][0] if around is None else around
        shell, *holes = (_beside(ring, around) for ring in rings)
        parts.append(_checked(Area(shell, holes)))
    joined = parts[0] if len(parts) == 1 else _checked(_joined(parts))
    if not joined.area > 0.0:
        raise _Refused("geometry_empty", "the area is empty")
    shape = Polygon(joined)
    if shape.reach_m > LARGEST_REACH_M:
        raise _Refused(
            "geometry_too_large", f"the area is {2 * shape.reach_m / 1000:.0f} km wide: 100 km at most"
        )
    return shape


def _joined(parts: list[Area]) -> Area | Areas:
    """One geometry of several parts; parts cut apart at the antimeridian grow together again."""
    cut = any(abs(abs(lon) - 180.0) < 1e-9 for part in parts for lon in (part.bounds[0], part.bounds[2]))
    united = shapely.union_all(parts) if cut else Areas(parts)
    return united if isinstance(united, Area | Areas) else Areas(parts)


def _checked(geometry: Area | Areas) -> Area | Areas:
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise _Refused("geometry_invalid", f"the area is not valid: {reason} (longitude latitude)")
    return geometry
