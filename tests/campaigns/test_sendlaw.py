from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sendlaw import allowed, next_opening

PARIS = "Europe/Paris"
CALENDAR_2026 = [
    *("2026-01-01", "2026-04-06", "2026-05-01", "2026-05-08", "2026-05-14", "2026-05-25"),
    *("2026-07-14", "2026-08-15", "2026-11-01", "2026-11-11", "2026-12-25"),
]


def may(instant: str, tz: str = PARIS, *, country: str = "FR", subdivision: str | None = None) -> bool:
    at = datetime.fromisoformat(instant)
    return allowed("fr-strict", at, tz=tz, country=country, subdivision=subdivision).allowed


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


@given(
    minute=st.integers(0, 3 * 365 * 24 * 60),
    where=st.sampled_from(
        [("Europe/Paris", "FR"), ("Europe/Monaco", "MC"), ("Indian/Reunion", "FR"), ("Asia/Tokyo", "JP")]
    ),
)
def test_nothing_is_lawful_between_an_instant_and_its_next_opening(
    minute: int, where: tuple[str, str]
) -> None:
    tz, country = where
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    opening = next_opening("fr-strict", instant, tz=tz, country=country)
    assert allowed("fr-strict", opening, tz=tz, country=country).allowed
    quarters = (opening - instant) // timedelta(minutes=15)
    between = [opening - step * timedelta(minutes=15) for step in range(1, quarters + 1)]
    assert not any(allowed("fr-strict", at, tz=tz, country=country).allowed for at in between)


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is no send law 'fr-lax'; there are: fr-strict"):
        allowed("fr-lax", datetime(2026, 1, 1, tzinfo=UTC), tz=PARIS, country="FR")
