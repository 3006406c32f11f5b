"""Visits: one stay is one visit whoever told it, and the laws of the fold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.rules import StayRules
from m2s.core.presence.visit import Confidence, Stay, StayKind, classify, stays, visit_id

RULES = StayRules(
    dwell_min_s=300,
    beacon_dwell_min_s=60,
    dwell_max_s=7200,
    gap_merge_s=600,
    max_accuracy_m=50,
    leave_margin_m=26.6,
)
T0 = 1_793_606_400_000
DAY_MS = 86_400_000


def evidence(minute: float, name: str = "", **changes: object) -> Evidence:
    base = Evidence(
        shopper_id="shp",
        store_id="sto",
        zone_id="premises",
        device_id="dev",
        sighting_id=f"{name}{minute}",
        kind=Kind.LOCATION,
        at_ms=T0 + round(minute * 60_000),
        inside_probability=0.95,
        boundary_distance_m=-20.0,
        accuracy_m=10.0,
    )
    return structs.replace(base, **changes)  # type: ignore[arg-type]


def inside(*minutes: float) -> list[Evidence]:
    return [evidence(minute, "i") for minute in minutes]


def maybe(*minutes: float) -> list[Evidence]:
    return [evidence(m, "m", inside_probability=0.6, boundary_distance_m=-2.0) for m in minutes]


def near(*minutes: float) -> list[Evidence]:
    return [evidence(m, "n", inside_probability=0.1, boundary_distance_m=12.0) for m in minutes]


def outside(*minutes: float) -> list[Evidence]:
    return [evidence(m, "o", inside_probability=0.0, boundary_distance_m=60.0) for m in minutes]


def fence(transition: Transition, *minutes: float) -> list[Evidence]:
    p = 0.0 if transition is Transition.EXIT else 1.0
    return [
        evidence(
            m,
            transition,
            kind=Kind.GEOFENCE,
            transition=transition,
            inside_probability=p,
            boundary_distance_m=None,
            accuracy_m=None,
        )
        for m in minutes
    ]


def enter(*minutes: float) -> list[Evidence]:
    return fence(Transition.ENTER, *minutes)


def leave(*minutes: float) -> list[Evidence]:
    return fence(Transition.EXIT, *minutes)


def beacon(*minutes: float, n: int = 5, name: str = "b", rssi_dbm: int = -89) -> list[Evidence]:
    """Bursts of a beacon, as weak as it may be to be near."""
    return [
        evidence(
            m,
            name,
            kind=Kind.BEACON,
            inside_probability=1.0,
            boundary_distance_m=None,
            accuracy_m=None,
            beacon=name,
            measured_power_dbm=-59,
            samples=tuple((1000 * before, rssi_dbm) for before in reversed(range(n))),
        )
        for m in minutes
    ]


def faint(*minutes: float) -> list[Evidence]:
    return beacon(*minutes, name="f", rssi_dbm=-90)


def told(found: Stay) -> tuple[float, float, str, str]:
    """Start and end in minutes, confidence, kind."""
    kind = classify(found, RULES)
    return (found.start_ms - T0) / 60_000, (found.end_ms - T0) / 60_000, found.confidence.value, kind.value


@dataclass(frozen=True)
class Scene:
    told: list[Evidence]
    expected: list[tuple[float, float, str, str]]
    proofs: list[float] = field(default_factory=list)


SECOND = 1 / 60
SCENES = {
    "positions alone": Scene(inside(0, 3, 6), [(0, 6, "medium", "visit")]),
    "fences alone bound a stay but do not confirm it": Scene(
        [*enter(0), *leave(13)], [(0, 8, "low", "unconfirmed")]
    ),
    "fences and one fix are a visit": Scene([*enter(0), *inside(2), *leave(10)], [(0, 5, "medium", "visit")]),
    "an exit may be told five minutes late": Scene(
        [*enter(0), *inside(2), *leave(9.99)], [(0, 4.99, "low", "passer_by")]
    ),
    "beacons alone, two minutes": Scene(
        beacon(0.15, 0.65, 2.15), [(0.15 - 4 * SECOND, 2.15, "high", "visit")]
    ),
    "all three tell one stay": Scene(
        [*enter(0), *inside(1, 4, 7), *beacon(2.15, 5.15), *leave(9)], [(0, 7, "high", "visit")]
    ),
    "drive-by with reported speed": Scene([evidence(m, speed_mps=13.0) for m in (0, 0.05, 0.1)], []),
    "drive-by seen by the change of distance": Scene([*outside(0), *inside(0.1), *outside(0.2)], []),
    "passer-by": Scene(inside(0, 0.5, 1), [(0, 1, "low", "passer_by")]),
    "passer-by heard by beacons": Scene(beacon(0.15, 0.4), [(0.15 - 4 * SECOND, 0.4, "low", "passer_by")]),
    "jitter in the car park": Scene([*near(0, 2, 4), *maybe(5), *near(6, 8), *maybe(9), *near(10)], []),
    "two probable fixes start with the first": Scene(maybe(1, 2), [(1, 2, "low", "passer_by")]),
    "a probable fix extends a stay": Scene([*inside(0, 6), *maybe(7)], [(0, 7, "medium", "visit")]),
    "a probable fix after leaving does not": Scene(
        [*inside(0, 6), *outside(7), *maybe(8)], [(0, 6, "medium", "visit")]
    ),
    "fixes between inside and gone are neutral": Scene(
        [*inside(0), *near(2, 3), *inside(6)], [(0, 6, "medium", "visit")]
    ),
    "a missed exit closes at the last evidence": Scene(
        [*enter(0), *inside(1, 7)], [(0, 7, "medium", "visit")]
    ),
    "a late exit after a leaving fix changes nothing": Scene(
        [*inside(0, 6), *outside(7.5), *leave(11)], [(0, 6, "medium", "visit")]
    ),
    "an exit bounds the stay where nothing else does": Scene(
        [*inside(0, 6), *leave(13)], [(0, 8, "medium", "visit")]
    ),
    "an exit soon after the last evidence adds nothing": Scene(
        [*inside(0, 6), *leave(8)], [(0, 6, "medium", "visit")]
    ),
    "after an exit a probable fix does not carry on": Scene(
        [*inside(0, 6), *leave(7), *maybe(8)], [(0, 6, "medium", "visit")]
    ),
    "an exit without enter after the gap is not believed": Scene(
        [*inside(0, 6), *leave(17)], [(0, 6, "medium", "visit")]
    ),
    "an exit alone is nothing": Scene(leave(5), []),
    "silence within the gap is merged": Scene(inside(0, 10), [(0, 10, "medium", "visit")]),
    "silence beyond the gap is two stays": Scene(
        inside(0, 10.01), [(0, 0, "low", "passer_by"), (10.01, 10.01, "low", "passer_by")]
    ),
    "a short walk outside is merged": Scene(
        [*inside(0, 4), *outside(6), *inside(9, 12)], [(0, 12, "medium", "visit")]
    ),
    "the fence bridges an hour without signal": Scene(
        [*enter(0), *inside(1, 60), *leave(62)], [(0, 60, "medium", "visit")]
    ),
    "a dwell event hands the bridge on": Scene(
        [*enter(0), *fence(Transition.DWELL, 20), *inside(41), *leave(60)], [(0, 55, "medium", "visit")]
    ),
    "an enter answered by another enter bridges nothing": Scene(
        [*enter(0), *enter(60), *leave(70)],
        [(0, 0, "low", "passer_by"), (60, 65, "low", "unconfirmed")],
    ),
    "no bridge over a leaving fix": Scene(
        [*enter(0), *outside(15), *leave(40)], [(0, 0, "low", "passer_by")]
    ),
    "no bridge to a return after a leaving fix": Scene(
        [*enter(0), *outside(15), *inside(30), *leave(40)],
        [(0, 0, "low", "passer_by"), (30, 35, "low", "unconfirmed")],
    ),
    "a bridge ends at the leaving fix that a late exit confirms": Scene(
        [*enter(0), *inside(1, 30), *outside(32, 34), *leave(37)], [(0, 30, "medium", "visit")]
    ),
    "an exit later than exits are confirms no leaving fix": Scene(
        [*enter(0), *inside(1, 30), *outside(32), *leave(37.01)],
        [(0, 1, "low", "passer_by"), (30, 30, "low", "passer_by")],
    ),
    "a bridge that ended at a leaving fix reaches no return": Scene(
        [*enter(0), *inside(1), *outside(15), *inside(17), *leave(19)],
        [(0, 1, "low", "passer_by"), (17, 17, "low", "passer_by")],
    ),
    "a dwell confirms no leaving fix": Scene(
        [*enter(0), *inside(1, 30), *outside(32), *fence(Transition.DWELL, 34)],
        [(0, 1, "low", "passer_by"), (30, 34, "low", "passer_by")],
    ),
    "an exit answers one enter only": Scene(
        [*enter(0), *inside(1), *leave(12), *inside(25), *leave(40)],
        [(0, 7, "medium", "visit"), (25, 25, "low", "passer_by")],
    ),
    "a leaving fix while a beacon is heard does not end the stay": Scene(
        [*enter(0), *beacon(1.15, 7.15), *outside(7.4), *beacon(9.15)], [(0, 9.15, "high", "visit")]
    ),
    "no bridge past sixteen hours": Scene([*enter(0), *leave(16 * 60 + 1)], [(0, 0, "low", "passer_by")]),
    "beacons outrank a position that drifted away": Scene(
        [*enter(0), *beacon(1.15, 7.15), *outside(4), *leave(8)], [(0, 7.15, "high", "visit")]
    ),
    "faint signals alone are nothing": Scene(faint(*range(20)), []),
    "faint signals carry a stay on": Scene(
        [*beacon(1.15, 3.15), *faint(8.15, 17.15)], [(1.15 - 4 * SECOND, 17.15, "high", "visit")]
    ),
    "faint signals after the gap do not": Scene(
        [*beacon(1.15, 3.15), *faint(13.3)], [(1.15 - 4 * SECOND, 3.15, "high", "visit")]
    ),
    "faint signals after leaving do not": Scene(
        [*beacon(1.15, 3.15), *leave(4), *faint(5.15)], [(1.15 - 4 * SECOND, 3.15, "high", "visit")]
    ),
    "who hears most signals faintly is behind a wall": Scene(
        [*beacon(1.15, 9.15), *faint(2.15, 4.15, 6.15)], [(1.15 - 4 * SECOND, 9.15, "low", "unconfirmed")]
    ),
    "who is behind a wall by beacons can be inside by positions": Scene(
        [*beacon(1.15, 9.15), *faint(2.15, 4.15, 6.15), *inside(3, 8)],
        [(1.15 - 4 * SECOND, 9.15, "medium", "visit")],
    ),
    "of several beacons one that is near is enough": Scene(
        [*beacon(1.15, 3.15), *faint(1.15, 3.15)], [(1.15 - 4 * SECOND, 3.15, "high", "visit")]
    ),
    "a window that is near and a fix": Scene(
        [*beacon(1.15), *inside(7)], [(1.15 - 4 * SECOND, 7, "medium", "visit")]
    ),
    "two probable fixes are as good as one sure one": Scene(
        [*maybe(0, 2), *inside(6)], [(0, 6, "medium", "visit")]
    ),
    "four probable fixes are a visit": Scene(maybe(0, 2, 4, 6), [(0, 6, "medium", "visit")]),
    "three probable fixes are not": Scene(maybe(0, 3, 6), [(0, 6, "low", "unconfirmed")]),
    "a whole working day is no visit": Scene(inside(*range(0, 481, 8)), [(0, 480, "medium", "too_long")]),
    "spoofed positions are nothing": Scene([evidence(m, mocked=True) for m in (0, 3, 6)], []),
    "inaccurate positions are nothing": Scene([evidence(m, accuracy_m=65.0) for m in (0, 3, 6)], []),
    "approach zones are no visit": Scene([evidence(m, zone_id="vicinity") for m in (0, 3, 6)], []),
    "a redemption proves a visit however short": Scene(inside(0, 1), [(0, 1, "high", "visit")], [9.0]),
    "a redemption past the gap proves nothing": Scene(inside(0, 1), [(0, 1, "low", "passer_by")], [11.5]),
}


@pytest.mark.parametrize("name", SCENES)
def test_scene(name: str) -> None:
    scene = SCENES[name]
    proofs_ms = [T0 + round(minute * 60_000) for minute in scene.proofs]
    found = [told(stay) for stay in stays(scene.told, RULES, proofs_ms=proofs_ms)]
    assert [stay[2:] for stay in found] == [stay[2:] for stay in scene.expected]
    assert [stay[:2] for stay in found] == [pytest.approx(stay[:2], abs=1e-3) for stay in scene.expected]


BIG_CIRCLE = {
    "a fence event is no evidence of being inside": Scene([*enter(0), *leave(13)], []),
    "an exit does not carry a stay on": Scene([*inside(0, 6), *leave(13)], [(0, 6, "medium", "visit")]),
    "fences and one fix are no visit": Scene(
        [*enter(0), *inside(2), *leave(20)], [(2, 2, "low", "passer_by")]
    ),
    "the fence bridges an hour without signal": Scene(
        [*enter(0), *inside(1, 60), *leave(62)], [(1, 60, "medium", "visit")]
    ),
    "who has left the circle has left": Scene(
        [*inside(0, 6), *leave(7), *maybe(8)], [(0, 6, "medium", "visit")]
    ),
}


@pytest.mark.parametrize("name", BIG_CIRCLE)
def test_scene_where_phones_watch_a_circle_much_larger_than_the_premises(name: str) -> None:
    scene = BIG_CIRCLE[name]
    assert [told(stay) for stay in stays(scene.told, replace(RULES, fence_fits=False))] == scene.expected


def test_each_beacon_that_is_near_in_a_window_scores_as_three_positions() -> None:
    (stay,) = stays([*beacon(1.15, 3.15), *beacon(3.15, name="c"), *faint(1.15), *inside(2)], RULES)
    assert stay.score == pytest.approx(3 * 3 + 0.95)
    assert (stay.beacon_windows, stay.heard) == (2, True)


def test_how_weak_a_beacon_may_be_is_a_matter_of_the_premises() -> None:
    (stay,) = stays(faint(1.15, 3.15), replace(RULES, faint_db=31))
    assert (stay.heard, stay.confidence) == (True, Confidence.HIGH)


def test_a_stay_says_who_told_it() -> None:
    (stay,) = stays([*enter(0), *inside(1), *beacon(2.15), *leave(9)], RULES)
    assert (stay.has_enter, stay.has_exit, stay.inside_fixes, stay.beacon_windows) == (True, True, 1, 1)
    assert stay.sources == (Kind.BEACON, Kind.GEOFENCE, Kind.LOCATION)
    assert stay.first_sighting_id == "enter0"
    assert stay.dwell_s == 240


def test_a_window_is_named_after_the_sighting_of_its_first_sample() -> None:
    (stay,) = stays(beacon(0.05, 0.1, n=2), RULES)
    assert (stay.first_sighting_id, stay.beacon_windows) == ("b0.05", 1)


def test_a_stay_outside_opening_hours_is_closed_unless_proven() -> None:
    (stay,) = stays(inside(0, 6), RULES)
    assert classify(stay, RULES, open_share=0.49) is StayKind.CLOSED
    assert classify(stay, RULES, open_share=0.5) is StayKind.VISIT
    assert classify(structs.replace(stay, proven=True), RULES, open_share=0.0) is StayKind.VISIT


def test_the_dwell_maximum_is_still_a_visit() -> None:
    stay = structs.replace(stays(inside(0, 6), RULES)[0], end_ms=T0 + 7_200_000)
    assert classify(stay, RULES) is StayKind.VISIT
    assert classify(structs.replace(stay, end_ms=T0 + 7_201_000), RULES) is StayKind.TOO_LONG


def test_a_visit_keeps_its_name_while_it_lasts() -> None:
    (early,), (later,) = stays(inside(0, 6), RULES), stays(inside(0, 6, 9), RULES)
    name = visit_id("shp", "sto", stay=early)
    assert name == visit_id("shp", "sto", stay=later)
    assert name != visit_id("shp", "sto2", stay=early)
    assert name != visit_id("shp", "sto", stay=stays(inside(1, 6), RULES)[0])
    assert (name[:4], len(name), int(name[4:], 16) > 0) == ("vis_", 30, True)


def one_of_any_kind(index: int, minute: float, shape: int) -> Evidence:
    makers = (inside, maybe, near, outside, enter, leave, beacon, faint)
    made = makers[shape % len(makers)](minute)[0]
    device = "dev" if shape < 3 * len(makers) else "tab"
    return structs.replace(made, sighting_id=f"s{index}", device_id=device)


stories = st.lists(st.tuples(st.integers(0, 360), st.integers(0, 31)), max_size=30).map(
    lambda moments: [one_of_any_kind(i, m / 6, shape) for i, (m, shape) in enumerate(moments)]
)


@given(stories, st.integers(0, 2**32), st.integers(0, 30))
def test_order_repetition_and_batches_change_nothing(story: list[Evidence], seed: int, cut: int) -> None:
    rng = Random(seed)
    batches = [story[cut:], story[:cut], rng.sample(story, len(story) // 2)]
    arrived = [one for batch in batches for one in rng.sample(batch, len(batch))]
    assert stays(arrived, RULES) == stays(story, RULES)


@given(stories)
def test_a_day_later_everything_is_a_day_later(story: list[Evidence]) -> None:
    shifted = stays([structs.replace(one, at_ms=one.at_ms + DAY_MS) for one in story], RULES)
    expected = [
        structs.replace(stay, start_ms=stay.start_ms + DAY_MS, end_ms=stay.end_ms + DAY_MS)
        for stay in stays(story, RULES)
    ]
    assert shifted == expected


@given(stories.filter(lambda story: bool(stays(story, RULES))), st.data())
def test_one_more_inside_fix_in_a_stay_never_reduces_its_dwell(
    story: list[Evidence], data: st.DataObject
) -> None:
    stay = data.draw(st.sampled_from(stays(story, RULES)))
    at_ms = data.draw(st.integers(stay.start_ms, stay.end_ms))
    distance_m = data.draw(st.floats(-200, -1))
    device_id = data.draw(st.sampled_from(["dev", "tab"]))
    added = evidence(0, "added", at_ms=at_ms, boundary_distance_m=distance_m, device_id=device_id)
    after = stays([*story, added], RULES)
    assert any(new.start_ms <= stay.start_ms and new.end_ms >= stay.end_ms for new in after)


@given(stories, st.integers(0, 1800), st.integers(0, 1800))
def test_a_longer_minimum_never_adds_visits(story: list[Evidence], one: int, other: int) -> None:
    def visits(dwell_min_s: int) -> set[int]:
        rules = replace(RULES, dwell_min_s=dwell_min_s)
        return {s.start_ms for s in stays(story, rules) if classify(s, rules) is StayKind.VISIT}

    assert visits(max(one, other)) <= visits(min(one, other))


@given(stories)
def test_stays_are_apart_and_within_the_evidence(story: list[Evidence]) -> None:
    found = stays(story, RULES)
    for stay in found:
        assert T0 - 60_000 <= stay.start_ms <= stay.end_ms <= max(one.at_ms for one in story)
        assert stay.confidence is not Confidence.HIGH or stay.beacon_windows >= 2
    for before, after in pairwise(found):
        assert after.start_ms - before.end_ms > RULES.gap_merge_s * 1000


def test_who_lives_in_the_zone_is_told_day_by_day() -> None:
    days = stays(inside(*range(0, 3 * 1440, 5)), RULES)
    assert [day.dwell_s // 60 for day in days] == [1440, 1440, 1425]
    assert all(classify(day, RULES) is StayKind.TOO_LONG for day in days)
