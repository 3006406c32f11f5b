"""Which stores are in this CSV text? One row a store; zones and beacons need GeoJSON."""

import csv
from collections.abc import Iterator, Mapping
from io import StringIO

from m2s.core.base.errors import Invalid, Problem
from m2s.core.places.fields import did_you_mean
from m2s.core.places.geojson import KNOWN_KEYS, read_features
from m2s.core.places.store import Store

REQUIRED = ("id", "name", "latitude", "longitude")
_VISIT = ("dwell_min_s", "gap_merge_s", "max_accuracy_m", "revisit_cooldown_s")
_NUMBERS = ("latitude", "longitude", "premises_radius_m", *_VISIT)
_KNOWN = (KNOWN_KEYS - {"visit", "zones", "beacons", "@id", "ref"}) | {*REQUIRED, *_VISIT}


def read_csv(text: str, default_timezone: str | None = None) -> list[Store]:
    """The stores of a CSV text with the header `id,name,latitude,longitude` and optional columns.

    Those are the properties of GeoJSON stores, `addr:` columns, and `dwell_min_s`, `gap_merge_s`,
    `max_accuracy_m`, `revisit_cooldown_s`; tags have `;` between them; `;` may separate columns too. Raises
    Invalid with all problems: no store of a text with problems is returned.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    separator = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    reader = csv.reader(StringIO("".join(lines), newline=""), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        problems: list[Problem] = []
        rows = list(_features(reader, header, problems))
    except csv.Error as error:
        raise Invalid(f"line {reader.line_num} is not CSV: {error}", code="csv") from None
    try:
        stores = read_features(rows, default_timezone)
    except Invalid as invalid:
        problems += invalid.problems
    if problems:
        raise Invalid(
            "there are problems in the stores; nothing was imported", code="stores", problems=problems
        )
    return stores


def _check_header(header: list[str]) -> None:
    """Raises Invalid when columns are missing, unknown, or there twice."""
    problems = [
        Problem("row 1", "required", f"the column {name!r} is missing")
        for name in REQUIRED
        if name not in header
    ]
    for place, name in enumerate(header):
        if name not in _KNOWN and ":" not in name:
            hint = did_you_mean(name, _KNOWN)
            problems.append(Problem("row 1", "unknown_key", f"the column {name!r} is not known{hint}"))
        if name in header[:place]:
            problems.append(Problem("row 1", "duplicate", f"the column {name!r} is there twice"))
    if problems:
        raise Invalid("the header is not right; nothing was imported", code="stores", problems=problems)


def _features(
    rows: Iterator[list[str]], header: list[str], problems: list[Problem]
) -> Iterator[tuple[str, object]]:
    """Each row as a GeoJSON feature, with the pointer `row N`; blank rows are skipped."""
    for number, row in enumerate(rows, start=2):
        pointer = f"row {number}"
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            detail = f"{len(row)} cells where the header has {len(header)}"
            problems.append(Problem(pointer, "csv", detail))
            continue
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
        feature = _feature(cells, pointer, problems)
        if feature is not None:
            yield pointer, feature


def _feature(cells: Mapping[str, str], pointer: str, problems: list[Problem]) -> dict[str, object] | None:
    numbers: dict[str, float] = {}
    before = len(problems)
    for name in _NUMBERS:
        if name in cells:
            try:
                numbers[name] = float(cells[name])
            except ValueError:
                problems.append(Problem(f"{pointer}.{name}", "type", f"{cells[name]!r} is not a number"))
        elif name in REQUIRED:
            problems.append(Problem(f"{pointer}.{name}", "required", "the cell is empty"))
    if len(problems) > before:
        return None
    properties: dict[str, object] = {name: cell for name, cell in cells.items() if name not in _NUMBERS}
    if "premises_radius_m" in numbers:
        properties["premises_radius_m"] = numbers["premises_radius_m"]
    properties["visit"] = {name: numbers[name] for name in _VISIT if name in numbers}
    point = {"type": "Point", "coordinates": [numbers["longitude"], numbers["latitude"]]}
    return {"type": "Feature", "geometry": point, "properties": properties}
