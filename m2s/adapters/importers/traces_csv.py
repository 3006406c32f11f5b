"""Which positions are in this CSV file? One row a position; the header says which column is what."""

import csv
import re
from collections.abc import Mapping
from io import StringIO
from zoneinfo import ZoneInfo

from m2s.adapters.importers.traces import Gathering, Reading, Recording, instant, number
from m2s.core.base.errors import Invalid

LATITUDE = ("latitude", "lat")
LONGITUDE = ("longitude", "lon", "lng", "long")
TIME = (
    *("at", "time", "timestamp", "datetime", "date_time", "time_utc", "time_local", "tracked_at"),
    *("recorded_at", "created_at", "timestamp_ms", "tst", "epoch"),
)
ACCURACY = ("accuracy_m", "accuracy", "acc", "horizontal_accuracy", "hacc")
PHONE = ("device_id", "device", "user_id", "user", "track_id", "trip_id")
_SPEED_MPS = "speed_mps"
_SPEED_KMH = "speed_kmh"
_SEPARATORS = ",;\t|"


def read_csv_trace(data: bytes, reading: Reading) -> Recording:
    """The rows of a CSV file with a header; a row that cannot be read costs no other.

    Names are read without regard to case, the separator is told by the header. Raises Invalid when the header names
    no position or no time, or when times without offset come and the reading has no zone.
    """
    lines = StringIO(data.decode("utf-8-sig", errors="replace"), newline=None).read().split("\n")
    separator = max(_SEPARATORS, key=lines[0].count)
    header = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in _cells(lines[0], separator) or []]
    rows = _Rows(header, reading, comma=separator != ",")
    for place, line in enumerate(lines[1:], start=2):
        if line.strip():
            rows.take(_cells(line, separator), f"line {place}")
    return rows.gathering.recording()


class _Rows:
    """Turns rows into positions, by the columns of one header."""

    def __init__(self, header: list[str], reading: Reading, *, comma: bool) -> None:
        self.gathering = Gathering(reading)
        self._header = header
        self._comma = comma
        self._latitude = self._needed("latitude", LATITUDE)
        self._longitude = self._needed("longitude", LONGITUDE)
        self._time = self._needed("time", TIME)
        self._accuracy, self._phone = self._column(ACCURACY), self._column(PHONE)
        self._zone = ZoneInfo("UTC") if self._time.endswith("_utc") else reading.zone

    def take(self, row: list[str] | None, where: str) -> None:
        if row is None or len(row) > len(self._header):
            self.gathering.leave_out("unreadable", where)
            return
        cells = {name: cell.strip() for name, cell in zip(self._header, row, strict=False)}
        if not (time := cells.get(self._time)):
            self.gathering.leave_out("no_time", where)
            return
        try:
            at = instant(time, self._zone, where=where)
        except ValueError:
            self.gathering.leave_out("bad_time", where)
            return
        self.gathering.locate(
            cells.get(self._phone, ""),
            at,
            latitude=self._number(cells.get(self._latitude, "")),
            longitude=self._number(cells.get(self._longitude, "")),
            accuracy_m=self._number(cells.get(self._accuracy, "")),
            speed_mps=self._speed_mps(cells),
            where=where,
        )

    def _speed_mps(self, cells: Mapping[str, str]) -> float | None:
        kmh = self._number(cells.get(_SPEED_KMH, ""))
        return self._number(cells.get(_SPEED_MPS, "")) if kmh is None else kmh / 3.6

    def _number(self, cell: str) -> float | None:
        return number(cell.replace(",", ".") if self._comma else cell)

    def _column(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if name in self._header), "")

    def _needed(self, what: str, names: tuple[str, ...]) -> str:
        column = self._column(names)
        if not column:
            found = ", ".join(self._header)[:200] or "nothing"
            raise Invalid(f"line 1: no column is the {what}: name it {' or '.join(names)}; found {found}")
        return column


def _cells(line: str, separator: str) -> list[str] | None:
    """The cells of one line; None where its quotes or its length make none."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), None)
    except csv.Error:
        return None
