"""Figures beside targets: whether they are met, and how sure they are."""

from __future__ import annotations

import pytest

from accuracy.aimed import Aimed, Tally, ratio
from accuracy.scored import Estimate


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [(0.9, False, True), (0.8999, False, False), (0.9, True, True), (0.91, True, False)],
)
def test_the_figure_itself_has_to_reach_the_target(value: float, at_most: bool, met: bool) -> None:
    aimed = Aimed("name", "share", Estimate(value, 0.0, 1.0), 0.9, at_most, 10, 2)
    assert aimed.met is met
    assert ("met" if met else "MISSED") in str(aimed)


def test_a_ratio_is_of_sums_and_lies_in_its_interval() -> None:
    found = ratio([Tally("a", 1, 2), Tally("a", 5, 6), Tally("b", 0, 2)] * 20, seed=1, share=True)
    assert found.value == pytest.approx(0.6)
    assert 0.45 < found.low < 0.6 < found.high < 0.75


def test_groups_are_drawn_whole() -> None:
    things = [Tally("a", 0, 1), Tally("a", 1, 1)] * 100
    persons = [Tally("a", 0, 10), Tally("a", 10, 10)] * 10
    apart, together = (ratio(tallies, seed=1, share=True) for tallies in (things, persons))
    assert apart.value == together.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_strata_keep_their_sizes() -> None:
    """With one group in each there is nothing to draw."""
    found = ratio([Tally("a", 1, 4), Tally("b", 2, 2)], seed=1, share=True)
    assert found == Estimate(0.5, 0.5, 0.5)


def test_none_of_many_is_not_surely_none() -> None:
    none, all_ = (ratio([Tally("a", above, 5)] * 100, seed=1, share=True) for above in (0, 5))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(0.0370, abs=1e-4)
    assert all_.value == 1.0
    assert all_.low == pytest.approx(1 - 0.0370, abs=1e-4)
