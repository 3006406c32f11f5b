"""Are stores open when their hours say so, in their own time and on their own holidays?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from m2s.core.base.errors import Invalid
from m2s.core.places.hours import hours_of

SHOP = hours_of("Mo-Sa 08:30-19:30; PH off", "Europe/Monaco", "MC")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_store_is_open_between_its_hours_in_its_own_time() -> None:
    assert SHOP.is_open(utc(2026, 11, 3, 7, 30)) is True
    assert SHOP.is_open(utc(2026, 11, 3, 7, 29)) is False
    assert SHOP.is_open(utc(2026, 11, 3, 18, 30)) is False


def test_the_closing_time_is_an_instant() -> None:
    assert SHOP.closes_at(utc(2026, 11, 3, 9)) == utc(2026, 11, 3, 18, 30)
    assert SHOP.closes_at(utc(2026, 11, 1, 9)) is None
    assert hours_of("24/7", "Europe/Paris", "FR").closes_at(utc(2026, 11, 3, 9)) is None


def test_a_change_of_comment_is_not_a_closing() -> None:
    hours = hours_of('Mo-Fr 08:00-12:00 open "a", 12:00-18:00 open "b"', "Europe/Paris", "FR")
    assert hours.closes_at(utc(2026, 11, 3, 9)) == utc(2026, 11, 3, 17)


def test_the_closed_parts_of_a_span_are_those_outside_its_hours() -> None:
    noon, next_noon = utc(2026, 11, 3, 12), utc(2026, 11, 4, 12)
    assert SHOP.closed_parts(noon, next_noon) == [(utc(2026, 11, 3, 18, 30), utc(2026, 11, 4, 7, 30))]
    assert SHOP.closed_parts(utc(2026, 11, 3, 2), utc(2026, 11, 3, 3)) == [
        (utc(2026, 11, 3, 2), utc(2026, 11, 3, 3))
    ]
    assert SHOP.closed_parts(noon, noon) == []
    assert hours_of(None, "Europe/Paris", "FR").closed_parts(noon, next_noon) == []
    assert hours_of("Mo-Su unknown", "Europe/Paris", "FR").closed_parts(noon, next_noon) == []
    # The hour from 2:00 comes twice: the night is ten hours long, from 22:00 to 7:00.
    nights = hours_of("Mo-Su 07:00-22:00", "Europe/Paris", "FR")
    ((start, end),) = nights.closed_parts(utc(2026, 10, 24, 19), utc(2026, 10, 25, 7))
    assert end - start == timedelta(hours=10)


def test_a_night_past_midnight_is_one_opening() -> None:
    hours = hours_of("22:00-26:00", "Europe/Paris", "FR")
    assert hours.closes_at(utc(2026, 11, 3, 21, 30)) == utc(2026, 11, 4, 1, 0)


@pytest.mark.parametrize(
    ("text", "now", "closing"),
    [
        ("Mo-Sa 08:30-19:30", utc(2026, 11, 3, 6), utc(2026, 11, 3, 18, 30)),
        ("Mo-Sa 08:30-12:00, 14:00-19:30", utc(2026, 11, 3, 9), utc(2026, 11, 3, 18, 30)),
        ("Mo-Sa 08:30-12:00, 14:00-19:30", utc(2026, 11, 3, 12), utc(2026, 11, 3, 18, 30)),
        ("Mo-Sa 08:30-19:30", utc(2026, 11, 3, 18, 30), None),
        ("Mo-Sa 08:30-19:30", utc(2026, 11, 1, 9), None),
        ("22:00-26:00", utc(2026, 11, 3, 12), utc(2026, 11, 4, 1)),
        ("Mo-Su 10:00-24:00", utc(2026, 11, 3, 12), utc(2026, 11, 3, 23)),
        ("Tu 18:00-24:00; We 00:00-02:00", utc(2026, 11, 3, 12), utc(2026, 11, 4, 1)),
        ("Mo-Su 00:00-24:00", utc(2026, 11, 3, 12), None),
        ("24/7", utc(2026, 11, 3, 12), None),
        ("unknown", utc(2026, 11, 3, 12), None),
        (None, utc(2026, 11, 3, 12), None),
    ],
)
def test_the_last_closing_of_a_day_is_past_the_lunch_break_and_may_be_past_midnight(
    text: str | None, now: datetime, closing: datetime | None
) -> None:
    assert hours_of(text, "Europe/Paris", "FR").last_closing_of_day(now) == closing


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    hours = hours_of("Mo-Su 22:00-26:00", "Europe/Paris", "FR")
    assert hours.last_closing_of_day(utc(2026, 11, 4, 0, 30)) == utc(2026, 11, 4, 1)
    assert hours.last_closing_of_day(utc(2026, 11, 4, 1)) == utc(2026, 11, 5, 1)


def test_the_last_closing_on_a_night_when_clocks_change_is_the_one_of_that_day() -> None:
    hours = hours_of("Mo-Su 06:00-23:30", "Europe/Paris", "FR")
    assert hours.last_closing_of_day(utc(2026, 10, 24, 22, 30)) == utc(2026, 10, 25, 22, 30)
    assert hours.last_closing_of_day(utc(2026, 10, 25, 22, 45)) is None


def test_holidays_are_those_of_the_country() -> None:
    national_day = utc(2026, 11, 19, 10)
    assert SHOP.is_open(national_day) is False
    assert hours_of("Mo-Sa 08:30-19:30; PH off", "Europe/Paris", "FR").is_open(national_day) is True


def test_the_open_share_counts_open_time() -> None:
    assert SHOP.open_share(utc(2026, 11, 3, 18, 0), utc(2026, 11, 3, 19, 0)) == pytest.approx(0.5)
    assert SHOP.open_share(utc(2026, 11, 3, 9), utc(2026, 11, 3, 10)) == 1.0
    assert SHOP.open_share(utc(2026, 11, 3, 2), utc(2026, 11, 3, 3)) == 0.0
    assert SHOP.open_share(utc(2026, 11, 3, 9), utc(2026, 11, 3, 9)) == 1.0


@pytest.mark.parametrize("day", [(2026, 10, 25), (2026, 3, 29)])
def test_on_the_nights_when_clocks_change_a_share_is_still_of_elapsed_time(day: tuple[int, int, int]) -> None:
    local = ZoneInfo("Europe/Paris")
    start = datetime(*day, 0, 0, tzinfo=local).astimezone(UTC)
    noon = datetime(*day, 12, 0, tzinfo=local).astimezone(UTC)
    hours = hours_of("06:00-12:00", "Europe/Paris", "FR")
    expected = timedelta(hours=6) / (noon - start)
    assert hours.open_share(start, noon) == pytest.approx(expected)
    assert hours.closes_at(noon - timedelta(hours=1)) == noon


def test_where_hours_are_not_known_nothing_is_claimed() -> None:
    for hours in (hours_of(None, "Europe/Paris", "FR"), hours_of("unknown", "Europe/Paris", "FR")):
        now = utc(2026, 11, 3, 9)
        assert hours.is_open(now) is None
        assert hours.closes_at(now) is None
        assert hours.open_share(now, now + timedelta(hours=1)) is None


def test_a_mistake_is_named_with_its_column() -> None:
    with pytest.raises(Invalid, match=r"'–' at column 12 is not understood") as caught:
        hours_of("Mo-Fr 08:30–19:30", "Europe/Monaco", "MC")
    assert caught.value.code == "opening_hours"


def test_the_same_text_is_parsed_once() -> None:
    assert hours_of("Mo 10:00-11:00", "Europe/Paris", "FR") is hours_of(
        "Mo 10:00-11:00", "Europe/Paris", "FR"
    )


def test_a_country_without_a_calendar_still_has_hours() -> None:
    assert hours_of("Mo-Su 08:00-20:00", "UTC", "ZZ").is_open(utc(2026, 11, 3, 9)) is True


def test_the_next_opening_of_a_closed_store_is_an_instant() -> None:
    assert SHOP.opens_at(utc(2026, 11, 3, 7)) == utc(2026, 11, 3, 7, 30)
    assert SHOP.opens_at(utc(2026, 10, 31, 18, 30)) == utc(2026, 11, 3, 7, 30)
    assert SHOP.opens_at(utc(2026, 11, 3, 9)) is None
    assert hours_of("2026 Jan 01-2026 Jan 31", "Europe/Paris", "FR").opens_at(utc(2026, 11, 3, 9)) is None
    assert hours_of(None, "Europe/Paris", "FR").opens_at(utc(2026, 11, 3, 9)) is None


@pytest.mark.parametrize(
    ("subdivision", "timezone", "day", "is_open"),
    [
        (None, "Europe/Paris", (2026, 4, 3), True),
        ("FR-67", "Europe/Paris", (2026, 4, 3), False),
        ("57", "Europe/Paris", (2026, 12, 26), False),
        (None, "Europe/Paris", (2026, 5, 27), True),
        (None, "America/Guadeloupe", (2026, 5, 27), False),
        (None, "Europe/Paris", (2027, 12, 20), True),
        (None, "Indian/Reunion", (2027, 12, 20), False),
    ],
)
def test_holidays_are_those_of_the_region_and_of_overseas_departments(
    subdivision: str | None, timezone: str, day: tuple[int, int, int], is_open: bool
) -> None:
    noon = datetime(*day, 12, tzinfo=ZoneInfo(timezone))
    hours = hours_of("Mo-Sa 09:00-19:00; PH off", timezone, "FR", subdivision=subdivision)
    assert hours.is_open(noon) is is_open


@pytest.mark.parametrize(
    ("text", "sunday", "armistice_day", "wednesday"),
    [
        ("Mo-Sa 09:00-19:00; Su,PH 10:00-11:00", 1 / 24, 1 / 24, 10 / 24),
        ("Mo-Sa 09:00-19:00; PH,Su off", 0, 0, 10 / 24),
        ("Mo-Sa 09:00-19:00, PH 20:00-21:00", 0, 11 / 24, 10 / 24),
        ("Mo-Sa 09:00-19:00; Nov: PH 10:00-12:00", 0, 2 / 24, 10 / 24),
        ("Mo-Sa 09:00-19:00; Dec: PH 10:00-12:00", 0, 10 / 24, 10 / 24),
        ('Mo-Sa 09:00-19:00; PH off "PH, as every year"', 0, 0, 10 / 24),
        ("PH", 0, 1, 0),
    ],
)
def test_rules_about_holidays_stand_where_they_are_written(
    text: str, sunday: float, armistice_day: float, wednesday: float
) -> None:
    hours = hours_of(text, "Europe/Paris", "FR")
    days = [datetime(2026, 11, day, tzinfo=ZoneInfo("Europe/Paris")) for day in (8, 11, 18)]
    shares = [hours.open_share(day, day + timedelta(days=1)) for day in days]
    assert shares == [pytest.approx(share) for share in (sunday, armistice_day, wednesday)]


def test_a_stay_over_new_year_has_the_holidays_of_both_years() -> None:
    hours = hours_of("Mo-Su 00:00-24:00; PH off", "Europe/Paris", "FR")
    assert hours.closes_at(utc(2026, 12, 30, 12)) == utc(2026, 12, 31, 23)
    assert hours.opens_at(utc(2027, 1, 1, 12)) == utc(2027, 1, 1, 23)


@pytest.mark.parametrize(
    ("text", "open_at", "closed_at"),
    [
        ("Mo-Sa 18:00-02:00; Su off", (2026, 11, 8, 1), (2026, 11, 9, 1)),
        ("Mo-Su 18:00-02:00; PH off", (2026, 11, 11, 1), (2026, 11, 12, 1)),
        ("Su-Th 11:00-23:00; Fr-Sa 11:00-01:00; PH off", (2026, 11, 8, 0), (2026, 11, 9, 0)),
        ("Mo-Fr 9:00-1:00; Sa off", (2026, 11, 7, 0), (2026, 11, 8, 0)),
    ],
)
def test_a_night_is_not_cut_by_what_holds_for_the_day_after(
    text: str, open_at: tuple[int, ...], closed_at: tuple[int, ...]
) -> None:
    hours = hours_of(text, "Europe/Paris", "FR")
    paris = ZoneInfo("Europe/Paris")
    assert hours.is_open(datetime(*open_at, 30, tzinfo=paris)) is True  # type: ignore[misc,arg-type]
    assert hours.is_open(datetime(*closed_at, 30, tzinfo=paris)) is False  # type: ignore[misc,arg-type]


def test_a_night_that_moves_its_day_closes_when_it_says() -> None:
    hours = hours_of("Mo-Sa 18:00-02:00; Su off", "Europe/Paris", "FR")
    assert hours.closes_at(utc(2026, 11, 7, 22)) == utc(2026, 11, 8, 1)
    assert hours.last_closing_of_day(utc(2026, 11, 7, 12)) == utc(2026, 11, 8, 1)
    assert hours.opens_at(utc(2026, 11, 8, 1)) == utc(2026, 11, 9, 17)


def test_what_is_open_on_request_is_not_known_to_be_open() -> None:
    monday, sunday = utc(2026, 11, 2, 9), utc(2026, 11, 8, 9)
    assert hours_of('Mo-Fr 09:00-18:00 "on request"', "Europe/Paris", "FR").is_open(monday) is None
    fallback = hours_of('Mo-Fr 09:00-18:00 || "on request"', "Europe/Paris", "FR")
    assert (fallback.is_open(monday), fallback.is_open(sunday)) == (True, None)
    assert fallback.closes_at(monday) == utc(2026, 11, 2, 17)
    assert fallback.closed_parts(sunday, utc(2026, 11, 8, 12)) == []
    assert hours_of("Mo-Fr 09:00-18:00 || off", "Europe/Paris", "FR").is_open(sunday) is False


def test_a_list_with_blanks_is_one_list() -> None:
    hours = hours_of("Mo, Tu, We 09:00-18:00; Jan 01, Dec 25 off", "Europe/Paris", "FR")
    assert [hours.is_open(utc(2026, 11, day, 12)) for day in (2, 3, 4, 5)] == [True, True, True, False]
    assert hours.is_open(utc(2029, 1, 1, 12)) is False


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("Mo-Fr sunrise-18:00", 7, "depends on the sun"),
        ("Mo-Fr 09:00-18:00; SH off", 20, "school holidays"),
        ("Mo-Fr 09:00-18:00; PH Su off", 20, "on some weekdays only"),
        ("Fr 17:00+", 4, "no closing time"),
        ("Mo-Fr 10:00-16:00/01:30", 15, "a timetable"),
        ("easter -2 days-easter +2 days off", 1, "Easter"),
        ("Jun 31 off", 1, "there is no Jun 31"),
        ("Jun 30-24 off", 1, "ends before it begins"),
        ("Mo-Fr 09:00-18:00 || Sa 10:00-12:00", 19, "only unknown, off or a comment"),
        ("Fr 22:00-04:00; Sa 20:00-05:00", 15, "join rules with ,"),
    ],
)
def test_what_readers_understand_in_different_ways_is_refused_with_its_column(
    text: str, column: int, reason: str
) -> None:
    with pytest.raises(Invalid, match=f"column {column}: .*{reason}") as caught:
        hours_of(text, "Europe/Paris", "FR")
    assert caught.value.code == "opening_hours"


CHANGES = [
    ("Europe/Paris", (2026, 3, 28)),
    ("Europe/Paris", (2026, 10, 24)),
    ("Australia/Lord_Howe", (2026, 4, 4)),
    ("Australia/Lord_Howe", (2026, 10, 3)),
    ("America/Santiago", (2026, 4, 3)),
    ("America/Santiago", (2026, 9, 5)),
    ("Pacific/Chatham", (2026, 4, 4)),
    ("Africa/Casablanca", (2026, 3, 21)),
]


@pytest.mark.parametrize(
    "text", ["Mo-Su 02:15-02:45", "Mo-Su 22:00-02:30; Mo off", "Mo-Su 00:30-23:30; PH off"]
)
@pytest.mark.parametrize(("timezone", "day"), CHANGES)
def test_spans_say_what_each_minute_says_when_clocks_change(
    timezone: str, day: tuple[int, int, int], text: str
) -> None:
    hours = hours_of(text, timezone, timezone[:2])
    start = datetime(*day, 12, 0, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    minutes = [start + timedelta(minutes=minute) for minute in range(36 * 60)]
    by_minute = [at for at in minutes if not hours.is_open(at)]
    parts = hours.closed_parts(start, minutes[-1] + timedelta(minutes=1))
    assert [at for at in minutes if any(since <= at < until for since, until in parts)] == by_minute
