"""Cells that people read."""

from __future__ import annotations

import pytest

from m2s.app.measure import REPORTS
from m2s.entry.cli.printing import table_text, text_for_screen

OFFERS = REPORTS["offers"][0]
ROWS = [
    [
        *(
            "croissant-november",
            "warm-croissant",
            {"accepted": 400, "expired": 8},
            400,
            45,
            {"pressure": 120, "store_open": 3, "law": 64},
            17,
        ),
        *(402, 88, 44, 7, 0.0598, -0.0342, 0.1411, 0, "shown"),
    ],
    ["next-door", "come-in", {}, 0, 0, {}, 0, *([None] * 8), "too_few"],
]


def test_counts_by_name_are_written_out() -> None:
    table = table_text(["suppressed", "median_dwell_s"], [[{"pressure": 3, "store_open": 1}, None]])
    assert "pressure=3 store_open=1" in table


def test_a_table_shows_brackets_and_hides_terminal_codes() -> None:
    table = table_text(["name"], [["[bold]Café[/bold]"], ["\x1b[31mred"]])
    assert "[bold]Café[/bold]" in table
    assert "\x1b" not in table


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_that_is_wider_than_the_screen_becomes_blocks(width: int) -> None:
    text = text_for_screen(OFFERS, ROWS, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    first, second = text.split("\n\n")
    assert [line.split(":")[0] for line in first.splitlines()] == list(OFFERS)
    assert first.splitlines()[0].split() == ["campaign_id:", "croissant-november"]
    assert "difference" not in second
    assert text_for_screen(OFFERS, [], width=width) == "no rows\n"


def test_a_value_that_is_longer_than_the_screen_goes_on_beneath_its_beginning() -> None:
    rules = {f"some_rule_{number}": number for number in range(10)}
    text = text_for_screen(["store_id", "suppressed"], [["bakery", rules]], width=60)
    first, second, *rest = text.splitlines()[1:]
    assert (first.index("some_rule_0"), second.index("some_rule_")) == (12, 12)
    assert " ".join([first, second, *rest]).split()[1:] == [f"{name}={n}" for name, n in rules.items()]


def test_a_table_that_fits_and_one_without_a_screen_stay_tables() -> None:
    rows = [["bakery", 3]]
    assert text_for_screen(["store_id", "visits"], rows, width=80) == table_text(["store_id", "visits"], rows)
    assert text_for_screen(OFFERS, ROWS, width=None) == table_text(OFFERS, ROWS)
