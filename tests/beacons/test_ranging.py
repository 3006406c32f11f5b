"""Ranging: windows, path loss against published arithmetic, proximity."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.ranging import (
    Proximity,
    accepted_windows,
    altbeacon_distance_m,
    distance_m,
    expected_rssi_dbm,
    proximity,
)
from beacons.smoothing import Smoother, kalman, median, moving_average, trimmed_mean

POWERS = st.floats(-90, -30)
SAMPLES = st.lists(st.tuples(st.integers(0, 60_000), st.integers(-120, 5)), max_size=40)

# Log-distance path loss with 1 m power −59 dBm, worked out by hand for exponents 2, 2.5 and 3.
PATH_LOSS = {
    -69: (3.162, 2.512, 2.154),
    -75: (6.310, 4.365, 3.415),
    -79: (10.0, 6.310, 4.642),
    -89: (31.623, 15.849, 10.0),
}


@pytest.mark.parametrize("rssi_dbm", PATH_LOSS)
def test_distance_follows_path_loss(rssi_dbm: int) -> None:
    found = [distance_m(rssi_dbm, -59, exponent=n) for n in (2.0, 2.5, 3.0)]
    assert found == pytest.approx(PATH_LOSS[rssi_dbm], abs=5e-4)


def test_the_default_exponent_is_two_and_a_half() -> None:
    assert distance_m(-75, -59) == pytest.approx(4.365, abs=5e-4)


@given(st.floats(0.01, 200), POWERS, st.floats(1.5, 5))
def test_the_expected_strength_is_the_inverse_of_the_distance(
    metres: float, power_dbm: float, exponent: float
) -> None:
    rssi_dbm = expected_rssi_dbm(metres, power_dbm, exponent=exponent)
    assert distance_m(rssi_dbm, power_dbm, exponent=exponent) == pytest.approx(metres)


@given(st.floats(-110, -1), st.floats(0.1, 40), POWERS)
def test_a_weaker_signal_is_farther_on_both_curves(rssi_dbm: float, less_db: float, power_dbm: float) -> None:
    weaker = rssi_dbm - less_db
    assert distance_m(weaker, power_dbm) > distance_m(rssi_dbm, power_dbm)
    # The library's curve falls back by 3 cm at the measured power, where its two parts meet.
    assert altbeacon_distance_m(weaker, power_dbm) > altbeacon_distance_m(rssi_dbm, power_dbm) - 0.03


@pytest.mark.parametrize(
    ("rssi_dbm", "metres"), [(-50, 0.1911), (-59, 0.9708), (-65, 1.3749), (-75, 2.7795), (-85, 5.8694)]
)
def test_the_altbeacon_curve_gives_what_the_library_gives(rssi_dbm: int, metres: float) -> None:
    assert altbeacon_distance_m(rssi_dbm, -59) == pytest.approx(metres, abs=1e-4)


def test_the_altbeacon_curve_of_another_phone_gives_what_the_librarys_own_test_wants() -> None:
    moto_x_pro = (0.9401940951, 6.170094565, 0.0)
    assert altbeacon_distance_m(-58, -49, curve=moto_x_pro) == pytest.approx(2.661125466)


def test_a_window_takes_the_median_so_that_one_fade_does_not_move_it() -> None:
    samples = [(t * 1000, rssi) for t, rssi in enumerate((-60, -62, -58, -90, -61))]
    (window,) = accepted_windows(samples)
    assert (window.start_ms, window.first_ms, window.last_ms) == (0, 0, 4000)
    assert (window.rssi_dbm, window.n) == (-61.0, 5)


def test_two_samples_are_no_window() -> None:
    assert accepted_windows([(0, -60), (9_999, -60)]) == []


def test_windows_tumble_on_whole_ten_seconds() -> None:
    assert accepted_windows([(8_000, -60), (9_000, -60), (10_000, -60)]) == []
    assert len(accepted_windows([(t * 1000, -60) for t in range(20)])) == 2


@pytest.mark.parametrize("invalid", [0, 1, 127, -111])
def test_readings_that_are_none_do_not_count(invalid: int) -> None:
    assert accepted_windows([(0, -60), (1000, -60), (2000, invalid)]) == []


def test_the_weakest_valid_reading_counts() -> None:
    assert len(accepted_windows([(0, -110), (1000, -110), (2000, -1)])) == 1


def test_windows_may_be_longer() -> None:
    (window,) = accepted_windows([(0, -60), (15_000, -70), (29_999, -80), (30_000, -90)], length_ms=30_000)
    assert (window.start_ms, window.rssi_dbm, window.n) == (0, -70.0, 3)


def test_a_window_is_smoothed_in_order_of_time() -> None:
    (window,) = accepted_windows([(2_000, -80), (0, -60), (1_000, -60)], smooth=moving_average)
    assert window.rssi_dbm == pytest.approx(-66.0)


@given(
    SAMPLES,
    st.randoms(use_true_random=False),
    st.sampled_from([median, trimmed_mean, moving_average, kalman]),
)
def test_the_order_of_samples_changes_nothing(
    samples: list[tuple[int, int]], rng: Random, smooth: Smoother
) -> None:
    shuffled = rng.sample(samples, len(samples))
    assert accepted_windows(shuffled, smooth=smooth) == accepted_windows(samples, smooth=smooth)


@given(SAMPLES, st.sampled_from([5_000, 10_000, 30_000]))
def test_every_window_holds_at_least_three_valid_samples_of_its_own_time(
    samples: list[tuple[int, int]], length_ms: int
) -> None:
    windows = accepted_windows(samples, length_ms=length_ms)
    starts = [window.start_ms for window in windows]
    assert starts == sorted(set(starts))
    for window in windows:
        end_ms = window.start_ms + length_ms
        held = [rssi for at_ms, rssi in samples if window.start_ms <= at_ms < end_ms and -110 <= rssi < 0]
        assert window.n == len(held) >= 3
        assert window.start_ms <= window.first_ms <= window.last_ms < end_ms
        assert min(held) <= window.rssi_dbm <= max(held)
    numbers = [at_ms // length_ms for at_ms, rssi in samples if -110 <= rssi < 0]
    assert {n * length_ms for n in numbers if numbers.count(n) >= 3} == set(starts)


@given(SAMPLES, st.integers(-1_000, 1_000))
def test_windows_move_with_the_clock_by_whole_lengths(samples: list[tuple[int, int]], lengths: int) -> None:
    moved = accepted_windows((at_ms + lengths * 10_000, rssi) for at_ms, rssi in samples)
    assert [(w.start_ms - lengths * 10_000, w.rssi_dbm, w.n) for w in moved] == [
        (w.start_ms, w.rssi_dbm, w.n) for w in accepted_windows(samples)
    ]


@pytest.mark.parametrize(
    ("metres", "expected"),
    [
        (0.49, Proximity.IMMEDIATE),
        (0.5, Proximity.NEAR),
        (2.99, Proximity.NEAR),
        (3.0, Proximity.FAR),
        (80.0, Proximity.FAR),
    ],
)
def test_proximity_is_coarse(metres: float, expected: Proximity) -> None:
    assert proximity(metres) is expected


def test_nearer_includes_farther() -> None:
    assert Proximity.IMMEDIATE.within(Proximity.NEAR)
    assert Proximity.NEAR.within(Proximity.NEAR)
    assert not Proximity.FAR.within(Proximity.NEAR)
