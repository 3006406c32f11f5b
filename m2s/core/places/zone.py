"""Is a position inside an area of a store, how far from its edge, and how probably inside?"""

import math
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely import MultiPolygon as Areas
from shapely import Polygon as Area

from m2s.core.places.geo import Floats, Frame, earth_centred, frame_at, unwrapped

PREMISES = "premises"
"""The id of the zone in which a stay can be a visit; every other zone of a store is an approach zone."""
VICINITY = "vicinity"
"""The id of the approach zone that a store gets when it names none."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All positions within `radius_m` of a point (degrees, WGS 84)."""

    latitude: float
    longitude: float
    radius_m: float
    origin: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", earth_centred(self.latitude, self.longitude))

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
        offset = earth_centred(latitudes, longitudes) - self.origin
        distances: Floats = np.sqrt(np.einsum("...i,...i", offset, offset)) - self.radius_m
        return distances


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon or several, holes included, in degrees with longitude first.

    The longitudes of one geometry are continuous: an area across the antimeridian goes on past 180 or -180.
    `latitude`, `longitude` are the middle of its bounds; `outline` is its edge in metres of `frame` there.
    """

    geometry: Area | Areas
    latitude: float = field(init=False, compare=False)
    longitude: float = field(init=False, compare=False)
    reach_m: float = field(init=False, compare=False)
    area_m2: float = field(init=False, compare=False)
    frame: Frame = field(init=False, repr=False, compare=False)
    outline: shapely.Geometry = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        west, south, east, north = self.geometry.bounds
        latitude, longitude = (south + north) / 2.0, (west + east) / 2.0
        frame = frame_at(latitude, longitude)
        local = shapely.transform(
            shapely.orient_polygons(self.geometry),
            lambda lon_lat: np.stack(frame.metres(lon_lat[:, 1], lon_lat[:, 0]), axis=-1),
        )
        outline, corners = shapely.boundary(local), shapely.get_coordinates(local)
        derived = {
            "latitude": latitude,
            "longitude": longitude,
            "reach_m": float(np.hypot(corners[:, 0], corners[:, 1]).max()),
            "area_m2": float(local.area),
            "frame": frame,
            "outline": outline,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        shapely.prepare(self.geometry)

    def signed_distances_m(self, latitudes: Floats, longitudes: Floats) -> Floats:
        """Metres to the edge, negative inside, for many positions at once; on the edge 0 or a hair below."""
        east, north = self.frame.metres(latitudes, longitudes)
        distances = shapely.distance(self.outline, shapely.points(east, north))
        around = unwrapped(longitudes, self.longitude)
        inside = shapely.intersects_xy(self.geometry, around, latitudes)
        signed: Floats = np.where(inside, -distances, distances)
        return signed


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
