"""Is a position near any zone, and which zones may hold it? One look into a table of cells answers both.

A step is 1/1024 degree (109 m of latitude), a cell 8 by 8 steps, a page 16 by 16 cells; only pages near a zone
exist. Nothing within the reach is missed; what is 300 m farther is never called near.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import EQUATOR_M, Floats, metres_per_degree
from m2s.core.places.zone import Circle, Polygon

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_Spans = tuple[Ints, Ints, Ints]
"""Rows with the first and the last step of each; columns may lie a turn away."""

_STEPS = 1024
_COLUMNS = 360 * _STEPS
_ROWS = 180 * _STEPS + 1
_CELL = 3
"""Steps are shifted by this to count cells, and by `_PAGE` to count pages."""
_PAGE = 7
_PAGE_COLUMNS = _COLUMNS >> _PAGE
_PAGE_ROWS = (_ROWS >> _PAGE) + 1
_PAGE_CELLS = 256
_ORIGIN = np.array((90.0, 180.0))
_ROW_KEY = 1 << 20
"""More than any two turns of columns, so that the spans of one row end before the next row's begin."""
_SLACK_M = 10.0
"""Covers what plane geometry gets wrong over a few kilometres."""
_SMALL_M = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """Bits of steps, and per cell a slice of `zones`: those whose padded box touches the cell."""

    pages: Ints
    """The number of each page that exists, 0 elsewhere; page 0 is empty."""
    bits: NDArray[np.uint16]
    """For each row of steps of each cell: the low eight say what is near, the high eight what a box touches."""
    starts: Ints
    zones: Ints

    def look_up(self, latitudes: Floats, longitudes: Floats) -> tuple[Ints, Bools, Bools]:
        """For each position its cell, whether it is near a zone, and whether a padded zone may hold it."""
        # Neither sum is negative, so that cutting off is rounding down.
        row = ((latitudes + 90.0) * _STEPS).astype(np.int64)
        column = ((longitudes + 180.0) * _STEPS).astype(np.int64) % _COLUMNS
        cell = _cells(self.pages, row >> _CELL, column >> _CELL)
        bits = self.bits.take((cell << 3) + (row & 7)) >> (column & 7)
        return cell, bits & 1 != 0, bits & 256 != 0

    def look_up_one(self, latitude: float, longitude: float) -> tuple[int, bool, bool]:
        """As `look_up`, for one position."""
        row = math.floor((latitude + 90.0) * _STEPS)
        column = math.floor((longitude + 180.0) * _STEPS) % _COLUMNS
        page = self.pages.item((row >> _PAGE) * _PAGE_COLUMNS + (column >> _PAGE))
        cell = (page << 8) + ((row >> _CELL & 15) << 4) + (column >> _CELL & 15)
        bits = self.bits.item((cell << 3) + (row & 7)) >> (column & 7)
        return cell, bits & 1 != 0, bits & 256 != 0

    def candidates(self, cell: Ints) -> tuple[Ints, Ints]:
        """Pairs of the index of a position, whose cells these are, and a zone registered in its cell."""
        starts = self.starts[cell]
        counts = self.starts[cell + 1] - starts
        point, step = _each(counts)
        return point, self.zones[starts[point] + step]


def cell_table(
    shapes: Iterable[Circle | Polygon], within_m: float, *, numbers: Ints, low: Floats, high: Floats
) -> CellTable:
    """The table of what is within `within_m` of these shapes, and of the boxes in which a zone may hold a position.

    `numbers` are the shapes' zone numbers; `low` and `high` the corners (latitude, longitude) of their boxes.
    """
    near = _spans(shapes, within_m)
    row, first, last = near
    span, step = _each((last >> _PAGE) - (first >> _PAGE) + 1)
    zone, zone_row, zone_column = _registered(numbers, low, high)
    marked = np.zeros(_PAGE_ROWS * _PAGE_COLUMNS, dtype=np.bool_)
    marked[(row[span] >> _PAGE) * _PAGE_COLUMNS + ((first[span] >> _PAGE) + step) % _PAGE_COLUMNS] = True
    marked[(zone_row >> 4) * _PAGE_COLUMNS + (zone_column >> 4)] = True
    existing = np.flatnonzero(marked)
    pages = np.zeros(marked.size, dtype=np.int64)
    pages[existing] = np.arange(1, existing.size + 1)
    size = (existing.size + 1) * _PAGE_CELLS
    cells = _cells(pages, zone_row, zone_column)
    return CellTable(
        pages=pages,
        bits=_bits(pages, size, near) | _bits(pages, size, _rows(low, high)) << np.uint16(8),
        starts=np.concatenate(([0], np.cumsum(np.bincount(cells, minlength=size)))).astype(np.int64),
        zones=zone[np.argsort(cells, kind="stable")],
    )


def cells_touched(low: Floats, high: Floats) -> Ints:
    """How many cells boxes with these corners (latitude, longitude) touch."""
    sides = (_steps(high) >> _CELL) - (_steps(low) >> _CELL) + 1
    touched: Ints = sides[:, 0] * sides[:, 1]
    return touched


def bow_m(shape: Circle | Polygon) -> float:
    """How far in metres an edge that is straight in degrees bows at most from one that is straight in metres.

    A parallel curves round the pole with the radius R·cot φ; half an edge L bows by L²·tan φ / 2R.
    """
    if isinstance(shape, Circle):
        return 0.0
    latitude = min(89.0, abs(shape.latitude) + shape.reach_m / 110_000.0)
    rings = (shapely.get_coordinates(ring) for ring in shapely.get_parts(shape.outline))
    steps_m = np.concatenate([np.diff(corners, axis=0) for corners in rings])
    half_m = float(np.hypot(steps_m[:, 0], steps_m[:, 1]).max()) / 2.0
    return half_m * half_m * math.tan(math.radians(latitude)) / (2.0 * EQUATOR_M)


def _each(counts: Ints) -> tuple[Ints, Ints]:
    """Every owner as often as it counts, and the number (from 0) of each of its turns."""
    owner = np.arange(counts.size).repeat(counts)
    return owner, np.arange(owner.size) - (counts.cumsum() - counts)[owner]


def _cells(pages: Ints, row: Ints, column: Ints) -> Ints:
    """The number of the cell in this row and column of cells."""
    page = pages.take((row >> 4) * _PAGE_COLUMNS + (column >> 4), mode="clip")
    cell: Ints = (page << 8) + ((row & 15) << 4) + (column & 15)
    return cell


def _steps(corners: Floats) -> Ints:
    steps: Ints = np.floor((corners + _ORIGIN) * _STEPS).astype(np.int64)
    return steps


def _registered(numbers: Ints, low: Floats, high: Floats) -> tuple[Ints, Ints, Ints]:
    """Triples of a zone and the row and column of a cell that its box touches."""
    first, last = _steps(low) >> _CELL, _steps(high) >> _CELL
    tall, wide = (last - first + 1).T
    box, step = _each(tall * wide)
    row, column = first[box, 0] + step // wide[box], first[box, 1] + step % wide[box]
    return numbers[box], row, column % (_COLUMNS >> _CELL)


def _rows(low: Floats, high: Floats) -> _Spans:
    """The spans of steps that boxes touch."""
    first, last = _steps(low), _steps(high)
    box, step = _each(last[:, 0] - first[:, 0] + 1)
    return first[box, 0] + step, first[box, 1], last[box, 1]


def _bits(pages: Ints, size: int, spans: _Spans) -> NDArray[np.uint16]:
    """For each row of steps of each cell the steps that are in these spans."""
    row, first, last = spans
    span, step = _each((last >> _CELL) - (first >> _CELL) + 1)
    column = (first[span] >> _CELL) + step
    before = np.where(step == 0, first[span] & 7, 0)
    after = np.where(column == last[span] >> _CELL, 7 - (last[span] & 7), 0)
    cell = _cells(pages, row[span] >> _CELL, column % (_COLUMNS >> _CELL))
    bits = np.zeros(size * 8, dtype=np.uint16)
    np.bitwise_or.at(
        bits, (cell << 3) + (row[span] & 7), ((255 << before) & (255 >> after)).astype(np.uint16)
    )
    return bits


def _spans(shapes: Iterable[Circle | Polygon], within_m: float) -> _Spans:
    """The spans of what is near."""
    boxes: list[tuple[float, float, float, float]] = []
    reaches: list[float] = []
    for shape in shapes:
        found = _boxes(shape)
        boxes += found
        reach_m = within_m + _SLACK_M + (shape.radius_m if isinstance(shape, Circle) else bow_m(shape))
        reaches += [reach_m] * len(found)
    starts, ends = _surroundings(np.array(boxes).reshape(-1, 4), np.array(reaches))
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    fresh = np.flatnonzero(starts > np.concatenate(([-1], ends[:-1])))
    starts, ends = starts[fresh], ends[np.append(fresh, starts.size)[1:] - 1]
    row = starts // _ROW_KEY
    return row, starts - row * _ROW_KEY, ends - row * _ROW_KEY


def _boxes(shape: Circle | Polygon) -> list[tuple[float, float, float, float]]:
    """Boxes (west, south, east, north) that cover a shape, none with more than a row's height of nothing."""
    if isinstance(shape, Circle):
        return [(shape.longitude, shape.latitude, shape.longitude, shape.latitude)]
    west, south, east, north = shape.geometry.bounds
    if 2.0 * shape.reach_m <= _SMALL_M:
        return [(west, south, east, north)]
    rows = np.arange(np.floor(south * _STEPS), np.floor(north * _STEPS) + 1) / _STEPS
    strips = shapely.intersection(shape.geometry, shapely.box(west, rows, east, rows + 1.0 / _STEPS))
    pieces = shapely.get_parts(strips)
    return [tuple(bounds) for bounds in shapely.bounds(pieces[~shapely.is_empty(pieces)]).tolist()]


def _surroundings(boxes: Floats, reaches_m: Floats) -> tuple[Ints, Ints]:
    """The keys (row and step) at which each box's surroundings start and end, row by row."""
    west, south, east, north = boxes.T
    north_m, _ = metres_per_degree((south + north) / 2.0)
    bottom = np.floor((south - reaches_m / north_m) * _STEPS).astype(np.int64)
    top = np.floor((north + reaches_m / north_m) * _STEPS).astype(np.int64)
    box, step = _each(top - bottom + 1)
    row = bottom[box] + step
    low, high = row / _STEPS, (row + 1) / _STEPS
    gap_m = np.maximum(0.0, np.maximum(low - north[box], south[box] - high)) * north_m[box]
    _, there_m = metres_per_degree(np.maximum(np.abs(low), np.abs(high)))
    _, here_m = metres_per_degree(np.maximum(np.abs(south), np.abs(north)))
    wide = np.sqrt(np.maximum(0.0, reaches_m[box] ** 2 - gap_m**2) / (here_m[box] * there_m))
    first = np.floor((west[box] - wide + 180.0) * _STEPS).astype(np.int64)
    last = np.floor((east[box] + wide + 180.0) * _STEPS).astype(np.int64)
    key = (row + 90 * _STEPS) * _ROW_KEY + first % _COLUMNS
    return key, key + last - first
