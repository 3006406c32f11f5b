"""Is a position inside an area of a store, how far from its edge, and how probably inside?"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import shapely
from shapely import MultiPolygon as Areas
from shapely import Polygon as Area

from m2s.core.places.geo import Floats, Frame, earth_centred, frame_at, unwrapped

PREMISES = "premises"
"""The id of the zone in which a stay can be a visit; every other zone of a store is an approach zone."""
VICINITY = "vicinity"
"""The id of the approach zone that a store gets when it names none."""

SIGMAS_PER_ACCURACY = 1.5152
"""Phones report the radius that holds 68 % of a circular normal error: the radius over its sigma."""

_NODES, _WEIGHTS = (tuple(float(v) for v in values) for values in np.polynomial.legendre.leggauss(20))
_EDGE_NODES, _EDGE_WEIGHTS = np.polynomial.legendre.leggauss(10)
"""Enough for the widest edge (a half turn, seen from beside it) within 0.0045 of the probability."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All positions within `radius_m` of a point (degrees, WGS 84)."""

    latitude: float
    longitude: float
    certain_sigmas: ClassVar[float] = 4.3
    """Farther than this many sigmas d from the edge, the probability is 0 or 1 within exp(-d²/2) = 1e-4."""
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

    def probability(self, latitude: float, longitude: float, *, sigma_m: float, distance_m: float) -> float:
        """The non-central chi-square probability (2 degrees of freedom), integrated over parallel chords.

        With z along the line through the centre, P = ∫ φ((z − d)/σ)/σ · erf(√(R² − z²)/(σ√2)) dz over −R…R;
        z = R·sin t takes the root's corner away, and only d ± 5σ is looked at, so that any size is stable.
        """
        del latitude, longitude
        radius, centre = self.radius_m, distance_m + self.radius_m
        low = math.asin(max(-1.0, (centre - 5.0 * sigma_m) / radius))
        high = math.asin(min(1.0, (centre + 5.0 * sigma_m) / radius))
        half, middle, total = (high - low) / 2.0, (high + low) / 2.0, 0.0
        size, offset, width = radius / sigma_m, centre / sigma_m, radius / (sigma_m * math.sqrt(2.0))
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            angle = middle + half * node
            z, chord = size * math.sin(angle) - offset, math.cos(angle)
            total += weight * math.exp(-0.5 * z * z) * math.erf(width * chord) * chord
        total *= radius
        return min(1.0, max(0.0, total * half / (sigma_m * math.sqrt(2.0 * math.pi))))


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """The straight pieces of an outline in metres; the area is to their left."""

    starts: Floats
    lengths: Floats
    axes: Floats
    """The unit vectors along each piece, then those to its right."""


def _edges(outline: shapely.Geometry) -> _Edges:
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_parts(outline)]
    starts = np.concatenate([corners[:-1] for corners in rings])
    along = np.concatenate([np.diff(corners, axis=0) for corners in rings])
    lengths = np.hypot(*along.T)
    some = lengths > 0.0
    along = along[some] / lengths[some, None]
    right = np.stack((along[:, 1], -along[:, 0]), axis=-1)
    return _Edges(starts[some], lengths[some], np.stack((along, right)))


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon or several, holes included, in degrees with longitude first.

    The longitudes of one geometry are continuous: an area across the antimeridian goes on past 180 or -180.
    `latitude`, `longitude` are the middle of its bounds; `outline` is its edge in metres of `frame` there.
    """

    certain_sigmas: ClassVar[float] = 3.1
    """Farther than this many sigmas d from the edge, the probability is 0 or 1 within exp(-d²/2) = 0.01."""
    geometry: Area | Areas
    latitude: float = field(init=False, compare=False)
    longitude: float = field(init=False, compare=False)
    reach_m: float = field(init=False, compare=False)
    area_m2: float = field(init=False, compare=False)
    frame: Frame = field(init=False, repr=False, compare=False)
    outline: shapely.Geometry = field(init=False, repr=False, compare=False)
    edges: _Edges = field(init=False, repr=False, compare=False)

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
            "edges": _edges(outline),
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

    def probability(self, latitude: float, longitude: float, *, sigma_m: float, distance_m: float) -> float:
        """The normal error integrated over the triangles between the position and each edge, added with their sign.

        Seen from the position, an edge whose line is h away spans angles φ from the perpendicular; its triangle
        holds P = ∫ (1 − exp(−h²/(2σ²·cos²φ))) dφ / 2π, here by Gauss and Legendre.
        """
        del distance_m
        edges = self.edges
        offsets = edges.starts - self.frame.metres(latitude, longitude)
        along, beside = np.vecdot(offsets, edges.axes)
        away = np.abs(beside)
        low, high = np.arctan2(along, away), np.arctan2(along + edges.lengths, away)
        half = (high - low) / 2.0
        angles = (low + half)[:, None] + half[:, None] * _EDGE_NODES
        reach = (away / sigma_m)[:, None] / np.cos(angles)
        held = -np.expm1(-0.5 * reach * reach) @ _EDGE_WEIGHTS
        total = float(np.copysign(half, beside) @ held) / (2.0 * math.pi)
        return min(1.0, max(0.0, total))


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

    def inside_probability(
        self, latitude: float, longitude: float, *, accuracy_m: float, distance_m: float | None = None
    ) -> float:
        """How probable it is that a fix with this 68 % radius was taken inside; 0 decides by geometry.

        `distance_m` is the signed distance to the edge where it is known already. Circles are exact to
        1e-4, polygons to 0.02.
        """
        edge_m = self.signed_distance_m(latitude, longitude) if distance_m is None else distance_m
        sigma_m = accuracy_m / SIGMAS_PER_ACCURACY
        if self.shape.reach_m <= 0.0 or abs(edge_m) >= self.shape.certain_sigmas * sigma_m:
            return 1.0 if edge_m <= 0.0 else 0.0
        return self.shape.probability(latitude, longitude, sigma_m=sigma_m, distance_m=edge_m)
