"""Place: the strongest corrected signal of a window, and what it takes to change it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.place import Place, heard_windows, place_after

POWER = {"door": -59, "shoes": -59, "till": -69}
BEACONS = st.sampled_from(sorted(POWER))
SIGNALS = st.dictionaries(BEACONS, st.integers(-110, -30), min_size=1)
SAMPLES = st.lists(st.tuples(st.integers(0, 60_000), st.integers(-120, 5), BEACONS), max_size=40)


def walked(*windows: dict[str, int]) -> list[str]:
    """The beacon of the place after each window."""
    place, found = None, []
    for signals in windows:
        place = place_after(place, signals, measured_power_dbm=POWER)
        found.append(place.beacon)
    return found


def test_the_first_place_is_that_of_the_strongest_signal_over_measured_power() -> None:
    assert walked({"door": -70, "till": -75}) == ["till"]
    assert walked({"door": -64, "till": -75}) == ["door"]


def test_another_place_takes_two_windows_in_succession() -> None:
    near_door, near_shoes = {"door": -60, "shoes": -70}, {"door": -70, "shoes": -60}
    assert walked(near_door, near_shoes, near_door, near_shoes) == ["door"] * 4
    assert walked(near_door, near_shoes, near_shoes) == ["door", "door", "shoes"]


@pytest.mark.parametrize(("lead_db", "expected"), [(3, "door"), (4, "shoes")])
def test_another_place_takes_four_decibels(lead_db: int, expected: str) -> None:
    ahead = {"door": -70, "shoes": -70 + lead_db}
    assert walked({"door": -60}, ahead, ahead, ahead)[-1] == expected


def test_two_rivals_in_turn_are_no_rival() -> None:
    shoes, till = {"door": -80, "shoes": -60, "till": -90}, {"door": -80, "shoes": -90, "till": -60}
    assert walked({"door": -60}, shoes, till, shoes, till) == ["door"] * 5


def test_a_place_that_is_not_heard_gives_way_to_any_that_is() -> None:
    assert walked({"door": -60}, {"shoes": -100}, {"shoes": -100}) == ["door", "door", "shoes"]


@given(st.lists(SIGNALS, min_size=1, max_size=8), st.integers(-20, 20))
def test_a_phone_that_hears_everything_louder_is_at_the_same_places(
    windows: list[dict[str, int]], more_db: int
) -> None:
    louder = [{beacon: rssi + more_db for beacon, rssi in signals.items()} for signals in windows]
    assert walked(*louder) == walked(*windows)


@given(st.lists(SIGNALS, min_size=2, max_size=8))
def test_a_place_changes_only_to_what_led_by_four_decibels_twice(windows: list[dict[str, int]]) -> None:
    places = walked(*windows)
    for index in range(1, len(places)):
        before, after = places[index - 1 : index + 1]
        if after != before:
            assert index >= 2
            for signals in windows[index - 1 : index + 1]:
                over_db = {beacon: rssi - POWER[beacon] for beacon, rssi in signals.items()}
                assert over_db[after] == max(over_db.values())
                assert before not in over_db or over_db[after] >= over_db[before] + 4


@given(SIGNALS, SIGNALS)
def test_a_steady_lead_wins_from_any_state(first: dict[str, int], then: dict[str, int]) -> None:
    steady = {"till": -50} | {beacon: rssi - 40 for beacon, rssi in then.items() if beacon != "till"}
    assert walked(first, steady, steady)[-1] == "till"


def test_a_window_needs_three_samples_over_all_beacons() -> None:
    assert heard_windows([(0, -60, "door"), (1, -61, "shoes"), (2, 0, "shoes")]) == []
    (window,) = heard_windows([(0, -60, "door"), (1, -61, "shoes"), (2, -63, "shoes")])
    assert (window.start_ms, window.rssi_dbm) == (0, {"door": -60, "shoes": -62})


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_samples_changes_nothing(samples: list[tuple[int, int, str]], rng: Random) -> None:
    assert heard_windows(rng.sample(samples, len(samples))) == heard_windows(samples)


def test_a_place_says_who_may_follow_it() -> None:
    place = place_after(Place("door"), {"door": -80, "till": -75}, measured_power_dbm=POWER)
    assert place == Place("door", rival="till")
    assert place_after(place, {"door": -60, "till": -75}, measured_power_dbm=POWER) == Place("door")
