"""Quality: when a sighting happened and what it may say."""

from __future__ import annotations

import pytest
from msgspec import structs

from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.quality import Fix, Verdict, event_time, heard, judge

NOW = 1_800_000_000_000
FIX = Evidence(
    shopper_id="shp",
    store_id="sto",
    zone_id="premises",
    device_id="dev",
    sighting_id="s1",
    kind=Kind.LOCATION,
    at_ms=NOW,
    inside_probability=0.9,
    boundary_distance_m=-10.0,
    accuracy_m=10.0,
)


def verdict(evidence: Evidence, previous: Fix | None = None) -> Verdict:
    return judge(evidence, previous, max_accuracy_m=50, leave_margin_m=26.6)


def test_age_beats_every_clock() -> None:
    assert event_time(NOW, NOW + 9**9, at_ms=1, age_ms=4_000) == (NOW - 4_000, False)


def test_a_clock_that_is_days_wrong_cancels_out() -> None:
    wrong = NOW - 3 * 86_400_000
    assert event_time(NOW, wrong, at_ms=wrong - 60_000, age_ms=None) == (NOW - 60_000, False)


def test_a_bare_time_is_believed_and_flagged() -> None:
    assert event_time(NOW, None, at_ms=NOW - 5, age_ms=None) == (NOW - 5, True)


def test_no_time_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="age_ms"):
        event_time(NOW, NOW, at_ms=None, age_ms=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Verdict.INSIDE),
        ({"inside_probability": 0.8}, Verdict.INSIDE),
        ({"inside_probability": 0.79}, Verdict.MAYBE),
        ({"inside_probability": 0.5, "boundary_distance_m": 0.0}, Verdict.MAYBE),
        ({"inside_probability": 0.49}, Verdict.NEUTRAL),
        ({"mocked": True}, Verdict.DROPPED),
        ({"accuracy_m": 50.0}, Verdict.INSIDE),
        ({"accuracy_m": 50.1}, Verdict.DROPPED),
        ({"accuracy_m": None}, Verdict.DROPPED),
        ({"speed_mps": 2.5}, Verdict.INSIDE),
        ({"speed_mps": 2.6}, Verdict.MOVING),
        ({"speed_mps": -1.0}, Verdict.INSIDE),
        ({"inside_probability": 0.0, "boundary_distance_m": 36.6}, Verdict.NEUTRAL),
        ({"inside_probability": 0.0, "boundary_distance_m": 36.7}, Verdict.OUTSIDE),
        ({"inside_probability": 0.0, "boundary_distance_m": 80.0, "speed_mps": 13.0}, Verdict.OUTSIDE),
        ({"kind": Kind.BEACON}, Verdict.HEARD),
        ({"kind": Kind.GEOFENCE, "transition": Transition.ENTER}, Verdict.ENTERED),
        ({"kind": Kind.GEOFENCE, "transition": Transition.DWELL}, Verdict.ENTERED),
        ({"kind": Kind.GEOFENCE, "transition": Transition.EXIT}, Verdict.EXITED),
        ({"kind": Kind.GEOFENCE, "transition": Transition.ENTER, "mocked": True}, Verdict.DROPPED),
    ],
)
def test_one_piece_of_evidence_is_judged_by_its_quality(
    changes: dict[str, object], expected: Verdict
) -> None:
    assert verdict(structs.replace(FIX, **changes)) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (Fix("dev", NOW - 10_000, boundary_distance_m=100.0, claims_inside=False), Verdict.MOVING),
        (Fix("dev", NOW - 60_000, boundary_distance_m=100.0, claims_inside=False), Verdict.INSIDE),
        (Fix("other", NOW - 10_000, boundary_distance_m=100.0, claims_inside=False), Verdict.INSIDE),
        (Fix("dev", NOW - 1_000, boundary_distance_m=-40.0, claims_inside=True), Verdict.INSIDE),
        (Fix("dev", NOW, boundary_distance_m=-8.0, claims_inside=False), Verdict.INSIDE),
    ],
)
def test_crossing_the_boundary_faster_than_walking_is_not_being_inside(
    previous: Fix, expected: Verdict
) -> None:
    assert verdict(FIX, previous) is expected


def test_a_fix_of_more_than_ten_minutes_ago_says_nothing_of_speed() -> None:
    inside = structs.replace(FIX, boundary_distance_m=-2_000.0)
    for age_ms, expected in ((600_000, Verdict.MOVING), (600_001, Verdict.INSIDE)):
        before = Fix("dev", NOW - age_ms, boundary_distance_m=30.0, claims_inside=False)
        assert verdict(inside, before) is expected


def test_samples_lie_as_far_before_the_event_as_the_phone_said() -> None:
    beacon = structs.replace(FIX, kind=Kind.BEACON, samples=((2000, -60), (1000, -61), (0, -62)))
    assert heard(beacon) == [(NOW - 2000, -60), (NOW - 1000, -61), (NOW, -62)]
