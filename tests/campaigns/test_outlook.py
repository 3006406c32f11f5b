"""What the law keeps an offer from is said before it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.model import Offer
from campaigns.outlook import Ground, forbidden, shared_minutes
from campaigns.reader import read_campaign

PARIS = Ground("Europe/Paris", "FR", None)
NEW_YORK = Ground("America/New_York", "US", None)
NOW = datetime(2026, 10, 22, 8, tzinfo=UTC)
"""A Thursday."""


def said(
    *,
    when: str = "{}",
    trigger: str = "{near: vicinity}",
    dates: str = "",
    valid_for: str = "1h",
    ground: Ground = PARIS,
) -> list[str]:
    text = f"""
campaign: c
name: C
{dates}
stores: {{all: true}}
offers:
  - offer: o
    trigger: {trigger}
    when: {when}
    channels: [push]
    valid_for: {valid_for}
    message: {{push: {{body: {{en: "Hello"}}}}}}
"""
    campaign = read_campaign(text)
    return forbidden(campaign, campaign.offers[0], [ground], now=NOW, default_law="fr-strict")


SHORT = "until: 2026-10-30"


def test_hours_within_the_law_and_no_holiday_say_nothing() -> None:
    assert said(when='{days: mon-fri, hours: "09:00-19:00"}', dates=SHORT) == []


@pytest.mark.parametrize("when", ['{hours: "20:30-22:00"}', "{days: sun}", '{hours: "20:00-08:30"}'])
def test_an_offer_that_can_never_send_is_said_so(when: str) -> None:
    (told,) = said(when=when, dates=SHORT)
    assert told.startswith("o can never send in FR: fr-strict allows mon-sat 08:30-20:00")


def test_the_same_hours_are_lawful_elsewhere() -> None:
    assert said(when='{hours: "20:15-20:45"}', dates=SHORT, ground=NEW_YORK) == []


def test_days_on_which_part_of_the_hours_is_outside_are_named() -> None:
    (told,) = said(when='{days: fri-sun, hours: "19:00-21:00"}', dates=SHORT)
    assert told.startswith("o: on fri, sat, sun part of its hours is outside fr-strict")


def test_holidays_within_the_dates_are_named_and_only_those() -> None:
    dates = "from: 2026-11-01\nuntil: 2026-11-30"
    (told,) = said(when='{days: mon-fri, hours: "09:00-10:00"}', dates=dates)
    assert told.endswith("2026-11-01 (All Saints' Day), 2026-11-11 (Armistice Day)")
    assert said(when='{days: mon-fri, hours: "09:00-10:00", holidays: skip}', dates=dates) == []
    (never,) = said(when='{days: mon-fri, hours: "09:00-10:00", holidays: only}', dates=dates)
    assert "can never send in FR: it is for public holidays" in never


def test_dates_that_are_over_are_told() -> None:
    assert said(dates="until: 2026-10-21") == ["o: its dates are over, so it can never send"]


@pytest.mark.parametrize(
    ("at", "valid_for", "told"),
    [
        ("sun 11:00", "4h", "o can never send in FR: fr-strict"),
        ("fri 11:00", "4h", None),
        ("fri 20:30", "1d", "o: 2 of 2 sends wait for fr-strict, the first from fri 2026-10-23 20:30"),
        ("mon 11:00", "4h", None),
    ],
)
def test_scheduled_sends_that_are_dropped_or_wait_are_told(at: str, valid_for: str, told: str | None) -> None:
    trigger = f'{{at: "{at}", audience_near: {{within: 1km, seen_within: 7d}}}}'
    found = said(trigger=trigger, valid_for=valid_for, dates=SHORT)
    assert len(found) == (told is not None)
    assert told is None or found[0].startswith(told)


def test_a_time_outside_the_dates_never_comes() -> None:
    trigger = '{at: "2026-12-01T11:00:00+01:00", audience_near: {within: 1km, seen_within: 7d}}'
    assert said(trigger=trigger, dates=SHORT) == [
        "o: no time of it is within its dates, so it can never send"
    ]


def test_shared_hours_count_past_midnight_on_the_day_after() -> None:
    def offer(when: str) -> Offer:
        return read_campaign(
            f"campaign: c\nname: C\nstores: {{all: true}}\noffers:\n  - offer: o\n    trigger: {{near: vicinity}}\n"
            f"    when: {when}\n    channels: [push]\n    message: {{push: {{body: {{en: Hello}}}}}}\n"
        ).offers[0]

    night, morning = offer('{days: sat, hours: "22:00-02:00"}'), offer('{days: sun, hours: "01:00-03:00"}')
    assert shared_minutes(night, morning) == 60
    assert shared_minutes(night, offer('{days: sat, hours: "01:00-03:00"}')) == 0
