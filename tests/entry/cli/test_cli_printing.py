"""Cells that people read."""

from __future__ import annotations

from m2s.entry.cli.printing import table_text


def test_counts_by_name_are_written_out() -> None:
    table = table_text(["suppressed", "median_dwell_s"], [[{"pressure": 3, "store_open": 1}, None]])
    assert "pressure=3 store_open=1" in table


def test_a_table_shows_brackets_and_hides_terminal_codes() -> None:
    table = table_text(["name"], [["[bold]Café[/bold]"], ["\x1b[31mred"]])
    assert "[bold]Café[/bold]" in table
    assert "\x1b" not in table
