"""Measured visits are judged against true ones by overlap."""

from datetime import UTC, datetime, timedelta

import pytest

from beacons.sim.route import Kind
from beacons.sim.truth import MeasuredVisit, TrueVisit, score

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def true(device: str, since_min: float, until_min: float, *, store: str = "s") -> TrueVisit:
    start, end = (NOON + timedelta(minutes=minutes) for minutes in (since_min, until_min))
    return TrueVisit(0, device, store, start, end, dwell_min_s=300.0, planned=True, kind=Kind.BUYER)


def measured(device: str, since_min: float, until_min: float, *, store: str = "s") -> MeasuredVisit:
    start, end = (NOON + timedelta(minutes=minutes) for minutes in (since_min, until_min))
    return MeasuredVisit(device, store, start, end)


def test_a_perfect_measurement_scores_one() -> None:
    result = score([true("a", 0, 20), true("b", 5, 15)], [measured("a", 0, 20), measured("b", 5, 15)])
    assert (result.precision, result.recall, result.dwell_mae_s) == (1.0, 1.0, 0.0)


def test_another_store_another_device_or_another_time_is_wrong() -> None:
    claims = [
        measured("a", 0, 20, store="t"),
        measured("b", 0, 20),
        measured("a", 20, 30),
        measured("a", 1, 19),
    ]
    result = score([true("a", 0, 20)], claims)
    assert result.precision == pytest.approx(0.25)
    assert result.recall == 1.0
    assert result.dwell_mae_s == pytest.approx(120.0)


def test_short_visits_need_not_be_found_but_are_right_when_they_are() -> None:
    short, long = true("a", 0, 6.9), true("b", 0, 7.1)
    assert score([short, long], [measured("b", 1, 6)]).recall == 1.0
    assert score([short, long], [measured("a", 1, 6)]).recall == 0.0
    assert score([short, long], [measured("a", 1, 6)]).precision == 1.0


def test_a_visit_measured_in_two_pieces_is_found_once_with_its_longer_piece() -> None:
    result = score([true("a", 0, 30)], [measured("a", 0, 10), measured("a", 14, 30)])
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert result.dwell_mae_s == pytest.approx(14 * 60)


def test_nothing_measured_scores_nothing() -> None:
    result = score([true("a", 0, 30)], [])
    assert (result.precision, result.recall, result.dwell_mae_s) == (0.0, 0.0, 0.0)
