"""What stands on each line of a CSV file, however long? A line is a row, so that a bad one costs itself only."""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from m2s.app.inputs import Pivots
from m2s.core.base.errors import Invalid, Problem
from m2s.core.base.instants import parse_rfc3339
from m2s.core.places.fields import did_you_mean

PIVOTS = ("customer_id", "loyalty_id", "phone", "email")

_SEPARATORS = (",", ";", "\t")
_LONGEST_LINE = 16_384
_LONGEST_TEXT = 64
_AMOUNT = re.compile(r"[0-9]{1,8}([.,][0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Line:
    """A line by its number, the first being 1: what it says, or what is wrong with it."""

    number: int
    row: Any = None
    problem: Problem | None = None


class BadCell(ValueError):
    """A cell that cannot be read; says what would be right."""


def read_lines(
    lines: Iterable[str],
    read: Callable[[Mapping[str, str]], Any],
    *,
    required: Sequence[str],
    known: Collection[str],
) -> Iterator[Line]:
    """The rows below the header as `read` makes them of their cells, by column; empty cells and lines are left out.

    Columns have `,`, `;` or a tab between them. Raises Invalid for a header that is not right.
    """
    numbered = enumerate(lines, start=1)
    _, head = next(numbered, (1, ""))
    separator = max(_SEPARATORS, key=head.count)
    try:
        header = [name.strip() for name in _cells(head, separator)]
    except BadCell as error:
        raise Invalid(f"line 1: {error}; nothing was imported", code="header") from None
    _check_header(header, required=required, known=known)
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            yield Line(number, read(_row(line, header, separator)))
        except BadCell as error:
            yield Line(number, problem=Problem(f"line {number}", "invalid", str(error)))


def text(cells: Mapping[str, str], name: str) -> str | None:
    """A short text; raises BadCell."""
    value = cells.get(name)
    if value is not None and not (len(value) <= _LONGEST_TEXT and value.isprintable()):
        raise BadCell(f"{name}: write 1 to {_LONGEST_TEXT} printable characters")
    return value


def needed(cells: Mapping[str, str], name: str) -> str:
    """A short text that has to be there; raises BadCell."""
    value = text(cells, name)
    if value is None:
        raise BadCell(f"{name}: the cell is empty")
    return value


def instant(cells: Mapping[str, str], name: str, *, day_ends: bool | None = None) -> datetime | None:
    """A time with its offset; where `day_ends` is told also a day: its first instant in UTC, or its last."""
    value = cells.get(name)
    if value is None:
        return None
    try:
        if day_ends is not None and len(value) == len("2026-11-02"):
            return datetime.combine(date.fromisoformat(value), time.max if day_ends else time(), tzinfo=UTC)
        return parse_rfc3339(value)
    except (ValueError, OverflowError):
        or_day = "" if day_ends is None else ", or a day, like 2026-11-02"
        raise BadCell(
            f"{name}: write a time with its offset, like 2026-11-02T18:30:00+01:00{or_day}"
        ) from None


def amount(cells: Mapping[str, str], name: str) -> Decimal:
    """An amount of money; none is 0; raises BadCell."""
    value = cells.get(name, "0")
    if not _AMOUNT.fullmatch(value) or not value.isascii():
        raise BadCell(
            f"{name}: write an amount of 0 or more with at most two digits after the point, like 12.50"
        )
    return Decimal(value.replace(",", "."))


def pivots(cells: Mapping[str, str]) -> Pivots:
    """The pivot ids of a row."""
    return Pivots(**{name: cells.get(name) for name in PIVOTS})


def _cells(line: str, separator: str) -> list[str]:
    if len(line) > _LONGEST_LINE:
        raise BadCell(f"the line has more than {_LONGEST_LINE} characters")
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise BadCell(f"this is not CSV: {error}") from None


def _row(line: str, header: Sequence[str], separator: str) -> dict[str, str]:
    cells = _cells(line, separator)
    if len(cells) != len(header):
        raise BadCell(f"{len(cells)} cells where the header has {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}


def _check_header(header: list[str], *, required: Sequence[str], known: Collection[str]) -> None:
    """Raises Invalid when columns are missing, unknown, or there twice."""
    problems = [
        Problem("line 1", "required", f"the column {name!r} is missing")
        for name in required
        if name not in header
    ]
    for place, name in enumerate(header):
        if name not in known:
            hint = did_you_mean(name, known)
            problems.append(Problem("line 1", "unknown_key", f"the column {name!r} is not known{hint}"))
        if name in header[:place]:
            problems.append(Problem("line 1", "duplicate", f"the column {name!r} is there twice"))
    if problems:
        raise Invalid("the header is not right; nothing was imported", code="header", problems=problems)
