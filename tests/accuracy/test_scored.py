"""Scores: means and areas that can be counted by hand, intervals that widen where groups differ."""

from __future__ import annotations

import pytest

from accuracy.scored import Recording, Score, area, compare_areas, compare_means


def test_a_gain_counts_in_the_direction_that_is_better() -> None:
    scores = [Score(1.0, 3.0, "a"), Score(2.0, 3.0, "b"), Score(3.0, 6.0, "b")]
    less = compare_means("errors", "cells", scores, seed=1, less_is_better=True, beside={})
    assert (less.ours.value, less.baseline.value, less.gain.value) == (2.0, 4.0, 2.0)
    assert (less.n, less.groups, less.met) == (3, 2, True)
    more = compare_means("shares", "share", scores, seed=1, beside={})
    assert (more.gain.value, more.met) == (-2.0, False)


def test_equal_is_not_better() -> None:
    scores = [Score(1.0, 1.0, "a"), Score(0.0, 0.0, "b")]
    assert not compare_means("shares", "share", scores, seed=1, beside={}).met


def test_whole_groups_are_drawn() -> None:
    alone = [Score(float(index % 2), 0.0, str(index)) for index in range(40)]
    together = [Score(float(index % 2), 0.0, str(index % 2)) for index in range(40)]
    wide, narrow = (
        compare_means("shares", "share", scores, seed=1, beside={}).ours for scores in (together, alone)
    )
    assert wide.value == narrow.value == 0.5
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert 0.3 < narrow.low < 0.5 < narrow.high < 0.7


def test_groups_are_drawn_within_their_stratum() -> None:
    scores = [Score(float(index < 5), 0.0, str(index), "high" if index < 5 else "low") for index in range(10)]
    assert compare_means("shares", "share", scores, seed=1, beside={}).ours.low == 0.5


def test_the_seed_makes_the_interval() -> None:
    scores = [Score(float(index * 7 % 10), 0.0, str(index)) for index in range(10)]
    first, again, other = (
        compare_means("figures", "figure", scores, seed=seed, beside={}).ours for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_an_area_counts_pairs_in_the_right_order_and_half_of_the_ties() -> None:
    assert area([[-50, -60]], [[-60, -70]]) == 3.5 / 4
    assert area([[-50], [-60]], [[-60, -70]]) == 3.5 / 4


def test_areas_of_windows_and_of_readings_are_compared() -> None:
    within = [Recording([-1.0], [-60, -90]), Recording([-2.0], [-61, -80])]
    beyond = [Recording([-3.0], [-70, -85]), Recording([-4.0], [-75, -95])]
    found = compare_areas("within", "area", within, beyond=beyond, seed=1, beside={})
    assert (found.ours.value, found.baseline.value) == (1.0, 11 / 16)
    assert found.gain.value == pytest.approx(5 / 16)
    assert (found.n, found.groups, found.met) == (4, 4, True)
    as_good = compare_areas(
        "within", "area", within[:1] * 2, beyond=[Recording([-9.0], [-99])] * 2, seed=1, beside={}
    )
    assert (as_good.gain.value, as_good.met) == (0.0, True)
