"""Two cuts: what they can tell apart they do, and no other pair does better."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from accuracy.cuts import TwoCuts, learn


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_bands_of_one_signal_are_told_apart(order: tuple[int, int, int]) -> None:
    levels = np.array([[-90.0], [-88.0], [-80.0], [-79.0], [-70.0], [-60.0]])
    classes = np.repeat(order, 2)
    assert (learn(levels, classes).judged(levels) == classes).all()


def test_a_class_that_only_the_second_signal_shows_is_found() -> None:
    features = np.array([[1.0, 5.0], [2.0, 6.0], [1.0, 9.0], [2.0, 9.0], [8.0, 5.0], [9.0, 9.0]])
    classes = np.array([0, 0, 1, 1, 2, 2])
    assert (learn(features, classes).judged(features) == classes).all()


def test_no_other_two_cuts_of_one_signal_do_better() -> None:
    rng = np.random.default_rng(3)
    levels, classes = rng.integers(0, 8, (60, 1)).astype(float), rng.integers(0, 3, 60)

    def balanced(rule: TwoCuts) -> float:
        right = rule.judged(levels) == classes
        return float(np.mean([right[classes == one].mean() for one in range(3)]))

    tried = (
        TwoCuts((0, sign, first), (0, 1, second), labels)
        for sign, first, second in product((1, -1), np.arange(-8.0, 9.0), np.arange(-1.0, 9.0))
        for labels in permutations(range(3))
    )
    assert balanced(learn(levels, classes)) == pytest.approx(max(map(balanced, tried)))
