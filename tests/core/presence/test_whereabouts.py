"""Whereabouts: at which beacon of a store a shopper is, however the phone tells of what it heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from m2s.core.presence.evidence import Evidence, Kind
from m2s.core.presence.whereabouts import KEPT_SAMPLES, Whereabouts, track_whereabouts

T0 = 1_793_606_400_000
DOOR, SHOES, TILL = "1/1", "1/2", "1/3"
POWER = {DOOR: -59, SHOES: -59, TILL: -69}


def heard(second: int, beacon: str, rssi_dbm: int, **changes: object) -> Evidence:
    """What one burst of five seconds, which ends then, says of one beacon."""
    base = Evidence(
        shopper_id="shp",
        store_id="sto",
        zone_id="premises",
        device_id="dev",
        sighting_id=f"{beacon}@{second}",
        kind=Kind.BEACON,
        at_ms=T0 + second * 1000,
        inside_probability=1.0,
        beacon=beacon,
        measured_power_dbm=POWER.get(beacon),
        samples=tuple((1000 * before, rssi_dbm) for before in reversed(range(5))),
    )
    return structs.replace(base, **changes)  # type: ignore[arg-type]


def burst(second: int, **rssi_dbm: int) -> list[Evidence]:
    names = {"door": DOOR, "shoes": SHOES, "till": TILL}
    return [heard(second, names[name], strength) for name, strength in rssi_dbm.items()]


def walked(*bursts: list[Evidence]) -> list[str | None]:
    """Where she is after each burst."""
    state: Whereabouts | None = None
    found = []
    for told in bursts:
        for evidence in told:
            state = track_whereabouts(state, evidence, measured_power_dbm=POWER)
        found.append(None if state is None or state.place is None else state.place.beacon)
    return found


def test_the_next_burst_tells_where_she_was_in_the_one_before() -> None:
    assert walked(burst(9, door=-80, shoes=-70), burst(69, door=-70, shoes=-80)) == [None, SHOES]


def test_what_counts_is_the_strength_over_the_measured_power() -> None:
    assert walked(burst(9, shoes=-70, till=-75), burst(69, shoes=-70)) == [None, TILL]


@given(st.permutations([("door", -85), ("shoes", -70), ("till", -90)]))
def test_in_which_order_the_phone_tells_of_a_burst_makes_no_difference(order: list[tuple[str, int]]) -> None:
    # The burst lies across the border of two windows.
    first, second = burst(11, **dict(order)), burst(71, **dict(order))
    assert walked(first, second) == [None, SHOES]


def test_she_is_elsewhere_after_two_windows() -> None:
    at_door, at_shoes = {"door": -65, "shoes": -85}, {"door": -85, "shoes": -65}
    bursts = [burst(9, **at_door), burst(69, **at_shoes), burst(129, **at_shoes), burst(189, **at_shoes)]
    assert walked(*bursts) == [None, DOOR, DOOR, SHOES]


def test_six_minutes_of_silence_are_forgotten() -> None:
    assert walked(burst(9, door=-65), burst(69, door=-65), burst(69 + 361, door=-65))[1:] == [DOOR, None]


@pytest.mark.parametrize(
    "change",
    [
        {"mocked": True},
        {"beacon": None},
        {"beacon": "9/9"},
        {"at_ms": T0 + 8000},
    ],
)
def test_what_is_not_to_be_believed_changes_nothing(change: dict[str, object]) -> None:
    state = track_whereabouts(None, heard(9, DOOR, -65), measured_power_dbm=POWER)
    assert state is not None
    told = structs.replace(heard(69, SHOES, -60), **change)  # type: ignore[arg-type]
    assert track_whereabouts(state, told, measured_power_dbm=POWER) is state


def test_a_beacon_that_left_the_catalog_is_not_compared() -> None:
    state = track_whereabouts(None, heard(9, DOOR, -50), measured_power_dbm=POWER)
    for evidence in (heard(9, SHOES, -80), heard(69, SHOES, -80)):
        state = track_whereabouts(state, evidence, measured_power_dbm={SHOES: -59})
    assert state is not None
    assert state.place is not None
    assert state.place.beacon == SHOES


def test_what_is_kept_is_bounded() -> None:
    many = tuple((before, -65) for before in range(0, 9000, 10))
    state = track_whereabouts(None, heard(9, DOOR, -65, samples=many), measured_power_dbm=POWER)
    assert state is not None
    assert len(state.samples) == KEPT_SAMPLES
