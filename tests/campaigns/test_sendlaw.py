from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.calendars import has_calendar, holiday
from campaigns.laws import PROFILES, law_of, profile
from campaigns.sendlaw import allowed, next_opening
from tests.data import ROOT

PARIS = "Europe/Paris"
CALENDAR_2026 = [
    *("2026-01-01", "2026-04-06", "2026-05-01", "2026-05-08", "2026-05-14", "2026-05-25"),
    *("2026-07-14", "2026-08-15", "2026-11-01", "2026-11-11", "2026-12-25"),
]


def may(
    instant: str,
    tz: str = PARIS,
    *,
    country: str = "FR",
    subdivision: str | None = None,
    law: str = "fr-strict",
) -> bool:
    at = datetime.fromisoformat(instant)
    return allowed(law, at, tz=tz, country=country, subdivision=subdivision).allowed


@pytest.mark.parametrize(
    ("instant", "tz", "subdivision", "expected"),
    [
        ("2026-03-23T07:00Z", PARIS, None, False),
        ("2026-03-30T06:30Z", PARIS, None, True),
        ("2026-07-15T18:00Z", PARIS, None, False),
        ("2026-07-15T17:59:59Z", PARIS, None, True),
        ("2026-07-15T18:00Z", "America/Guadeloupe", None, True),
        ("2026-07-15T18:00Z", "Indian/Reunion", None, False),
        ("2026-07-15T18:00Z", "Pacific/Noumea", None, False),
        ("2026-11-11T10:00Z", PARIS, None, False),
        ("2026-04-03T10:00Z", PARIS, None, True),
        ("2026-04-03T10:00Z", PARIS, "67", False),
        ("2026-04-03T10:00Z", PARIS, "FR-68", False),
        ("2026-04-03T10:00Z", PARIS, "57", False),
        ("2026-04-03T10:00Z", PARIS, "75", True),
        ("2026-12-26T10:00Z", PARIS, None, True),
        ("2026-12-26T10:00Z", PARIS, "57", False),
        ("2026-12-20T08:00Z", "Indian/Reunion", None, False),
        ("2027-12-20T08:00Z", "Indian/Reunion", None, False),
        ("2027-12-20T08:00Z", PARIS, None, True),
        ("2026-05-27T15:00Z", "America/Guadeloupe", "971", False),
        ("2026-05-27T15:00Z", "America/Martinique", None, True),
        ("2026-09-24T00:00Z", "Pacific/Noumea", None, False),
    ],
)
def test_fr_strict_holds_at_the_known_moments(
    instant: str, tz: str, subdivision: str | None, expected: bool
) -> None:
    assert may(instant, tz, subdivision=subdivision) is expected


@pytest.mark.parametrize(
    ("instant", "country", "tz", "expected"),
    [
        ("2027-12-20T08:00Z", "RE", "Indian/Reunion", False),
        ("2026-09-24T00:00Z", "NC", "Pacific/Noumea", False),
        ("2026-05-27T15:00Z", "GP", "America/Guadeloupe", False),
        ("2026-11-19T10:00Z", "MC", "Europe/Monaco", False),
        ("2026-11-19T10:00Z", "FR", "Europe/Monaco", True),
        # All Saints' Day 2026 is a Sunday, and Monaco keeps the Monday after instead.
        ("2026-11-02T10:00Z", "MC", "Europe/Monaco", False),
        ("2026-11-03T10:00Z", "MC", "Europe/Monaco", True),
        ("2026-11-11T10:00Z", "MC", "Europe/Monaco", True),
        ("2026-07-14T10:00Z", "ZZ", "Europe/Belgrade", False),
        ("2026-07-14T10:00Z", "DE", "Europe/Berlin", True),
        ("2026-10-03T10:00Z", "DE", "Europe/Berlin", False),
    ],
)
def test_the_holidays_are_those_of_the_country_and_french_where_none_are_known(
    instant: str, country: str, tz: str, expected: bool
) -> None:
    assert may(instant, tz, country=country) is expected


def test_the_french_calendar_of_2026_is_closed_on_exactly_its_holidays_and_sundays() -> None:
    days = [date(2026, 1, 1) + timedelta(days=ahead) for ahead in range(365)]
    shut = [day.isoformat() for day in days if not may(f"{day}T11:00Z")]
    assert shut == [day.isoformat() for day in days if day.weekday() == 6 or day.isoformat() in CALENDAR_2026]


@pytest.mark.parametrize(
    ("instant", "rule"),
    [
        ("2026-03-23T07:00Z", "fr-strict: mon-sat 08:30-20:00, no public holiday"),
        ("2026-03-22T10:00Z", "fr-strict: never on sun"),
        ("2026-07-14T10:00Z", "fr-strict: never on public holidays (National Day)"),
    ],
)
def test_the_verdict_names_the_rule_and_the_local_time(instant: str, rule: str) -> None:
    verdict = allowed("fr-strict", datetime.fromisoformat(instant), tz=PARIS, country="FR")
    assert verdict.rule == rule
    assert verdict.local.endswith("Europe/Paris")


@pytest.mark.parametrize(
    ("instant", "opening"),
    [
        ("2026-03-28T19:00Z", "2026-03-30T06:30Z"),
        ("2026-03-30T06:00Z", "2026-03-30T06:30Z"),
        ("2026-03-30T06:30Z", "2026-03-30T06:30Z"),
        ("2026-12-24T19:00Z", "2026-12-26T07:30Z"),
        ("2026-10-24T18:00Z", "2026-10-26T07:30Z"),
    ],
)
def test_the_next_opening_is_the_first_lawful_instant(instant: str, opening: str) -> None:
    found = next_opening("fr-strict", datetime.fromisoformat(instant), tz=PARIS, country="FR")
    assert found == datetime.fromisoformat(opening)


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no send law 'fr-lax'; there are: default, .*fr-strict"):
        allowed("fr-lax", datetime(2026, 1, 1, tzinfo=UTC), tz=PARIS, country="FR")


@pytest.mark.parametrize(
    ("instant", "tz", "strict", "charter"),
    [
        ("2026-03-23T07:00Z", PARIS, False, True),
        ("2026-03-30T06:30Z", PARIS, True, True),
        ("2026-07-15T18:00Z", PARIS, False, True),
        ("2026-07-15T19:30Z", PARIS, False, False),
        ("2026-07-15T18:00Z", "America/Guadeloupe", True, True),
        ("2026-07-15T18:00Z", "Indian/Reunion", False, False),
        ("2026-07-15T18:00Z", "Pacific/Noumea", False, False),
        ("2026-11-11T10:00Z", PARIS, False, False),
        ("2026-10-25T00:30Z", PARIS, False, False),
        ("2026-10-25T01:30Z", PARIS, False, False),
    ],
)
def test_the_charter_opens_earlier_and_closes_later(
    instant: str, tz: str, strict: bool, charter: bool
) -> None:
    assert (may(instant, tz), may(instant, tz, law="fr-charte-2026")) == (strict, charter)


@pytest.mark.parametrize(
    ("law", "sunday", "armistice_day"),
    [
        ("fr-charte-2026", False, False),
        ("fr-charte-2026+sundays", True, False),
        ("fr-charte-2026+holidays", False, True),
        ("fr-charte-2026+sundays+holidays", True, True),
        ("fr-router-legacy", False, False),
        ("fr-voice", False, False),
        ("us-tcpa", True, True),
        ("uk-pecr", True, True),
        ("default", True, True),
    ],
)
def test_sundays_and_holidays_need_a_profile_that_has_them(
    law: str, sunday: bool, armistice_day: bool
) -> None:
    assert may("2026-11-08T10:00Z", law=law) is sunday
    assert may("2026-11-11T10:00Z", law=law) is armistice_day


@pytest.mark.parametrize(
    ("law", "hours"),
    [
        ("fr-strict", "08:30-20:00"),
        ("fr-charte-2026", "08:00-21:30"),
        ("fr-router-legacy", "08:00-22:00"),
        ("fr-voice", "10:00-13:00 14:00-20:00"),
        ("us-tcpa", "08:00-21:00"),
        ("uk-pecr", "08:00-21:00"),
        ("default", "08:00-20:00"),
    ],
)
def test_each_profile_opens_and_closes_at_its_minute(law: str, hours: str) -> None:
    friday = datetime(2026, 11, 13, tzinfo=UTC)
    minutes = [friday + timedelta(minutes=minute) for minute in range(24 * 60)]
    states = [allowed(law, at, tz="UTC", country="FR").allowed for at in minutes]
    edges = [
        f"{at:%H:%M}"
        for at, before, now in zip(minutes[1:], states, states[1:], strict=False)
        if before != now
    ]
    assert (
        " ".join(f"{opens}-{closes}" for opens, closes in zip(edges[::2], edges[1::2], strict=True)) == hours
    )


@pytest.mark.parametrize(
    ("country", "default", "law"),
    [
        ("FR", "fr-strict", "fr-strict"),
        ("FR", "fr-charte-2026+sundays", "fr-charte-2026+sundays"),
        ("RE", "fr-charte-2026", "fr-charte-2026"),
        ("FR", "us-tcpa", "fr-strict"),
        ("US", "fr-strict", "us-tcpa"),
        ("PR", "fr-strict", "us-tcpa"),
        ("GB", "fr-charte-2026", "uk-pecr"),
        ("MC", "fr-strict", "fr-strict"),
        ("DE", "default", "default"),
        ("ZZ", "fr-strict", "fr-strict"),
    ],
)
def test_the_law_is_that_of_the_country_and_the_house_chooses_at_home(
    country: str, default: str, law: str
) -> None:
    assert law_of(country, default=default).name == law


def test_every_profile_names_its_sources_and_stands_in_the_document() -> None:
    assert all(law.sources for law in PROFILES.values())
    text = (ROOT / "docs/law.md").read_text(encoding="utf-8")
    rows = {
        name: cells
        for name, *cells in re.findall(r"^\| `([^`]+)`.*?\| (.*?) \| (.*?) \| (.*?) \|", text, re.M)
    }
    days = {5: "Monday to Friday", 6: "Monday to Saturday", 7: "every day"}
    assert rows == {
        name: [
            days[len(law.weekdays)],
            ", ".join(f"{opens:%H:%M}–{closes:%H:%M}" for opens, closes in law.hours),
            "allowed" if law.on_holidays else "never",
        ]
        for name, law in PROFILES.items()
    }


YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = [
    ("Europe/Paris", "FR", None),
    ("Europe/Paris", "FR", "67"),
    ("Europe/London", "GB", None),
    ("America/New_York", "US", "US-NY"),
    ("America/Guadeloupe", "FR", None),
    ("Indian/Reunion", "FR", None),
    ("Pacific/Noumea", "FR", None),
    ("Australia/Lord_Howe", "AU", "AU-NSW"),
    ("Africa/Casablanca", "MA", None),
    ("America/Santiago", "CL", None),
    ("Pacific/Chatham", "NZ", None),
    ("Europe/Monaco", "MC", None),
    ("Asia/Tokyo", "JP", None),
]


@settings(max_examples=300)
@given(
    second=st.integers(0, 365 * 24 * 3600),
    where=st.sampled_from(PLACES),
    law=st.sampled_from(sorted(PROFILES)),
)
def test_what_is_allowed_is_within_the_window_and_on_no_holiday_all_year_everywhere(
    second: int, where: tuple[str, str, str | None], law: str
) -> None:
    tz, country, subdivision = where
    instant = YEAR + timedelta(seconds=second)
    local = instant.astimezone(ZoneInfo(tz))
    rules = profile(law)
    in_hours = any(opens <= local.time() < closes for opens, closes in rules.hours)
    day_off = holiday(local.date(), country, subdivision=subdivision, tz=tz) is not None
    lawful = local.weekday() in rules.weekdays and in_hours and (rules.on_holidays or not day_off)
    assert allowed(law, instant, tz=tz, country=country, subdivision=subdivision).allowed is lawful
    assert has_calendar(country)


@settings(max_examples=100, deadline=None)
@given(
    second=st.integers(0, 365 * 24 * 3600),
    where=st.sampled_from(PLACES),
    law=st.sampled_from(sorted(PROFILES)),
)
def test_the_next_opening_is_the_first_lawful_instant_all_year_everywhere(
    second: int, where: tuple[str, str, str | None], law: str
) -> None:
    tz, country, subdivision = where
    instant = YEAR + timedelta(seconds=second)
    opening = next_opening(law, instant, tz=tz, country=country, subdivision=subdivision)
    assert allowed(law, opening, tz=tz, country=country, subdivision=subdivision).allowed
    # Windows open on a half hour and last for hours: nothing between is lawful if no quarter and no last second is.
    quarters = (opening - instant) // timedelta(minutes=15)
    between = [opening - step * timedelta(minutes=15) for step in range(1, quarters + 1)]
    for at in [*between, max(instant, opening - timedelta(seconds=1))]:
        assert at == opening or not allowed(law, at, tz=tz, country=country, subdivision=subdivision).allowed


def test_no_window_opens_at_a_time_that_a_clock_change_skips() -> None:
    assert all(opens >= time(4) for law in PROFILES.values() for opens, _ in law.hours)
