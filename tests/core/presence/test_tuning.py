"""Does the evidence of a store say what is wrong with its radius and its dwell, and nothing where all is well?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES, Circle
from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.rules import StayRules
from m2s.core.presence.tuning import FACTORS, LEAST, Tally, advice, as_if_wider, tally, too_few
from tests.core.places.stores import area_feature, point_feature, stores

T0 = 1_793_606_400_000
BEACON = {"uuid": "e2c56db5dffb48d2b060d0f5a71096e0", "major": 1, "minor": 1}


def shop(radius_m: float = 60, **more: object) -> Store:
    (store,) = stores(point_feature("shop", 48, 2, premises_radius_m=radius_m, **more))
    return store


def rules(store: Store) -> StayRules:
    visit = store.visit
    return StayRules(
        dwell_min_s=visit.dwell_min_s,
        beacon_dwell_min_s=visit.beacon_dwell_min_s,
        dwell_max_s=visit.dwell_max_s,
        gap_merge_s=visit.gap_merge_s,
        max_accuracy_m=visit.max_accuracy_m,
        leave_margin_m=store.premises.margin_m,
    )


def at(
    store: Store,
    centre_m: float,
    *,
    minute: float = 0,
    accuracy_m: float = 15,
    speed_mps: float | None = None,
) -> Evidence:
    """A position so far from the centre of a store's circle, judged by that circle."""
    shape = store.premises.shape
    assert isinstance(shape, Circle)
    half_m = shape.radius_m / 2
    name, at_ms = f"s{minute}", T0 + round(minute * 60_000)
    one = Evidence("shp", store.id, PREMISES, "dev", name, Kind.LOCATION, at_ms, 0.0, centre_m - half_m)
    one.accuracy_m, one.speed_mps = accuracy_m, speed_mps
    (judged,) = as_if_wider([one], Circle(48, 2, half_m), 2.0)
    return judged


def stay(store: Store, centre_m: float, minutes: float) -> list[Evidence]:
    """Fixes every two minutes."""
    times = [2.0 * n for n in range(int(minutes // 2) + 1)]
    return [at(store, centre_m, minute=minute) for minute in (*times, *([minutes] if minutes % 2 else []))]


def seen(store: Store, shoppers: Iterable[Sequence[Evidence]]) -> Tally:
    found = Tally()
    for evidence in shoppers:
        tally(found, evidence, store, rules=rules(store))
    return found


def codes(store: Store, shoppers: Iterable[Sequence[Evidence]]) -> list[str]:
    return [found.code for found in advice(store, seen(store, shoppers))]


@pytest.mark.parametrize(
    ("radius_m", "factor", "centre_m", "accuracy_m", "probability"),
    [
        (60, 1.25, 60, 20, 0.850),
        (60, 1.25, 75, 20, 0.465),
        (60, 1.25, 90, 20, 0.112),
        (60, 1.25, 150, 50, 0.008),
        (100, 1.5, 100, 65, 0.838),
        (100, 0.75, 60, 20, 0.850),
    ],
)
def test_evidence_is_as_it_would_be_with_another_radius(
    radius_m: float, factor: float, centre_m: float, accuracy_m: float, probability: float
) -> None:
    """The published values of the non-central chi-square for the circle of the other radius."""
    store = shop(radius_m)
    one = at(store, centre_m, accuracy_m=accuracy_m)
    fence = Evidence("shp", "shop", PREMISES, "dev", "f", Kind.GEOFENCE, T0, 1.0, transition=Transition.ENTER)
    shape = store.premises.shape
    assert isinstance(shape, Circle)
    same, other = as_if_wider([one, fence], shape, factor)
    assert same == fence
    assert other.inside_probability == pytest.approx(probability, abs=1e-3)
    assert other.boundary_distance_m == pytest.approx(centre_m - radius_m * factor)
    assert as_if_wider([one, fence], shape, 1.0) == [one, fence]


def test_a_store_that_is_well_drawn_has_no_findings() -> None:
    store = shop(60)
    assert codes(store, [stay(store, 30, 10 + n % 20) for n in range(60)]) == []


def test_a_radius_that_misses_visits_is_told_with_the_one_that_finds_them() -> None:
    store = shop(60)
    people = [stay(store, centre_m, 12) for centre_m in (*[20] * 40, *[64] * 30)]
    (found,) = advice(store, seen(store, people))
    assert (found.code, found.severity) == ("radius", "note")
    assert found.detail.startswith("visits by radius: 45 m 40, 60 m 40, 75 m 70, 90 m 70 (of 40 stays")
    assert found.advice.startswith("premises_radius_m 75 finds more")


def test_a_radius_that_could_be_smaller_is_told_but_none_below_the_smallest() -> None:
    wide = shop(100)
    (found,) = advice(wide, seen(wide, [stay(wide, 20, 12)] * 40))
    assert found.detail.startswith("visits by radius: 75 m 40, 100 m 40, 125 m 40, 150 m 40")
    assert found.advice.startswith("premises_radius_m 75 finds as many")
    assert "80 m to 80 m inside the edge" in found.detail
    narrow = shop(60)
    assert codes(narrow, [stay(narrow, 20, 12)] * 40) == []
    heard = shop(60, beacons=[BEACON])
    assert codes(heard, [stay(heard, 20, 12)] * 40) == ["radius"]


@given(st.lists(st.integers(0, 50), min_size=len(FACTORS), max_size=len(FACTORS)))
def test_whatever_other_radii_would_find_there_is_an_answer(visits: list[int]) -> None:
    told = advice(shop(100), Tally(stays=LEAST, visits=dict(zip(FACTORS, visits, strict=True))))
    by_radius_m = {75: visits[0], 100: visits[1], 125: visits[2], 150: visits[3]}
    for finding in told:
        advised = by_radius_m[int(finding.advice.split()[1])]
        assert advised >= (1.2 if "more" in finding.advice else 0.95) * 0.95 * visits[1]


def test_a_radius_that_finds_more_because_it_is_smaller_is_advised() -> None:
    told = advice(shop(100), Tally(stays=LEAST, visits={0.75: 20, 1.0: 10, 1.25: 9, 1.5: 9}))
    assert [finding.advice.split()[:2] for finding in told] == [["premises_radius_m", "75"]]


def test_a_polygon_has_no_radius_to_tune() -> None:
    ring = [[2.0, 48.0], [2.003, 48.0], [2.003, 48.002], [2.0, 48.002], [2.0, 48.0]]
    (store,) = stores(area_feature("shop", ring))
    circle = shop(100)
    assert codes(store, [stay(circle, 20, 12)] * 40) == []


def test_a_road_through_the_premises_is_told() -> None:
    store = shop(60)
    drives = [[at(store, 10, speed_mps=14)]] * 15 + [[at(store, 10, speed_mps=0)]] * 35
    (found,) = advice(store, seen(store, drives))[:1]
    assert (found.code, found.severity) == ("drive_by", "warning")
    assert found.detail.startswith("30% of 50 positions inside")
    slower = [[at(store, 10, speed_mps=14)]] * 14 + [[at(store, 10, speed_mps=0)]] * 36
    assert "drive_by" not in codes(store, slower)
    # The speed is that at which the edge was crossed, where the phone tells none.
    crossing = [[at(store, 200, minute=0), at(store, 10, minute=0.2)]] * LEAST
    assert codes(store, crossing) == ["drive_by"]


def test_stays_that_are_mostly_too_short_are_told() -> None:
    store = shop(60)
    passing, coming = [stay(store, 30, 1)] * 40, [stay(store, 30, 12)] * 10
    assert codes(store, passing + coming) == ["short_stays"]
    assert codes(store, [*passing, *coming, stay(store, 30, 12)]) == []


def test_a_dwell_where_many_stays_end_is_told_with_one_where_few_do() -> None:
    store = shop(60)
    rng = Random(1)
    people = [stay(store, 30, rng.uniform(4.4, 5.6)) for _ in range(30)]
    people += [stay(store, 30, rng.uniform(0.1, 1.5)) for _ in range(20)]
    people += [stay(store, 30, rng.uniform(15, 30)) for _ in range(30)]
    (found,) = advice(store, seen(store, people))
    assert found.code == "dwell"
    assert found.detail == "30 of 80 stays last about as long as dwell_min_s, 300, and 0 about 225 s"
    assert found.advice.startswith("dwell_min_s 225 parts")


def test_too_few_stays_say_nothing() -> None:
    wide = shop(100)
    assert codes(wide, [stay(wide, 20, 12)] * (LEAST - 1)) == []
    assert codes(wide, [stay(wide, 20, 12)] * LEAST) == ["radius"]
    assert codes(wide, [stay(wide, 20, 1)] * (LEAST - 1)) == []
    assert codes(wide, [[at(wide, 10, speed_mps=14)]] * (LEAST - 1)) == []
    assert codes(wide, []) == []
    assert too_few(1).detail.startswith("1 store has fewer than 30 stays")
    assert too_few(2).detail.startswith("2 stores have")
