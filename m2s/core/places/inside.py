"""How probable is it that fixes were taken inside circles and polygons? Many pairs of a fix and a zone at once.

The error of a fix is a circular normal one. Numbers are metres; a distance to an edge is negative inside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, each

Ints = NDArray[np.int64]

SIGMAS_PER_ACCURACY = 1.5152
"""Phones report the radius that holds 68 % of a circular normal error: the radius over its sigma."""
CIRCLE_CERTAIN, POLYGON_CERTAIN = 4.3, 3.1
"""Farther than this many sigmas d from an edge the probability is 0 or 1 within exp(-d²/2): 1e-4, and 0.01."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_EDGE_NODES, _EDGE_WEIGHTS = np.polynomial.legendre.leggauss(10)
"""Enough for the widest edge (a half turn, seen from beside it) within 0.0045 of the probability."""


def in_circles(radii_m: Floats, distances_m: Floats, *, sigmas_m: Floats) -> Floats:
    """The non-central chi-square probability (2 degrees of freedom), integrated over parallel chords.

    With z along the line through the centre, P = ∫ φ((z − d)/σ)/σ · erf(√(R² − z²)/(σ√2)) dz over −R…R;
    z = R·sin t takes the root's corner away, and only d ± 5σ is looked at, so that any size is stable.
    """
    centres_m = distances_m + radii_m
    low = np.arcsin(np.maximum(-1.0, (centres_m - 5.0 * sigmas_m) / radii_m))
    high = np.arcsin(np.minimum(1.0, (centres_m + 5.0 * sigmas_m) / radii_m))
    half, size = (high - low) / 2.0, radii_m / sigmas_m
    angles = ((high + low) / 2.0)[:, None] + half[:, None] * _NODES
    chords, z = np.cos(angles), size[:, None] * np.sin(angles) - (centres_m / sigmas_m)[:, None]
    widths = (size / math.sqrt(2.0))[:, None] * chords
    errors = np.array([math.erf(width) for width in widths.ravel().tolist()]).reshape(widths.shape)
    held = (np.exp(-0.5 * z * z) * errors * chords) @ _WEIGHTS
    probabilities: Floats = np.clip(held * half * size / math.sqrt(2.0 * math.pi), 0.0, 1.0)
    return probabilities


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """The straight edges of many outlines, their areas to the left; outline n has `first[n]` to `first[n + 1]`."""

    starts: Floats
    ends: Floats
    first: Ints

    @classmethod
    def of(cls, outlines: NDArray[np.object_]) -> "Outlines":
        """The edges of polygon boundaries in metres; a None among them has none."""
        lines, owner = shapely.get_parts(outlines, return_index=True)
        corners, line = shapely.get_coordinates(lines, return_index=True)
        edge = ((line[1:] == line[:-1]) & (corners[1:] != corners[:-1]).any(axis=1)).nonzero()[0]
        counts = np.bincount(owner[line[edge]], minlength=outlines.size)
        return cls(corners[edge], corners[edge + 1], _first(counts))

    @classmethod
    def picked(cls, parts: Sequence["Outlines"], numbers: Ints) -> "Outlines":
        """The outlines with these numbers; those of the first part come first, then those of the second, …"""
        counts = np.concatenate([np.diff(part.first) for part in parts])
        outline, step = each(counts[numbers])
        edge = _first(counts)[numbers][outline] + step
        starts, ends = (
            np.concatenate(edges) for edges in zip(*((p.starts, p.ends) for p in parts), strict=True)
        )
        return cls(starts[edge], ends[edge], _first(counts[numbers]))

    def longest_m(self, number: int) -> float:
        """The length of an outline's longest edge."""
        edges = slice(self.first[number], self.first[number + 1])
        return float(np.linalg.norm(self.ends[edges] - self.starts[edges], axis=1).max())

    def hold(self, numbers: Ints, places: Floats, *, sigmas_m: Floats) -> Floats:
        """The normal error round each place, integrated over the triangles between it and each edge, with their sign.

        Seen from the place, an edge whose line is h away spans angles φ from the perpendicular; its triangle
        holds P = ∫ (1 − exp(−h²/(2σ²·cos²φ))) dφ / 2π, here by Gauss and Legendre.
        """
        first = self.first.take(numbers)
        pair, turn = each(self.first.take(numbers + 1) - first)
        edge = first.take(pair) + turn
        begin = self.starts.take(edge, axis=0)
        start_x, start_y = (begin - places.take(pair, axis=0)).T
        step_x, step_y = (self.ends.take(edge, axis=0) - begin).T
        length = np.hypot(step_x, step_y)
        along = (start_x * step_x + start_y * step_y) / length
        beside = (start_x * step_y - start_y * step_x) / length
        away = np.abs(beside)
        low, high = np.arctan2(along, away), np.arctan2(along + length, away)
        half = (high - low) / 2.0
        angles = (low + half)[:, None] + half[:, None] * _EDGE_NODES
        reach = (away / sigmas_m.take(pair))[:, None] / np.cos(angles)
        held = -np.expm1(-0.5 * reach * reach) @ _EDGE_WEIGHTS
        totals = np.bincount(pair, weights=np.copysign(half, beside) * held, minlength=numbers.size)
        probabilities: Floats = np.clip(totals / (2.0 * math.pi), 0.0, 1.0)
        return probabilities


def _first(counts: Ints) -> Ints:
    """Where each one's edges begin, and where the last one's end."""
    return np.concatenate(([0], counts.cumsum())).astype(np.int64)
