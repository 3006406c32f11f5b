"""Ranging: windows, path loss against published arithmetic, proximity."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.ranging import Proximity, accepted_windows, distance_m, proximity

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


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(-120, 5)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_the_order_of_samples_changes_nothing(samples: list[tuple[int, int]], rng: Random) -> None:
    shuffled = rng.sample(samples, len(samples))
    assert accepted_windows(shuffled) == accepted_windows(samples)


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
