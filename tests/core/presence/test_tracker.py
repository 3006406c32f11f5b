"""Presence: what triggers see while evidence arrives, and nothing twice."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.rules import StayRules
from m2s.core.presence.tracker import (
    Entered,
    Event,
    Left,
    Presence,
    dwelled,
    left_by_fix,
    left_by_silence,
    track,
)
from m2s.core.presence.visit import stays

RULES = StayRules(
    dwell_min_s=300,
    beacon_dwell_min_s=60,
    dwell_max_s=7200,
    gap_merge_s=600,
    max_accuracy_m=50,
    leave_margin_m=26.6,
)
T0 = 1_793_606_400_000
MIN = 60_000


def fix(at_ms: int, p: float, **changes: object) -> Evidence:
    base = Evidence(
        shopper_id="shp",
        store_id="sto",
        zone_id="premises",
        device_id="dev",
        sighting_id=f"s{at_ms}",
        kind=Kind.LOCATION,
        at_ms=T0 + at_ms,
        inside_probability=p,
        boundary_distance_m=60.0 if p == 0 else 20 - 40 * p,
        accuracy_m=10.0,
    )
    return structs.replace(base, **changes)  # type: ignore[arg-type]


def fence(at_ms: int, transition: Transition) -> Evidence:
    return fix(at_ms, 1.0, kind=Kind.GEOFENCE, transition=transition, boundary_distance_m=None)


def beacon(at_ms: int, n: int) -> Evidence:
    return fix(
        at_ms,
        1.0,
        kind=Kind.BEACON,
        boundary_distance_m=None,
        samples=tuple((1000 * before, -65) for before in reversed(range(n))),
    )


def run(*story: Evidence) -> tuple[Presence | None, list[Event]]:
    state: Presence | None = None
    events: list[Event] = []
    for evidence in story:
        state, new = track(state, evidence, rules=RULES)
        events += new
    return state, events


def entries(*story: Evidence) -> list[int]:
    return [event.at_ms - T0 for event in run(*story)[1] if isinstance(event, Entered)]


def test_one_sure_fix_enters() -> None:
    state, events = run(fix(0, 0.8))
    assert events == [Entered(T0)]
    assert state is not None
    assert state.inside


def test_two_probable_fixes_in_succession_enter_at_the_first() -> None:
    assert entries(fix(0, 0.5), fix(MIN, 0.5)) == [0]


@pytest.mark.parametrize("between", [fix(MIN, 0.1), fix(MIN, 0.0)])
def test_a_fix_that_is_not_probable_breaks_the_succession(between: Evidence) -> None:
    assert entries(fix(0, 0.5), between, fix(2 * MIN, 0.5)) == []


def test_a_fast_fix_does_not_enter() -> None:
    assert entries(fix(0, 0.95, speed_mps=13.0)) == []
    assert entries(fix(0, 0.0), fix(5_000, 0.95)) == []


def test_a_fence_enters_and_its_exit_leaves() -> None:
    _, events = run(fence(0, Transition.ENTER), fence(9 * MIN, Transition.EXIT))
    assert events == [Entered(T0), Left(T0, T0 + 4 * MIN)]


def test_a_leaving_fix_ends_the_presence_at_its_last_inside_evidence() -> None:
    state, events = run(fix(0, 0.9), fix(MIN, 0.6), fix(2 * MIN, 0.1), fix(3 * MIN, 0.0))
    assert events == [Entered(T0), Left(T0, T0 + MIN)]
    assert state is not None
    assert not state.inside


def test_an_exit_alone_is_no_event() -> None:
    assert run(fence(0, Transition.EXIT))[1] == []


def test_three_samples_in_a_window_enter_even_from_two_sightings() -> None:
    assert entries(beacon(2_000, 2)) == []
    assert entries(beacon(2_000, 2), beacon(3_000, 1)) == [1_000]
    assert entries(beacon(8_000, 2), beacon(11_000, 1)) == []


def test_a_beacon_that_was_just_heard_outranks_a_leaving_fix() -> None:
    heard = beacon(9_000, 5)
    assert run(heard, fix(39_000, 0.0))[1] == [Entered(T0 + 5_000)]
    assert run(heard, fix(39_001, 0.0))[1][-1] == Left(T0 + 5_000, T0 + 9_000)


def test_a_lone_sample_after_leaving_does_not_revive_the_presence() -> None:
    _, events = run(beacon(9_000, 5), fix(50_000, 0.0), beacon(55_000, 1))
    assert [type(event) for event in events] == [Entered, Left]


def test_silence_beyond_the_gap_leaves_before_it_judges_anew() -> None:
    _, events = run(fix(0, 0.9), fix(10 * MIN, 0.9), fix(20 * MIN + 1, 0.9))
    assert events == [Entered(T0), Left(T0, T0 + 10 * MIN), Entered(T0 + 20 * MIN + 1)]


def test_evidence_older_than_the_newest_changes_nothing() -> None:
    state, _ = run(fix(0, 0.9), fix(5 * MIN, 0.9))
    assert track(state, fix(4 * MIN, 0.0), rules=RULES) == (state, ())


@pytest.mark.parametrize("changes", [{"mocked": True}, {"accuracy_m": 51.0}])
def test_evidence_that_is_not_believed_changes_nothing(changes: dict[str, object]) -> None:
    assert track(None, fix(0, 0.9, **changes), rules=RULES) == (None, ())


def test_silence_is_over_after_the_gap() -> None:
    state, _ = run(fix(0, 0.9), fix(MIN, 0.1))
    assert state is not None
    assert not left_by_silence(state, T0 + 10 * MIN, rules=RULES)
    assert left_by_silence(state, T0 + 10 * MIN + 1, rules=RULES)


def test_a_fix_outside_every_padded_zone_ends_presence() -> None:
    state, _ = run(fix(0, 0.9), fix(MIN, 0.9))
    assert state is not None
    assert left_by_fix(state, T0 + 2 * MIN, accuracy_m=20, rules=RULES)
    assert not left_by_fix(state, T0 + 2 * MIN, accuracy_m=500, rules=RULES)
    assert not left_by_fix(state, T0, accuracy_m=20, rules=RULES)


def test_dwell_is_reached_once() -> None:
    states = [None, *(run(*[fix(m * MIN, 0.9) for m in range(n)])[0] for n in range(1, 10))]
    reached = [dwelled(before, after, duration_ms=6 * MIN) for before, after in itertools.pairwise(states)]
    assert reached == [False] * 6 + [True] + [False] * 2


def test_a_new_presence_can_reach_its_dwell_again() -> None:
    first, _ = run(fix(0, 0.9), fix(6 * MIN, 0.9))
    second, _ = track(first, fix(30 * MIN, 0.9), rules=RULES)
    third, _ = track(second, fix(36 * MIN, 0.9), rules=RULES)
    assert dwelled(None, first, duration_ms=6 * MIN)
    assert not dwelled(first, second, duration_ms=6 * MIN)
    assert dwelled(second, third, duration_ms=6 * MIN)


def moment(at_ms: int, shape: int) -> Evidence:
    made = [
        fix(at_ms, 0.9),
        fix(at_ms, 0.6),
        fix(at_ms, 0.1),
        fix(at_ms, 0.0),
        fence(at_ms, Transition.ENTER),
        fence(at_ms, Transition.EXIT),
        beacon(at_ms, 2),
        beacon(at_ms, 5),
    ]
    return made[shape]


def stories(shapes: int) -> st.SearchStrategy[list[Evidence]]:
    moments = st.dictionaries(st.integers(0, 400), st.integers(0, shapes - 1), max_size=30)
    return moments.map(lambda shape_at: [moment(at * 10_000, shape_at[at]) for at in sorted(shape_at)])


@given(stories(8))
def test_a_state_survives_its_row(story: list[Evidence]) -> None:
    state, _ = run(*story)
    assert state is None or msgspec.json.decode(msgspec.json.encode(state), type=Presence) == state


@given(stories(8))
def test_who_leaves_had_come_in_and_who_comes_back_within_the_gap_goes_on(story: list[Evidence]) -> None:
    entered_at_ms, left_at_ms = None, None
    for event in run(*story)[1]:
        if isinstance(event, Left):
            assert event.entered_at_ms == entered_at_ms
            left_at_ms = event.last_at_ms
        else:
            assert left_at_ms is None or event.at_ms - left_at_ms > RULES.gap_merge_s * 1000
            entered_at_ms = event.at_ms


@given(stories(6))
def test_every_presence_lies_within_a_stay_of_the_fold(story: list[Evidence]) -> None:
    state, events = run(*story)
    spans = [(event.entered_at_ms, event.last_at_ms) for event in events if isinstance(event, Left)]
    if state is not None and state.entered_at_ms is not None:
        spans.append((state.entered_at_ms, state.last_at_ms or 0))
    found = stays(story, RULES)
    assert all(any(s.start_ms <= since and until <= s.end_ms for s in found) for since, until in spans)
