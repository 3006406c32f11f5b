"""Nearness: how long the beacons of a place were near."""

from __future__ import annotations

import itertools

import msgspec
from msgspec import structs

from beacons.ranging import Proximity
from m2s.core.presence.evidence import Evidence, Kind
from m2s.core.presence.nearness import BeaconPresence, heard_for, silent, track_beacon

T0 = 1_793_606_400_000
NEAR_DBM, FAR_DBM = -65, -80


def heard(second: int, rssi_dbm: int = NEAR_DBM, **changes: object) -> Evidence:
    base = Evidence(
        shopper_id="shp",
        store_id="sto",
        zone_id="premises",
        device_id="dev",
        sighting_id=f"s{second}",
        kind=Kind.BEACON,
        at_ms=T0 + second * 1000,
        inside_probability=1.0,
        place="shoes",
        measured_power_dbm=-59,
        samples=tuple((1000 * before, rssi_dbm) for before in reversed(range(5))),
    )
    return structs.replace(base, **changes)  # type: ignore[arg-type]


def run(*story: Evidence, wanted: Proximity = Proximity.NEAR) -> list[BeaconPresence | None]:
    states: list[BeaconPresence | None] = [None]
    for evidence in story:
        states.append(track_beacon(states[-1], evidence, wanted=wanted))
    return states


def reached(states: list[BeaconPresence | None], seconds: int) -> list[bool]:
    steps = itertools.pairwise(states)
    return [heard_for(before, after, duration_ms=seconds * 1000) for before, after in steps]


def test_twenty_seconds_near_are_reached_once() -> None:
    assert reached(run(*(heard(s) for s in (9, 19, 29, 39))), 20) == [False, False, True, False]


def test_without_a_duration_the_first_window_is_enough() -> None:
    assert reached(run(heard(9), heard(19)), 0) == [True, False]


def test_too_few_samples_are_not_heard() -> None:
    assert reached(run(heard(9, samples=((1000, NEAR_DBM), (0, NEAR_DBM)))), 0) == [False]


def test_sightings_of_one_sample_add_up_to_a_window() -> None:
    assert reached(run(*(heard(s, samples=((0, NEAR_DBM),)) for s in (1, 2, 3))), 0) == [False, False, True]


def test_far_is_not_near_but_near_is_far_enough() -> None:
    assert reached(run(heard(9, FAR_DBM)), 0) == [False]
    assert reached(run(heard(9, FAR_DBM), wanted=Proximity.FAR), 0) == [True]
    assert reached(run(heard(9), wanted=Proximity.FAR), 0) == [True]
    assert reached(run(heard(9), wanted=Proximity.IMMEDIATE), 0) == [False]


def test_one_far_window_is_passed_over() -> None:
    assert reached(run(heard(9), heard(19, FAR_DBM), heard(29)), 20) == [False, False, True]


def test_two_bursts_five_minutes_apart_are_one_presence() -> None:
    assert reached(run(*(heard(s) for s in (9, 309, 609))), 20) == [False, True, False]


def test_six_minutes_without_start_anew() -> None:
    states = run(heard(9), heard(374), heard(384), heard(394))
    assert reached(states, 20) == [False, False, False, True]


def test_mocked_late_and_unranged_sightings_change_nothing() -> None:
    (_, state) = run(heard(19))
    for evidence in (heard(29, mocked=True), heard(9), heard(29, measured_power_dbm=None)):
        assert track_beacon(state, evidence, wanted=Proximity.NEAR) is state


def test_a_state_survives_its_row_and_goes_when_silent() -> None:
    (_, _, state) = run(heard(9), heard(18))
    assert state is not None
    assert msgspec.json.decode(msgspec.json.encode(state), type=BeaconPresence) == state
    assert not silent(state, T0 + 378_000)
    assert silent(state, T0 + 378_001)
