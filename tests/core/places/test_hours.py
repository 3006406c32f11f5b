"""Are stores open when their hours say so, in their own time and on their own holidays?"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from m2s.core.base.errors import Invalid
from m2s.core.places.hours import hours_of
from tests.data import data_path

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
    hours = hours_of('Mo-Fr 08:00-12:00 "a", 12:00-18:00 "b"', "Europe/Paris", "FR")
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


def test_plain_weekly_hours_agree_with_the_published_intervals() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    with gzip.open(data_path("testcases/opening_hours_intervals.jsonl.gz"), "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    agreed, differing = 0, set()
    for case in cases:
        if case["features"] or case["place"] or case["open_ms"] is None or case["mode"] not in (None, 0):
            continue
        try:
            hours = hours_of(case["value"], "Europe/Berlin", "DE")
        except Invalid:
            continue
        start, end = (
            datetime.strptime(case[key], "%Y-%m-%d %H:%M").replace(tzinfo=berlin) for key in ("from", "to")
        )
        share = hours.open_share(start, end)
        assert share is not None
        elapsed = end.astimezone(UTC) - start.astimezone(UTC)
        if share * elapsed / timedelta(milliseconds=1) == pytest.approx(case["open_ms"], abs=1_000):
            agreed += 1
        else:
            differing.add(case["value"])
    assert agreed >= 18
    # The two parsers differ on nights past midnight across two rules, and on blanks in a list of days.
    assert differing <= {
        "Mo,Tu,We,Th,Fr,Su 11:00-01:00; Sa 11:00-02:00",
        "Mo, Tu, We, Th, Fr, Su 11:00-01:00; Sa 11:00-02:00",
    }
