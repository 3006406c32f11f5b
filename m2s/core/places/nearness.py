"""Is a position near any zone at all? Rows of longitude spans, so that the answer costs one binary search.

The earth is cut into rows of 0.0009 degrees (100 m) of latitude; in each, the longitudes within reach of a zone
are merged into spans. Nothing within `within_m` is missed; what is 300 m farther is never called near.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely

from m2s.core.places.geo import Floats, metres_per_degree
from m2s.core.places.zone import Circle, Polygon

_ROW_DEGREES = 0.0009
_ROW_KEY = 400.0
"""A row's longitudes (0 to 360) end well before the next row's begin."""
_SLACK_M = 10.0
"""Covers what plane geometry gets wrong over a few kilometres."""
_SMALL_M = 120.0
_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Nearness:
    """The merged spans, as sorted keys of row and longitude."""

    starts: Floats
    ends: Floats

    def near(self, latitudes: Floats, longitudes: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """For each position whether it is near a zone."""
        if self.starts.size == 0:
            return np.zeros(np.shape(latitudes), dtype=np.bool_)
        keys = np.floor(latitudes / _ROW_DEGREES) * _ROW_KEY + (longitudes + 180.0) % 360.0
        span = np.searchsorted(self.starts, keys, side="right") - 1
        covered: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (span >= 0) & (self.ends[span] >= keys)
        return covered


def nearness_of(shapes: Iterable[Circle | Polygon], within_m: float) -> Nearness:
    """The spans that cover everything within `within_m` of these shapes."""
    boxes: list[tuple[float, float, float, float]] = []
    reaches: list[float] = []
    for shape in shapes:
        found = _boxes(shape)
        boxes += found
        reach_m = within_m + _SLACK_M + (shape.radius_m if isinstance(shape, Circle) else 0.0)
        reaches += [reach_m] * len(found)
    if not boxes:
        return Nearness(np.empty(0), np.empty(0))
    starts, ends = _spans(np.array(boxes), np.array(reaches))
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    fresh = np.flatnonzero(np.concatenate(([True], starts[1:] > ends[:-1])))
    last = np.concatenate((fresh[1:] - 1, [starts.size - 1]))
    return Nearness(starts[fresh], ends[last])


def _boxes(shape: Circle | Polygon) -> list[tuple[float, float, float, float]]:
    """Boxes (west, south, east, north) that cover a shape, none with more than a row's height of nothing."""
    if isinstance(shape, Circle):
        return [(shape.longitude, shape.latitude, shape.longitude, shape.latitude)]
    west, south, east, north = shape.geometry.bounds
    rows = np.arange(np.floor(south / _ROW_DEGREES), np.floor(north / _ROW_DEGREES) + 1) * _ROW_DEGREES
    if 2.0 * shape.reach_m <= _SMALL_M or rows.size > _MOST_ROWS:
        return [(west, south, east, north)]
    strips = shapely.intersection(shape.geometry, shapely.box(west, rows, east, rows + _ROW_DEGREES))
    pieces = shapely.get_parts(strips)
    return [tuple(bounds) for bounds in shapely.bounds(pieces[~shapely.is_empty(pieces)]).tolist()]


def _spans(boxes: Floats, reaches_m: Floats) -> tuple[Floats, Floats]:
    """The keys at which each box's surroundings start and end, row by row."""
    west, south, east, north = boxes.T
    north_m, _ = metres_per_degree((south + north) / 2.0)
    first = np.floor((south - reaches_m / north_m) / _ROW_DEGREES)
    last = np.floor((north + reaches_m / north_m) / _ROW_DEGREES)
    counts = (last - first + 1).astype(np.int64)
    box = np.repeat(np.arange(counts.size), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row = first[box] + within
    low, high = row * _ROW_DEGREES, (row + 1) * _ROW_DEGREES
    gap_m = np.maximum(0.0, np.maximum(low - north[box], south[box] - high)) * north_m[box]
    _, east_m = metres_per_degree(np.minimum(89.9, np.maximum(np.abs(low), np.abs(high))))
    wide = np.sqrt(np.maximum(0.0, reaches_m[box] ** 2 - gap_m**2)) / east_m
    length = np.minimum(360.0, east[box] - west[box] + 2.0 * wide)
    start = (west[box] - wide + 180.0) % 360.0
    end = start + length
    over = end > 360.0
    starts = np.concatenate((row * _ROW_KEY + start, row[over] * _ROW_KEY))
    ends = np.concatenate((row * _ROW_KEY + np.minimum(end, 360.0), row[over] * _ROW_KEY + end[over] - 360.0))
    return starts, ends
