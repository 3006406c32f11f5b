"""Cells that spreadsheets read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import pytest

from m2s.app.sheet import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+33", "-2", "@sum", "  =1+1", "\u00a0=1", "\t=1", "＝1", "a\n=1"])
def test_text_that_looks_like_a_formula_is_disarmed(text: str) -> None:
    cell = _cells({"name": text})[1][0]
    assert all(not line.strip().startswith(("=", "+", "-", "@", "＝")) for line in cell.split("\n"))
    assert cell.replace("'", "") == text


@pytest.mark.parametrize("value", [-2, -0.5, 0, "name", "a-b", "1=1"])
def test_numbers_and_plain_text_stay_as_they_are(value: object) -> None:
    assert _cells({"name": value})[1] == [str(value)]


def test_counts_by_name_are_written_out_and_nothing_is_empty() -> None:
    row = {"suppressed": {"pressure": 3, "store_open": 1}, "median_dwell_s": None}
    assert _cells(row)[1] == ["pressure=3 store_open=1", ""]


def _cells(row: Mapping[str, object]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_text(list(row), [row]), newline="")))
