"""Is a position near any zone, and which zones may hold it? One look into a table of cells answers both.

A step is 1/1024 degree (109 m of latitude), a cell 8 by 8 steps, a page 16 by 16 cells; only pages near a zone
exist. Nothing within the reach is missed; what is 300 m farther is never called near. A table is made by bands,
each a row of pages, so that little is worked on at once; a band of an earlier table can be taken over.
"""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from m2s.core.places.geo import Floats, each, metres_per_degree

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
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """Bits of steps, and per cell a slice of `zones`: those whose padded box touches the cell."""

    pages: Ints
    """The number of each page that exists, 0 elsewhere; page 0 is empty."""
    bits: NDArray[np.uint16]
    """For each row of steps of each cell: the low eight say what is near, the high eight what a box touches."""
    starts: NDArray[np.int32]
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
        point, step = each(counts)
        return point, self.zones[starts[point] + step]

    def band(self, number: int, renumbered: Ints) -> "_Band | None":
        """One of its bands, the zones with their new numbers; None when it has no page."""
        first = number * _PAGE_COLUMNS
        columns = np.flatnonzero(self.pages[first : first + _PAGE_COLUMNS])
        if not columns.size:
            return None
        begin = self.pages.item(first + columns.item(0)) * _PAGE_CELLS
        end = begin + columns.size * _PAGE_CELLS
        starts = self.starts[begin : end + 1]
        zones = renumbered[self.zones[starts[0] : starts[-1]]]
        return _Band(number, columns, self.bits[begin << 3 : end << 3], starts[1:] - starts[0], zones)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """What is near: all within these metres of boxes (west, south, east, north), each a part of a zone."""

    zone: Ints
    boxes: Floats
    reaches_m: Floats

    def bands(self) -> tuple[Ints, Ints]:
        """The first and the last band that is near each box."""
        south, north = self.boxes[:, 1], self.boxes[:, 3]
        north_m, _ = metres_per_degree((south + north) / 2.0)
        high = self.reaches_m / north_m
        return _row(south - high) >> _PAGE, _row(north + high) >> _PAGE

    def chosen(self, index: Ints | Bools) -> "Near":
        """Only these boxes."""
        return Near(self.zone[index], self.boxes[index], self.reaches_m[index])

    def of_zones(self, renumbered: Ints) -> "Near":
        """The boxes of the zones that have a new number, with it; -1 stands for none."""
        zone = renumbered[self.zone]
        return Near(zone, self.boxes, self.reaches_m).chosen(zone >= 0)

    @classmethod
    def joined(cls, first: "Near", second: "Near") -> "Near":
        """What is near the one or the other."""
        return cls(
            np.concatenate((first.zone, second.zone)),
            np.concatenate((first.boxes, second.boxes)),
            np.concatenate((first.reaches_m, second.reaches_m)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Padded:
    """The boxes in which zones may hold a position, by their corners (latitude, longitude)."""

    zone: Ints
    low: Floats
    high: Floats

    def bands(self) -> tuple[Ints, Ints]:
        """The first and the last band that each box touches."""
        return _row(self.low[:, 0]) >> _PAGE, _row(self.high[:, 0]) >> _PAGE

    def chosen(self, index: Ints | Bools) -> "Padded":
        """Only these boxes."""
        return Padded(self.zone[index], self.low[index], self.high[index])


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """An earlier table, the new numbers of its zones, and the bands in which something is otherwise now."""

    table: CellTable
    renumbered: Ints
    changed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """A row of pages: their columns, and as in `CellTable` their bits, where each cell ends, and zones."""

    number: int
    columns: Ints
    bits: NDArray[np.uint16]
    ends: Ints
    zones: Ints


def cell_table(near: Near, padded: Padded, before: Before | None = None) -> CellTable:
    """The table of what is near, and of the boxes in which a zone may hold a position."""
    near_in, padded_in = _by_band(near), _by_band(padded)
    bands = []
    for number in np.flatnonzero(bands_of(near) | bands_of(padded)).tolist():
        if before is None or before.changed[number]:
            bands.append(_band(number, near.chosen(near_in[number]), padded.chosen(padded_in[number])))
        elif kept := before.table.band(number, before.renumbered):
            bands.append(kept)
    pages = np.zeros(_PAGE_ROWS * _PAGE_COLUMNS, dtype=np.int64)
    starts = [np.zeros(1 + _PAGE_CELLS, dtype=np.int32)]
    count, zones = 1, 0
    for band in bands:
        pages[band.number * _PAGE_COLUMNS + band.columns] = np.arange(count, count + band.columns.size)
        starts.append((band.ends + zones).astype(np.int32))
        count += band.columns.size
        zones += band.zones.size
    return CellTable(
        pages=pages,
        bits=np.concatenate([np.zeros(_PAGE_CELLS << 3, dtype=np.uint16), *(band.bits for band in bands)]),
        starts=np.concatenate(starts),
        zones=np.concatenate([np.empty(0, dtype=np.int64), *(band.zones for band in bands)]),
    )


def bands_of(boxes: Near | Padded) -> Bools:
    """Which bands these boxes concern."""
    first, last = boxes.bands()
    box, step = each(last - first + 1)
    concerned = np.zeros(_PAGE_ROWS, dtype=np.bool_)
    concerned[first[box] + step] = True
    return concerned


def cells_touched(low: Floats, high: Floats) -> Ints:
    """How many cells boxes with these corners (latitude, longitude) touch."""
    sides = (_steps(high) >> _CELL) - (_steps(low) >> _CELL) + 1
    touched: Ints = sides[:, 0] * sides[:, 1]
    return touched


def near_points(zone: Ints, degrees: Floats, *, within_m: Floats) -> Near:
    """What is within these metres of points (latitude, longitude)."""
    return Near(zone, np.concatenate((degrees[:, ::-1], degrees[:, ::-1]), axis=1), within_m + _SLACK_M)


def near_areas(zone: Ints, areas: NDArray[np.object_], *, within_m: Floats) -> Near:
    """What is within these metres of areas; an area is covered by boxes with at most a row's height of nothing."""
    bounds = shapely.bounds(areas).reshape(-1, 4)
    north_m, _ = metres_per_degree(bounds[:, 1])
    in_strips = (bounds[:, 3] - bounds[:, 1]) * north_m > _SMALL_M
    whole = np.flatnonzero(~in_strips)
    area, boxes = [whole], [bounds[whole]]
    high = np.flatnonzero(in_strips)
    first, last = _row(bounds[high, 1]), _row(bounds[high, 3])
    strip, step = each(last - first + 1)
    south = (first[strip] + step) / _STEPS - 90.0
    for begin in range(0, strip.size, _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        owner = high[strip[some]]
        west, east = bounds[owner, 0], bounds[owner, 2]
        strips = shapely.intersection(
            areas[owner], shapely.box(west, south[some], east, south[some] + 1.0 / _STEPS)
        )
        pieces, piece_of = shapely.get_parts(strips, return_index=True)
        filled = ~shapely.is_empty(pieces)
        area.append(owner[piece_of[filled]])
        boxes.append(shapely.bounds(pieces[filled]).reshape(-1, 4))
    number = np.concatenate(area)
    return Near(zone[number], np.concatenate(boxes), within_m[number] + _SLACK_M)


def _by_band(boxes: Near | Padded) -> list[Ints]:
    """The indexes of the boxes that concern each band."""
    first, last = boxes.bands()
    box, step = each(last - first + 1)
    band = first[box] + step
    order = np.argsort(band, kind="stable")
    return np.split(box[order], np.searchsorted(band[order], np.arange(1, _PAGE_ROWS)))


def _band(number: int, near: Near, padded: Padded) -> _Band:
    _, first, last = near_spans = _merged(*_surroundings(near, number << _PAGE))
    span, step = each((last >> _PAGE) - (first >> _PAGE) + 1)
    zone, zone_row, zone_column = _registered(padded, number << (_PAGE - _CELL))
    existing = np.zeros(_PAGE_COLUMNS, dtype=np.bool_)
    existing[((first[span] >> _PAGE) + step) % _PAGE_COLUMNS] = True
    existing[zone_column >> 4] = True
    columns = np.flatnonzero(existing)
    pages = existing.cumsum() - 1
    size = columns.size * _PAGE_CELLS
    cells = _cells(pages, zone_row, zone_column)
    return _Band(
        number,
        columns,
        _bits(pages, size, near_spans)
        | _bits(pages, size, _touched(padded, number << _PAGE)) << np.uint16(8),
        np.bincount(cells, minlength=size).cumsum(),
        zone[np.argsort(cells, kind="stable")],
    )


def _cells(pages: Ints, row: Ints, column: Ints) -> Ints:
    """The number of the cell in this row and column of cells."""
    page = pages.take((row >> 4) * _PAGE_COLUMNS + (column >> 4), mode="clip")
    cell: Ints = (page << 8) + ((row & 15) << 4) + (column & 15)
    return cell


def _steps(corners: Floats) -> Ints:
    steps: Ints = np.floor((corners + _ORIGIN) * _STEPS).astype(np.int64)
    return steps


def _row(latitudes: Floats) -> Ints:
    row: Ints = np.floor((latitudes + 90.0) * _STEPS).astype(np.int64)
    return row


def _registered(padded: Padded, first_row: int) -> tuple[Ints, Ints, Ints]:
    """Triples of a zone and the row and column of a cell of the band that its box touches, the row from `first_row`."""
    (bottom, left), (top, right) = (_steps(padded.low) >> _CELL).T, (_steps(padded.high) >> _CELL).T
    bottom, top = np.maximum(bottom - first_row, 0), np.minimum(top - first_row, 15)
    wide = right - left + 1
    box, step = each((top - bottom + 1) * wide)
    row, column = bottom[box] + step // wide[box], left[box] + step % wide[box]
    return padded.zone[box], row, column % (_COLUMNS >> _CELL)


def _touched(padded: Padded, first_row: int) -> _Spans:
    """The spans of steps of the band that boxes touch, rows from `first_row`."""
    (bottom, left), (top, right) = _steps(padded.low).T, _steps(padded.high).T
    bottom, top = np.maximum(bottom - first_row, 0), np.minimum(top - first_row, (1 << _PAGE) - 1)
    box, step = each(top - bottom + 1)
    return bottom[box] + step, left[box], right[box]


def _bits(pages: Ints, size: int, spans: _Spans) -> NDArray[np.uint16]:
    """For each row of steps of each cell the steps that are in these spans."""
    row, first, last = spans
    counts = (last >> _CELL) - (first >> _CELL) + 1
    span, step = each(counts)
    column = (first >> _CELL)[span] + step
    cell = _cells(pages, (row >> _CELL)[span], column % (_COLUMNS >> _CELL))
    # Whole cells, but for what is before the first step and after the last.
    ends = counts.cumsum()
    steps = np.full(span.size, 255, dtype=np.uint16)
    steps[ends - counts] &= (255 << (first & 7)).astype(np.uint16)
    steps[ends - 1] &= (255 >> (7 - (last & 7))).astype(np.uint16)
    bits = np.zeros(size * 8, dtype=np.uint16)
    np.bitwise_or.at(bits, (cell << 3) + (row & 7)[span], steps)
    return bits


def _merged(starts: Ints, ends: Ints) -> _Spans:
    """Spans that overlap as one, from the keys at which each starts and ends."""
    order = np.argsort(starts)
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    fresh = np.flatnonzero(starts > np.concatenate(([-1], ends[:-1])))
    starts, ends = starts[fresh], ends[np.append(fresh, starts.size)[1:] - 1]
    row = starts // _ROW_KEY
    return row, starts - row * _ROW_KEY, ends - row * _ROW_KEY


def _surroundings(near: Near, first_row: int) -> tuple[Ints, Ints]:
    """The keys (row from `first_row`, and step) at which each box's surroundings start and end in the band."""
    reaches_m = near.reaches_m
    west, south, east, north = near.boxes.T
    north_m, _ = metres_per_degree((south + north) / 2.0)
    bottom = np.maximum(_row(south - reaches_m / north_m) - first_row, 0)
    top = np.minimum(_row(north + reaches_m / north_m) - first_row, (1 << _PAGE) - 1)
    box, step = each(top - bottom + 1)
    row = bottom[box] + step
    edges = (first_row + np.arange((1 << _PAGE) + 1)) / _STEPS - 90.0
    _, there_m = metres_per_degree(np.maximum(np.abs(edges[:-1]), np.abs(edges[1:])))
    _, here_m = metres_per_degree(np.maximum(np.abs(south), np.abs(north)))
    gap_m = np.maximum(0.0, np.maximum(edges[row] - north[box], south[box] - edges[row + 1])) * north_m[box]
    wide = np.sqrt(np.maximum(0.0, (reaches_m**2)[box] - gap_m**2) / (here_m[box] * there_m[row]))
    first = np.floor((west[box] - wide + 180.0) * _STEPS).astype(np.int64)
    last = np.floor((east[box] + wide + 180.0) * _STEPS).astype(np.int64)
    key = row * _ROW_KEY + first % _COLUMNS
    return key, key + last - first
