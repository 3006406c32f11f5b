from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model import Cron, Hours, Moment, RRule, Weekly, When
from campaigns.recurrence import cron, rrule
from campaigns.schedule import occurrences, on_dates, utc_of, when_text, within
from tests.campaigns.cases import CAMPAIGN, OFFER
from tests.changed import replace

EVERY_DAY = frozenset(range(7))
MINUTE = timedelta(minutes=1)
# The local days of clock changes; Sao Paulo gave them up in 2019, Tehran in 2022, both changed at midnight. Casablanca
# goes back for Ramadan, Kolkata has none.
CHANGE_DAYS = {
    "Europe/Paris": (date(2026, 3, 29), date(2026, 10, 25)),
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "Pacific/Chatham": (date(2026, 4, 5), date(2026, 9, 27)),
    "Africa/Casablanca": (date(2026, 2, 15), date(2026, 3, 22)),
    "Asia/Tehran": (date(2022, 3, 22), date(2022, 9, 21)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Pacific/Auckland": (date(2026, 4, 5), date(2026, 9, 27)),
    "Atlantic/Azores": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 6)),
    "America/Sao_Paulo": (date(2018, 2, 17), date(2018, 11, 4)),
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 10, 25)),
}
ZONES_AND_DAYS = [(tz, day) for tz, days in CHANGE_DAYS.items() for day in days]


@cache
def clock_readings(tz: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Every UTC minute of the days around `day`, and what a clock on the wall shows then."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    instants = (start + minute * MINUTE for minute in range(5 * 24 * 60))
    return tuple((at, at.astimezone(ZoneInfo(tz)).replace(tzinfo=None)) for at in instants)


def first_shown(tz: str, wall: datetime, day: date) -> datetime:
    return next(at for at, shown in clock_readings(tz, day) if shown >= wall)


@pytest.mark.parametrize(("tz", "day"), ZONES_AND_DAYS)
def test_the_chosen_days_are_those_on_which_clocks_change(tz: str, day: date) -> None:
    shown = [wall for _, wall in clock_readings(tz, day) if wall.date() == day]
    assert (len(shown) == 1440) == (tz == "Asia/Kolkata")


@given(where=st.sampled_from(ZONES_AND_DAYS), minute=st.integers(0, 1439), shift=st.sampled_from([-1, 0, 1]))
def test_a_wall_time_is_the_first_instant_at_which_clocks_show_it_or_later(
    where: tuple[str, date], minute: int, shift: int
) -> None:
    tz, day = where
    wall = datetime.combine(day, time()) + timedelta(days=shift, minutes=minute)
    assert utc_of(wall, tz) == first_shown(tz, wall, day)


@given(where=st.sampled_from(ZONES_AND_DAYS), minute=st.integers(0, 1439))
def test_a_daily_moment_runs_exactly_once_a_day_through_both_changes(
    where: tuple[str, date], minute: int
) -> None:
    tz, day = where
    readings = clock_readings(tz, day)
    start, end = readings[0][0], readings[-1][0]
    found = occurrences(Weekly(EVERY_DAY, minute), tz, start=start, end=end)
    expected = []
    for nominal in sorted({wall.date() for _, wall in readings}):
        wall = datetime.combine(nominal, time()) + minute * MINUTE
        due = next((at for at, shown in readings if shown >= wall), end + MINUTE)
        if start < due <= end:
            expected.append((due, f"{wall:%Y-%m-%dT%H:%M}"))
    assert [(occurrence.due, occurrence.key) for occurrence in found] == expected


def as_cron(minute: int) -> Cron:
    return cron(f"{minute % 60} {minute // 60} * * *")


def as_rrule(minute: int) -> RRule:
    return rrule(f"FREQ=DAILY;BYHOUR={minute // 60};BYMINUTE={minute % 60}")


def as_rrule_from_a_start(minute: int) -> RRule:
    return rrule(f"DTSTART:20180101T{minute // 60:02d}{minute % 60:02d}00 RRULE:FREQ=DAILY")


@pytest.mark.parametrize("written", [as_cron, as_rrule, as_rrule_from_a_start])
@settings(max_examples=40)
@given(where=st.sampled_from(ZONES_AND_DAYS), minute=st.integers(0, 1439))
def test_every_day_is_the_same_times_however_it_is_written(
    written: Callable[[int], Moment], where: tuple[str, date], minute: int
) -> None:
    tz, day = where
    readings = clock_readings(tz, day)
    start, end = readings[0][0], readings[-1][0]
    daily = occurrences(Weekly(EVERY_DAY, minute), tz, start=start, end=end)
    assert occurrences(written(minute), tz, start=start, end=end) == daily


@pytest.mark.parametrize(("tz", "day"), ZONES_AND_DAYS)
def test_a_cron_line_for_every_hour_runs_once_for_each_hour_of_the_clock(tz: str, day: date) -> None:
    readings = clock_readings(tz, day)
    start, end = readings[0][0], readings[-1][0]
    walls = {datetime.combine(wall.date(), time(hour, 30)) for _, wall in readings for hour in range(24)}
    first = [next((at for at, shown in readings if shown >= wall), end + MINUTE) for wall in walls]
    found = occurrences(cron("30 * * * *"), tz, start=start, end=end)
    assert [occurrence.due for occurrence in found] == sorted({at for at in first if start < at <= end})


def test_two_times_that_a_gap_makes_one_instant_run_once_by_the_name_of_the_first() -> None:
    start, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    found = occurrences(cron("0 2,3 * * *"), "Europe/Paris", start=start, end=end)
    assert [(each.due.hour, each.key) for each in found] == [(1, "2026-03-29T02:00")]


def test_a_time_of_the_first_reading_is_found_when_one_looks_during_the_second() -> None:
    first, second = datetime(2026, 11, 1, 5, 40, tzinfo=UTC), datetime(2026, 11, 1, 6, 10, tzinfo=UTC)
    found = occurrences(cron("50 1 * * *"), "America/New_York", start=first, end=second)
    assert [each.due for each in found] == [datetime(2026, 11, 1, 5, 50, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("moment", "walls"),
    [
        (
            cron("0 10 * * 6"),
            ["2026-11-07T10:00", "2026-11-14T10:00", "2026-11-21T10:00", "2026-11-28T10:00"],
        ),
        (cron("30 11 1,15 * *"), ["2026-11-01T11:30", "2026-11-15T11:30"]),
        (
            cron("0 18 25 * fri"),
            [f"2026-11-{day}T18:00" for day in ("06", "13", "20", "25", "27")],
        ),
        (rrule("FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0"), ["2026-11-07T10:00"]),
        (rrule("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=9;BYMINUTE=15"), ["2026-11-30T09:15"]),
        (rrule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=9;BYMINUTE=0"), ["2026-11-30T09:00"]),
        (
            rrule("DTSTART:20261024T100000 RRULE:FREQ=WEEKLY;INTERVAL=2"),
            ["2026-11-07T10:00", "2026-11-21T10:00"],
        ),
        (rrule("DTSTART:20261030T170000 RRULE:FREQ=DAILY;COUNT=4"), ["2026-11-01T17:00", "2026-11-02T17:00"]),
        (rrule("FREQ=DAILY;BYHOUR=8;BYMINUTE=0;UNTIL=20261102"), ["2026-11-01T08:00", "2026-11-02T08:00"]),
        (rrule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24;BYHOUR=8;BYMINUTE=0"), []),
    ],
)
def test_a_moment_that_comes_again_names_these_times_of_a_month(moment: Moment, walls: list[str]) -> None:
    start, end = datetime(2026, 10, 31, 23, 0, tzinfo=UTC), datetime(2026, 11, 30, 22, 59, tzinfo=UTC)
    assert [found.key for found in occurrences(moment, "Europe/Paris", start=start, end=end)] == walls


@pytest.mark.parametrize(
    "moment",
    [cron("15 9 29 2 *"), rrule("DTSTART:20261107T100000 RRULE:FREQ=MONTHLY;INTERVAL=2;BYDAY=-1SA")],
)
@given(cut=st.integers(1, 3 * 366))
def test_a_rare_moment_is_found_however_the_years_are_cut(moment: Moment, cut: int) -> None:
    start = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    middle, end = start + timedelta(days=cut), start + timedelta(days=3 * 366)
    both = occurrences(moment, "Europe/Paris", start=start, end=middle)
    both += occurrences(moment, "Europe/Paris", start=middle, end=end)
    assert both == occurrences(moment, "Europe/Paris", start=start, end=end)
    assert both


@given(where=st.sampled_from(ZONES_AND_DAYS), minute=st.integers(0, 1439), cut=st.integers(1, 5 * 1440 - 2))
def test_looking_in_two_steps_finds_what_one_look_finds(
    where: tuple[str, date], minute: int, cut: int
) -> None:
    tz, day = where
    readings = clock_readings(tz, day)
    start, middle, end = readings[0][0], readings[cut][0], readings[-1][0]
    moment = Weekly(frozenset({0, 5, 6}), minute)
    both = occurrences(moment, tz, start=start, end=middle) + occurrences(moment, tz, start=middle, end=end)
    assert both == occurrences(moment, tz, start=start, end=end)


@pytest.mark.parametrize(
    ("tz", "wall", "due"),
    [
        ("Europe/Paris", "2026-03-29T02:30", "2026-03-29T01:00Z"),
        ("Europe/Paris", "2026-10-25T02:30", "2026-10-25T00:30Z"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00Z"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30Z"),
        ("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:00Z"),
        ("Atlantic/Azores", "2026-03-29T00:30", "2026-03-29T01:00Z"),
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00Z"),
        ("Asia/Kolkata", "2026-03-29T02:30", "2026-03-28T21:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00Z"),
    ],
)
def test_skipped_times_run_after_the_gap_and_repeated_ones_the_first_time(
    tz: str, wall: str, due: str
) -> None:
    assert utc_of(datetime.fromisoformat(wall), tz) == datetime.fromisoformat(due)


def test_an_instant_is_due_once_in_a_span_that_is_open_at_its_start() -> None:
    due = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
    minute_before = due - MINUTE
    found = occurrences(due, "Europe/Paris", start=minute_before, end=due)
    assert [(occurrence.due, occurrence.key) for occurrence in found] == [(due, "2026-11-02T11:30")]
    assert occurrences(due, "Europe/Paris", start=due, end=due + MINUTE) == []


@given(
    since=st.integers(0, 1439),
    length=st.integers(1, 1440),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    minute=st.integers(0, 7 * 1440 - 1),
)
def test_a_span_belongs_to_the_day_it_starts(
    since: int, length: int, days: frozenset[int], minute: int
) -> None:
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    instant = monday + minute * MINUTE
    starts = [monday + timedelta(days=day, minutes=since) for day in range(-1, 7)]
    expected = any(start <= instant < start + length * MINUTE for start in starts if start.weekday() in days)
    when = When(days=days, hours=(Hours(since, since + length),))
    assert within(when, "UTC", instant=instant) == expected


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2026-10-25T00:30Z", True),
        ("2026-10-25T01:30Z", True),
        ("2026-10-25T02:30Z", False),
        ("2026-10-24T00:30Z", False),
    ],
)
def test_hours_hold_at_both_readings_of_a_repeated_hour(instant: str, inside: bool) -> None:
    when = When(days=frozenset({6}), hours=(Hours(120, 180),))
    assert within(when, "Europe/Paris", instant=datetime.fromisoformat(instant)) is inside


@pytest.mark.parametrize(
    ("instant", "active"),
    [
        ("2026-10-31T22:59:59Z", False),
        ("2026-10-31T23:00Z", True),
        ("2026-11-30T22:59:59Z", True),
        ("2026-11-30T23:00Z", False),
    ],
)
def test_a_campaign_runs_on_whole_local_days(instant: str, active: bool) -> None:
    assert on_dates(CAMPAIGN, "Europe/Paris", instant=datetime.fromisoformat(instant)) is active


def test_a_campaign_without_dates_always_runs() -> None:
    endless = replace(CAMPAIGN, since=None, until=None)
    assert on_dates(endless, "Asia/Kolkata", instant=datetime(2101, 1, 1, tzinfo=UTC))


def test_an_offer_has_whole_local_days_of_its_own() -> None:
    offer = replace(OFFER, since=date(2026, 11, 7), until=date(2026, 11, 7))
    days = {
        at: on_dates(offer, "Europe/Paris", instant=datetime.fromisoformat(at))
        for at in ("2026-11-06T22:59:59Z", "2026-11-06T23:00Z", "2026-11-07T22:59:59Z", "2026-11-07T23:00Z")
    }
    assert list(days.values()) == [False, True, True, False]


def test_days_and_hours_read_like_the_yaml() -> None:
    assert when_text(When(days=frozenset({0, 5}), hours=(Hours(510, 630),))) == "mon, sat 08:30-10:30"
    assert when_text(When(hours=(Hours(1320, 1560),))) == "every day 22:00-02:00"
