"""Smoothing: published arithmetic, and what every smoother has to keep."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.smoothing import Smoother, kalman, median, moving_average, trimmed_mean

SERIES = (-60, -62, -58, -90, -61)
ALL = [median, trimmed_mean, moving_average, kalman]
READINGS = st.lists(st.integers(-110, -1), min_size=1, max_size=30)


def test_the_median_passes_over_a_fade_that_moves_the_mean() -> None:
    assert median(SERIES) == -61
    assert sum(SERIES) / len(SERIES) == pytest.approx(-66.2)
    assert median((-60, -61)) == -60.5


def test_the_trimmed_mean_follows_the_altbeacon_rule() -> None:
    assert trimmed_mean((-90, -63, -62, -61, -61, -60, -60, -59, -58, -40)) == pytest.approx(-60.5)
    # Of ten readings two go at each end, where a tenth would leave -61 and -57 in.
    assert trimmed_mean((-90, -70, -62, -61, -61, -60, -60, -59, -57, -40)) == pytest.approx(-60.5)
    assert trimmed_mean((-90, -60, -20)) == -60
    assert trimmed_mean((-70, -60)) == -65


def test_the_moving_average_gives_the_published_series() -> None:
    found = [moving_average(SERIES[: end + 1]) for end in range(len(SERIES))]
    assert found == pytest.approx([-60, -60.6, -59.82, -68.874, -66.5118])


def test_the_kalman_filter_gives_the_published_series() -> None:
    found = [kalman(SERIES[: end + 1]) for end in range(1, len(SERIES))]
    assert found == pytest.approx([-60.4390, -59.9500, -65.6036, -64.7753], abs=5e-5)


@pytest.mark.parametrize("smooth", ALL)
@given(READINGS)
def test_what_is_smoothed_lies_among_the_readings(smooth: Smoother, readings: list[int]) -> None:
    assert min(readings) - 1e-9 <= smooth(readings) <= max(readings) + 1e-9


@pytest.mark.parametrize("smooth", ALL)
@given(READINGS, st.integers(-40, 40))
def test_a_louder_beacon_is_louder_by_as_much(smooth: Smoother, readings: list[int], more_db: int) -> None:
    assert smooth([reading + more_db for reading in readings]) == pytest.approx(smooth(readings) + more_db)


@pytest.mark.parametrize("smooth", [median, trimmed_mean])
@given(READINGS, st.randoms(use_true_random=False))
def test_order_means_nothing_to_the_robust_ones(smooth: Smoother, readings: list[int], rng: Random) -> None:
    assert smooth(rng.sample(readings, len(readings))) == smooth(readings)


@pytest.mark.parametrize("smooth", [median, trimmed_mean])
@given(st.lists(st.integers(-70, -60), min_size=2, max_size=30), st.integers(-110, -1), st.integers(0, 30))
def test_one_wild_reading_cannot_leave_the_range_of_the_others(
    smooth: Smoother, readings: list[int], wild: int, place: int
) -> None:
    assert min(readings) <= smooth([*readings[:place], wild, *readings[place:]]) <= max(readings)
