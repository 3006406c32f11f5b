"""Is a position inside an area of a store, how far from its edge, and how probably inside?"""

import math
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely import MultiPolygon as Areas
from shapely import Polygon as Area

from m2s.core.places.geo import Floats, earth_centred, frame_at, unwrapped

PREMISES = "premises"
"""The id of the zone in which a stay can be a visit; every other zone of a store is an approach zone."""
VICINITY = "vicinity"
"""The id of the approach zone that a store gets when it names none."""

_MANY_CORNERS = 1_000
"""Shapely looks as fast into fewer corners as into an index of them, which is larger than they are."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All positions within `radius_m` of a point (degrees, WGS 84)."""

    latitude: float
    longitude: float
    radius_m: float

    @property
    def reach_m(self) -> float:
        """Radius of the enclosing circle round `latitude`, `longitude`."""
        return self.radius_m

    @property
    def area_m2(self) -> float:
        """Area in square metres."""
        return math.pi * self.radius_m**2

    def signed_distances_m(self, latitudes: Floats, longitudes: Floats) -> Floats:
        """Metres to the edge, negative inside, for many positions at once."""
        offset = earth_centred(latitudes, longitudes) - earth_centred(self.latitude, self.longitude)
        distances: Floats = np.sqrt(np.einsum("...i,...i", offset, offset)) - self.radius_m
        return distances


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon or several, holes included, in degrees with longitude first.

    The longitudes of one geometry are continuous: an area across the antimeridian goes on past 180 or -180.
    `latitude`, `longitude` are the middle of its bounds. Thousands of polygons are kept: what can be made from
    these few numbers again is not.
    """

    geometry: Area | Areas
    latitude: float = field(init=False, compare=False)
    longitude: float = field(init=False, compare=False)
    reach_m: float = field(init=False, compare=False)
    area_m2: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        west, south, east, north = self.geometry.bounds
        object.__setattr__(self, "latitude", (south + north) / 2.0)
        object.__setattr__(self, "longitude", (west + east) / 2.0)
        local = self._local(self.geometry)
        corners = shapely.get_coordinates(local)
        object.__setattr__(self, "reach_m", float(np.hypot(corners[:, 0], corners[:, 1]).max()))
        object.__setattr__(self, "area_m2", float(local.area))
        if len(corners) > _MANY_CORNERS:
            shapely.prepare(self.geometry)

    @property
    def outline(self) -> shapely.Geometry:
        """Its edge in metres of the frame at its middle, the area to the left."""
        return shapely.boundary(self._local(shapely.orient_polygons(self.geometry)))

    @property
    def local(self) -> Area | Areas:
        """The area in metres of the frame at its middle."""
        return self._local(self.geometry)

    def signed_distances_m(self, latitudes: Floats, longitudes: Floats) -> Floats:
        """Metres to the edge, negative inside, for many positions at once; on the edge 0 or a hair below."""
        east, north = frame_at(self.latitude, self.longitude).metres(latitudes, longitudes)
        distances = shapely.distance(self.outline, shapely.points(east, north))
        around = unwrapped(longitudes, self.longitude)
        inside = shapely.intersects_xy(self.geometry, around, latitudes)
        signed: Floats = np.where(inside, -distances, distances)
        return signed

    def _local(self, geometry: Area | Areas) -> Area | Areas:
        frame = frame_at(self.latitude, self.longitude)
        return shapely.transform(
            geometry,
            lambda lon_lat: np.stack(frame.metres(lon_lat[:, 1], lon_lat[:, 0]), axis=-1),
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of a store: `premises`, or an approach zone such as `vicinity`."""

    id: str
    shape: Circle | Polygon

    @property
    def area_m2(self) -> float:
        """Area in square metres."""
        return self.shape.area_m2

    @property
    def margin_m(self) -> float:
        """How far outside the edge a shopper has left: max(20 m, 0.25·√(area/π))."""
        return max(20.0, 0.25 * math.sqrt(self.shape.area_m2 / math.pi))

    def signed_distance_m(self, latitude: float, longitude: float) -> float:
        """Metres to the edge, negative inside; the edge itself counts as inside."""
        distances = self.shape.signed_distances_m(np.array([latitude]), np.array([longitude]))
        return float(distances[0])
