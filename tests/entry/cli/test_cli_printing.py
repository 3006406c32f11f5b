"""Cells that people and spreadsheets read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import pytest

from m2s.entry.cli.printing import csv_text, table_text


@pytest.mark.parametrize("text", ["=1+1", "+33", "-2", "@sum", "  =1+1", "\u00a0=1", "\t=1", "＝1", "a\n=1"])
def test_text_that_looks_like_a_formula_is_disarmed(text: str) -> None:
    cell = _cells({"name": text})[1][0]
    assert all(not line.strip().startswith(("=", "+", "-", "@", "＝")) for line in cell.split("\n"))
    assert cell.replace("'", "") == text


@pytest.mark.parametrize("value", [-2, -0.5, 0, "name", "a-b", "1=1"])
def test_numbers_and_plain_text_stay_as_they_are(value: object) -> None:
    assert _cells({"name": value})[1] == [str(value)]


def test_counts_by_name_are_written_out_and_nothing_is_empty() -> None:
    suppressed = {"pressure": 3, "store_open": 1}
    row = {"suppressed": suppressed, "median_dwell_s": None}
    assert _cells(row)[1] == ["pressure=3 store_open=1", ""]
    assert "pressure=3 store_open=1" in table_text(list(row), [list(row.values())])


def test_a_table_shows_brackets_and_hides_terminal_codes() -> None:
    table = table_text(["name"], [["[bold]Café[/bold]"], ["\x1b[31mred"]])
    assert "[bold]Café[/bold]" in table
    assert "\x1b" not in table


def _cells(row: Mapping[str, object]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_text(list(row), [row]), newline="")))
