"""The plain stay-point rule, on ways that can be counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accuracy.stay_points import LEAST_S, RADIUS_M, TimedFix, apart_m, stay_points

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


def way(*fixes: tuple[float, float]) -> list[TimedFix]:
    """Fixes at seconds since the start and metres to the north."""
    return [(START + timedelta(seconds=at_s), (45.0 + north_m / 111_195, 7.0)) for at_s, north_m in fixes]


def test_a_stay_goes_from_its_first_to_its_last_fix_in_the_radius() -> None:
    fixes = way((0, 500), (60, 0), (120, 40), (300, 10), (420, 30), (480, 90))
    (stay,) = stay_points(fixes)
    assert (stay.since, stay.until, stay.lasted_s, stay.silence_s) == (fixes[1][0], fixes[4][0], 360, 180)
    assert apart_m(stay.middle, fixes[1][1]) == pytest.approx(20)


@pytest.mark.parametrize(
    ("last_s", "last_m", "found"), [(LEAST_S, 0, 1), (LEAST_S - 1, 0, 0), (LEAST_S, RADIUS_M + 1, 0)]
)
def test_it_has_to_last_within_the_radius(last_s: float, last_m: float, found: int) -> None:
    assert len(list(stay_points(way((0, 0), (10, 0), (last_s, last_m))))) == found


def test_two_stays_do_not_share_fixes() -> None:
    first, second = stay_points(way((0, 0), (300, 0), (310, 60), (700, 60)))
    assert (first.lasted_s, second.lasted_s) == (300, 390)


def test_a_way_without_a_rest_has_no_stay() -> None:
    assert list(stay_points(way(*((at_s, at_s) for at_s in range(0, 3600, 10))))) == []


def test_metres_shrink_with_the_latitude() -> None:
    assert apart_m((60.0, 0.0), (60.0, 0.001)) == pytest.approx(111.195 / 2)
    assert apart_m((0.0, 0.0), (0.003, 0.004)) == pytest.approx(555.975)
