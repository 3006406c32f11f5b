"""Regulars: staff by their days, residents by their nights and weak visits, whatever was known first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.presence.regulars import PastStay, Reason, Regular, comes_often, merged, regular_spans

PARIS = ZoneInfo("Europe/Paris")
MONDAY = date(2026, 11, 2)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def local(day: date, hour: float = 0, *, zone: ZoneInfo = PARIS) -> datetime:
    """A wall-clock time, as UTC."""
    minutes = round(hour * 60)
    return datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=zone).astimezone(UTC)


def shift(day: int, begins: float = 9, hours: float = 4) -> PastStay:
    start = local(MONDAY + day * DAY, begins)
    return PastStay(start, start + hours * HOUR)


def night(day: int, minutes: float = 30, begins: float = 22) -> PastStay:
    start = local(MONDAY + day * DAY, begins)
    end = start + minutes * MINUTE
    return PastStay(start, end, closed=[(start, end)])


def weak(day: int, probability: float | None = 0.79) -> PastStay:
    start = local(MONDAY + day * DAY, 10)
    return PastStay(start, start + 10 * MINUTE, inside_probability=probability)


def told(stays: Sequence[PastStay], zone: ZoneInfo = PARIS) -> list[tuple[str, int, int]]:
    """Reason, first and last day of each span, as days since Monday in local time."""
    found = []
    for span in regular_spans(stays, zone):
        first, end = (at.astimezone(zone) for at in (span.since, span.until))
        assert first.time() == end.time() == (time() if span.reason is Reason.STAFF else first.time())
        found.append((span.reason.value, (first.date() - MONDAY).days, (end.date() - MONDAY).days - 1))
    return found


def test_three_days_of_four_hours_in_seven_are_staff_for_all_the_week_around_them() -> None:
    assert told([shift(0), shift(2), shift(4)]) == [("staff", -2, 6)]
    assert told([shift(0), shift(2), shift(6)]) == [("staff", 0, 6)]


@pytest.mark.parametrize(
    "stays",
    [
        [shift(0), shift(2)],
        [shift(0), shift(2), shift(7)],
        [shift(0), shift(2), shift(4, hours=4 - 1 / 3600)],
        [shift(0), shift(0, begins=15), shift(1)],
    ],
    ids=["two days", "eight days", "a second short", "two stays on one day"],
)
def test_fewer_days_are_no_staff(stays: list[PastStay]) -> None:
    assert told(stays) == []


def test_the_hours_of_a_day_add_up_and_those_past_midnight_are_of_the_next_day() -> None:
    split = [stay for day in (0, 1, 2) for stay in (shift(day, 9, 2), shift(day, 14, 2))]
    assert told(split) == [("staff", -4, 6)]
    # From 22:00 to 6:00: two hours before midnight and six after it.
    nights = [shift(day, 22, 8) for day in (0, 1, 2)]
    assert [span for span in told(nights) if span[0] == "staff"] == [("staff", -3, 7)]


def test_who_goes_on_working_is_staff_without_a_break_and_no_longer_after_it() -> None:
    weeks = [shift(7 * week + day) for week in range(4) for day in range(5)]
    assert told(weeks) == [("staff", -4, 29)]
    again = [*weeks, *(shift(60 + day) for day in range(3))]
    assert told(again) == [("staff", -4, 29), ("staff", 56, 66)]


def test_three_nights_of_half_an_hour_in_fourteen_are_a_resident() -> None:
    assert told([night(0), night(5), night(13)]) == [("resident", 0, 13)]
    assert told([night(0), night(5), night(14)]) == []
    assert told([night(0), night(5), night(13, minutes=29.9)]) == []


def test_a_night_goes_from_noon_to_noon() -> None:
    both_sides = [stay for day in (0, 1, 2) for stay in (night(day, 15, 23), night(day + 1, 15, 5))]
    assert [reason for reason, *_ in told(both_sides)] == ["resident"]
    (span,) = regular_spans([night(0), night(5), night(13)], PARIS)
    assert (span.since, span.until) == (local(MONDAY, 12), local(MONDAY + 14 * DAY, 12))


def test_more_than_twenty_weak_visits_in_thirty_days_are_a_resident() -> None:
    assert told([weak(day) for day in range(20)]) == []
    assert told([weak(day) for day in range(21)]) == [("resident", -9, 29)]
    assert told([weak(day) for day in (*range(20), 30)]) == []
    assert told([weak(day, 0.8) for day in range(30)]) == []
    assert told([weak(day, None) for day in range(30)]) == []


def test_it_matters_how_weak_visits_are_from_the_same_number_on() -> None:
    for days in (range(20), range(21), (*range(20), 29), (*range(20), 30)):
        stays = [weak(day) for day in days]
        assert comes_often((stay.start for stay in stays), PARIS) is bool(told(stays))


@pytest.mark.parametrize(("changes", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_and_nights_are_local_where_the_clock_changes(changes: date, hours: int) -> None:
    span = (local(changes), local(changes + DAY))
    assert span[1] - span[0] == hours * HOUR
    # Three hours before the end of the day on which the clock changes, one after it: no day has four.
    over = [
        PastStay(local(changes + day * DAY, 21), local(changes + (day + 1) * DAY, 1)) for day in (-1, 0, 1)
    ]
    assert regular_spans(over, PARIS) == []
    days = [PastStay(local(changes + day * DAY, 20), local(changes + (day + 1) * DAY)) for day in (-1, 0, 1)]
    assert regular_spans(days, PARIS) == [
        Regular(Reason.STAFF, local(changes - 5 * DAY), local(changes + 6 * DAY))
    ]


def test_a_local_day_need_not_begin_at_midnight() -> None:
    # In Cairo the clock went from 24:00 to 1:00 on the night to 2026-04-24.
    cairo = ZoneInfo("Africa/Cairo")
    day = date(2026, 4, 24)
    stays = [
        PastStay(local(day + n * DAY, 1, zone=cairo), local(day + n * DAY, 5, zone=cairo)) for n in (0, 1, 2)
    ]
    (span,) = regular_spans(stays, cairo)
    assert (span.since, span.until) == (local(day - 4 * DAY, zone=cairo), local(day + 7 * DAY, zone=cairo))


@st.composite
def lives(draw: st.DrawFn) -> list[PastStay]:
    kinds = st.sampled_from(["shift", "night", "weak"])
    things = draw(st.lists(st.tuples(kinds, st.integers(0, 60), st.integers(0, 23)), max_size=60))
    made = {
        "shift": lambda day, hour: shift(day, hour, 4),
        "night": lambda day, hour: night(day, 40, hour),
        "weak": lambda day, _: weak(day),
    }
    return [made[kind](day, hour) for kind, day, hour in things]


@given(lives(), st.randoms(use_true_random=False))
def test_the_order_says_nothing_and_what_comes_later_only_adds(stays: list[PastStay], rng: Random) -> None:
    spans = regular_spans(stays, PARIS)
    shuffled = rng.sample(stays, len(stays))
    assert regular_spans(shuffled, PARIS) == spans
    some = regular_spans(shuffled[: len(stays) // 2], PARIS)
    assert merged([*some, *spans]) == spans
    assert merged(spans) == spans
    for one, other in pairwise(spans):
        assert one.reason != other.reason or one.until < other.since


@given(lives())
def test_each_staff_day_lies_in_a_window_with_three(stays: list[PastStay]) -> None:
    """The definition, day by day: a day is set aside when seven days that hold it have three staff days."""
    lasted: dict[date, float] = {}
    for stay in stays:
        at = stay.start
        while at < stay.end:
            day = at.astimezone(PARIS).date()
            lasted[day] = lasted.get(day, 0) + 1
            at += MINUTE
    worked = {day for day, minutes in lasted.items() if minutes >= 240}
    spans = [span for span in regular_spans(stays, PARIS) if span.reason is Reason.STAFF]
    for n in range(-10, 75):
        day = MONDAY + n * DAY
        windows = [[day + (k - offset) * DAY for k in range(7)] for offset in range(7)]
        expected = any(len(worked.intersection(window)) >= 3 for window in windows)
        assert any(span.since <= local(day, 12) < span.until for span in spans) is expected
