"""How do figures leave for a spreadsheet? As CSV in which no cell can act as a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV (RFC 4180). Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def shown(value: object) -> str:
    """A value as people read it: nothing for None, `name=count` for counts by name."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={count}" for name, count in value.items())
    return str(value)


def _cell(value: object) -> object:
    if isinstance(value, int | float):
        return value
    lines = (
        f"'{line}" if line.strip(" \u00a0").startswith(_FORMULA_STARTS) else line
        for line in shown(value).split("\n")
    )
    return "\n".join(lines)
