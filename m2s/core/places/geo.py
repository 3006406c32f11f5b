"""How far is it in metres? On the WGS 84 ellipsoid, at any latitude and across the antimeridian.

Positions become earth-centred coordinates; a distance is the straight chord between two of them, and a frame
is the plane that touches the ellipsoid at a point. Up to 50 km both are the geodesic within 0.01 %.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EQUATOR_M = 6_378_137.0
"""Semi-major axis of WGS 84."""
ECCENTRICITY_2 = 0.00669437999014
"""Squared eccentricity of WGS 84."""


def earth_centred(latitudes: float | Floats, longitudes: float | Floats) -> Floats:
    """Earth-centred, earth-fixed metres of WGS 84 degrees; the last axis holds x, y, z."""
    angles = np.radians(np.array((latitudes, longitudes), dtype=np.float64))
    (sine, sine_east), (cosine, cosine_east) = np.sin(angles), np.cos(angles)
    normal = EQUATOR_M / np.sqrt(1.0 - ECCENTRICITY_2 * sine * sine)
    flat = normal * cosine
    position = np.empty((*angles.shape[1:], 3))
    position[..., 0], position[..., 1] = flat * cosine_east, flat * sine_east
    position[..., 2] = normal * (1.0 - ECCENTRICITY_2) * sine
    return position


def earth_centred_one(latitude: float, longitude: float) -> tuple[float, float, float]:
    """As `earth_centred`, for one position, without arrays."""
    phi, theta = math.radians(latitude), math.radians(longitude)
    sine, cosine = math.sin(phi), math.cos(phi)
    normal = EQUATOR_M / math.sqrt(1.0 - ECCENTRICITY_2 * sine * sine)
    flat = normal * cosine
    return flat * math.cos(theta), flat * math.sin(theta), normal * (1.0 - ECCENTRICITY_2) * sine


def metres_per_degree(latitude: float | Floats) -> tuple[Floats, Floats]:
    """Metres in one degree of latitude and in one degree of longitude, from the WGS 84 radii of curvature."""
    phi = np.radians(np.asarray(latitude, dtype=np.float64))
    w = 1.0 - ECCENTRICITY_2 * np.sin(phi) ** 2
    north = np.pi / 180.0 * EQUATOR_M * (1.0 - ECCENTRICITY_2) / w**1.5
    return north, np.pi / 180.0 * EQUATOR_M / np.sqrt(w) * np.cos(phi)


def unwrapped(longitudes: float | Floats, around: float | Floats) -> Floats:
    """The longitudes shifted by whole turns so that they lie within 180 degrees of `around`.

    A longitude that is already there keeps its exact value.
    """
    values = np.asarray(longitudes, dtype=np.float64)
    turns: Floats = values + 360.0 * np.rint((around - values) / 360.0)
    return turns


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The plane that touches the ellipsoid at a point: x is metres east, y is metres north."""

    origin: Floats
    east: Floats
    north: Floats

    def metres(self, latitudes: float | Floats, longitudes: float | Floats) -> tuple[Floats, Floats]:
        """Metres east and metres north of the frame's point."""
        offset = earth_centred(latitudes, longitudes) - self.origin
        return offset @ self.east, offset @ self.north


def frame_at(latitude: float, longitude: float) -> Frame:
    """The frame whose point is at these WGS 84 degrees."""
    east, north = frame_axes(latitude, longitude)
    return Frame(earth_centred(latitude, longitude), east, north)


def frame_axes(latitudes: float | Floats, longitudes: float | Floats) -> Floats:
    """East and north of the frames at these WGS 84 degrees: directions whose last axis holds x, y, z."""
    angles = np.radians(np.array((latitudes, longitudes), dtype=np.float64))
    (sine, sine_east), (cosine, cosine_east) = np.sin(angles), np.cos(angles)
    axes = np.zeros((*angles.shape, 3))
    axes[0, ..., 0], axes[0, ..., 1] = -sine_east, cosine_east
    axes[1, ..., 0], axes[1, ..., 1], axes[1, ..., 2] = -sine * cosine_east, -sine * sine_east, cosine
    return axes


def each(counts: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every owner as often as it counts, and the number (from 0) of each of its turns."""
    owner = np.arange(counts.size).repeat(counts)
    return owner, np.arange(owner.size) - (counts.cumsum() - counts)[owner]


def distance_m(latitude: float, longitude: float, *, to_latitude: float, to_longitude: float) -> float:
    """Metres between two WGS 84 positions (the chord; below 50 km equal to the geodesic within 0.01 %)."""
    return float(
        np.linalg.norm(earth_centred(latitude, longitude) - earth_centred(to_latitude, to_longitude))
    )
