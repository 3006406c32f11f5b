"""What do the keys of a campaign mean that say more than who comes near: moments, audiences, budgets, areas, texts?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from campaigns.audience import Audience, Fact, Predicate, Segment
from campaigns.model import (
    AfterRedemption,
    AfterVisit,
    At,
    AudienceNear,
    Budget,
    Campaign,
    Cron,
    Crossing,
    Exit,
    Holidays,
    Money,
    Offer,
    Rate,
    Research,
    RRule,
    Transliterate,
    Trigger,
    When,
)
from campaigns.problems import CampaignProblems
from campaigns.reader import read_campaign

DAY = timedelta(days=1)
BASE = """\
campaign: base
name: Base
stores: STORES
offers:
  - offer: one
    trigger: TRIGGER
    channels: [push]
    message: {push: {body: {en: Hello}}}
"""
ROUND = "{type: Polygon, coordinates: [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]]}"


def campaign(
    *, offer: str = "", top: str = "", stores: str = "{all: true}", trigger: str = "{near: vicinity}"
) -> Campaign:
    text = BASE.replace("STORES", stores).replace("TRIGGER", trigger)
    return read_campaign(text + (f"    {offer}\n" if offer else "") + top)


def offer(line: str, top: str = "") -> Offer:
    return campaign(offer=line, top=top).offers[0]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("{exit: premises}", Exit("premises")),
        ("{crossing: vicinity}", Crossing("vicinity")),
        ("{after_visit: 2h}", AfterVisit(timedelta(hours=2))),
        ("{after_redemption: 7d}", AfterRedemption(7 * DAY)),
        (
            "{research: {topics: [availability, product], within: 3d}}",
            Research(frozenset({"availability", "product"}), 3 * DAY),
        ),
        (
            '{cron: "0 10 * * SAT", audience_near: {within: 1km, seen_within: 1d}}',
            At(Cron("0 10 * * sat"), AudienceNear(1000.0, DAY)),
        ),
        (
            '{rrule: "RRULE:FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0", '
            "audience_near: {within: 1km, seen_within: 1d}}",
            At(
                RRule("FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0", datetime(2000, 1, 1)),  # noqa: DTZ001
                AudienceNear(1000.0, DAY),
            ),
        ),
    ],
)
def test_each_trigger_means_what_it_says(text: str, meaning: Trigger) -> None:
    assert campaign(trigger=text).offers[0].trigger == meaning


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        (
            "visits: {at_least: 3, within: 60d, at: store}",
            Predicate(Fact.VISITS, 3, None, 60 * DAY, here=True),
        ),
        ("visits: {at_most: 0, at: any}", Predicate(Fact.VISITS, None, 0)),
        ("purchases: {at_least: 1, at_most: 9}", Predicate(Fact.PURCHASES, 1, 9)),
        ("redemptions: {at_most: 0, within: 1w}", Predicate(Fact.REDEMPTIONS, None, 0, 7 * DAY)),
        ("researched: {}", Predicate(Fact.RESEARCHED, 1)),
        (
            "researched: {topics: address, at_most: 2, within: 3d}",
            Predicate(Fact.RESEARCHED, None, 2, 3 * DAY, frozenset({"address"})),
        ),
        (
            "bought: {at_least: 50.00 EUR, within: 90d}",
            Predicate(Fact.BOUGHT, 50, None, 90 * DAY, frozenset({"EUR"})),
        ),
        ("dwell: {at_least: 10m, within: 30d}", Predicate(Fact.DWELL, 600, None, 30 * DAY)),
        ("last_visit: {at_least: 2w, at_most: 60d}", Predicate(Fact.LAST_VISIT, 1_209_600, 5_184_000)),
        ("distance: {at_most: 1.5km}", Predicate(Fact.DISTANCE, None, 1500)),
        ("customers: new", Predicate(Fact.CUSTOMERS, among=frozenset({"new"}))),
        ("languages: [fr, en]", Predicate(Fact.LANGUAGES, among=frozenset({"fr", "en"}))),
        ("home_region: [FR-75, MC]", Predicate(Fact.HOME_REGION, among=frozenset({"FR-75", "MC"}))),
        ("favourite_store: true", Predicate(Fact.FAVOURITE_STORE, at_least=1)),
        ("favourite_store: false", Predicate(Fact.FAVOURITE_STORE, at_most=0)),
        ("not_regular: true", Predicate(Fact.REGULAR, at_most=0)),
    ],
)
def test_each_thing_asked_of_a_shopper_is_one_predicate(text: str, predicate: Predicate) -> None:
    assert offer(f"audience: {{{text}}}").audience == Audience((predicate,))
    segments = f"segments: {{some: {{{text}}}}}\n"
    assert offer("audience: {segments: some}", segments).audience == Audience(
        segments=(Segment("some", (predicate,)),)
    )


@pytest.mark.parametrize(
    ("trigger", "known"),
    [
        ("{near: vicinity}", True),
        ("{enter: vicinity}", True),
        ("{exit: vicinity}", True),
        ("{dwell: {zone: vicinity, for: 2m}}", True),
        ("{crossing: vicinity}", True),
        ("{research: {topics: [product], within: 1d}}", True),
        ("{enter: premises}", False),
        ("{beacon: {place: till, proximity: near, for: 2s}}", False),
        ("{after_visit: 2h}", False),
        ("{after_redemption: 7d}", False),
        ('{at: "sat 10:00", audience_near: {within: 3km, seen_within: 30d}}', False),
    ],
)
def test_a_text_says_how_far_it_is_only_to_shoppers_on_their_way(trigger: str, known: bool) -> None:
    text = BASE.replace("STORES", "{all: true}").replace("TRIGGER", trigger)
    text = text.replace("Hello", '"{store_name} is {distance} away"')
    if known:
        read_campaign(text)
        return
    with pytest.raises(CampaignProblems) as found:
        read_campaign(text)
    (problem,) = found.value.problems
    assert (problem.code, problem.line) == ("unfilled", 8)
    assert "near, crossing, research" in str(problem)


def test_who_asks_for_nothing_addresses_everybody() -> None:
    for line in ("", "audience: {}", "audience: {consent: true, customers: any}"):
        assert offer(line).audience == Audience()


def test_segments_are_those_of_the_file_in_the_order_of_their_names() -> None:
    segments = (
        "segments: {old: {customers: existing}, near: {distance: {at_most: 1km}}, unused: {customers: new}}\n"
    )
    read = offer(
        "audience: {segments: [old, near, old], not_segments: old, not_inside: true}", segments
    ).audience
    old = Segment("old", (Predicate(Fact.CUSTOMERS, among=frozenset({"existing"})),))
    near = Segment("near", (Predicate(Fact.DISTANCE, at_most=1000.0),))
    assert read == Audience(segments=(near, old), not_segments=(old,), not_inside=True)


def test_a_segment_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(CampaignProblems) as caught:
        offer("audience: {segments: [regular]}", "segments: {regulars: {visits: {at_least: 3}}}\n")
    (problem,) = caught.value.problems
    assert (problem.code, problem.hint) == ("unknown_segment", "did you mean regulars?")


def test_what_an_offer_says_of_its_time_and_its_limits() -> None:
    plain = offer("")
    assert replace(plain, store_pace=Rate(20, timedelta(hours=1)), per_shopper=Rate(1, DAY)) == offer(
        "limits: {store_pace: 20 per hour, per_shopper: 1 per 1d, sms_parts: 1}"
    )
    assert offer("transliterate: plain").transliterate is Transliterate.PLAIN
    assert offer("when: {open: true, open_on_arrival: true, holidays: skip}").when == When(
        open=True, open_on_arrival=True, holidays=Holidays.SKIP
    )
    dated = offer("from: 2026-12-05\n    until: 2026-12-06", "from: 2026-12-01\n")
    assert (dated.since, dated.until) == (date(2026, 12, 5), date(2026, 12, 6))


def test_a_budget_limits_what_it_names() -> None:
    assert campaign().budget == Budget()
    assert campaign(top="budget: {messages: 20000, cost: 900 EUR, coupons: 5}\n").budget == Budget(
        20_000, Money(Decimal("900.00"), "EUR"), 5
    )
    assert campaign(top="budget: {coupons: 5}\n").budget == Budget(coupons=5)
    assert campaign(top="tags: [promotion, shoes]\n").tags == {"promotion", "shoes"}


def test_an_area_holds_what_is_inside_and_on_its_boundary_but_not_its_holes() -> None:
    area = campaign(stores=f"{{area: {ROUND}}}").stores.area
    assert area is not None
    inside = [(3.0, 3.0), (0.0, 2.0), (4.0, 4.0), (1.0, 1.0)]
    outside = [(1.2, 1.5), (5.0, 1.0), (-0.1, 0.0)]
    assert all(area.holds(latitude, longitude) for latitude, longitude in inside)
    assert not any(area.holds(latitude, longitude) for latitude, longitude in outside)
    assert area.holds(0.5, 3.5)
    parts = "[[[[0, 0], [1, 0], [1, 1], [0, 0]]], [[[9, 9], [10, 9], [9, 10], [9, 9]]]]"
    several = campaign(stores=f"{{area: {{type: MultiPolygon, coordinates: {parts}}}}}").stores.area
    assert several is not None
    assert several.holds(9.1, 9.1)
    assert several.holds(0.2, 0.8)
    assert not several.holds(5.0, 5.0)


def test_an_instant_is_in_utc() -> None:
    at = (
        campaign(trigger='{at: "2026-11-06T17:30:00+01:00", audience_near: {within: 1km, seen_within: 1d}}')
        .offers[0]
        .trigger
    )
    assert isinstance(at, At)
    assert at.moment == datetime(2026, 11, 6, 16, 30, tzinfo=UTC)


EVERYTHING = """\
campaign: croissant-november
name: Croissants of November
timezone: store                 # or an IANA name
from: 2026-11-01
until: 2026-11-30
stores: {tags: [bakery]}
holdout: 10%
budget: {messages: 20000, cost: 900 EUR, coupons: 5000}
attribution: {window: 7d}
offers:
  - offer: warm-croissant
    priority: 50
    trigger: {near: vicinity}
    when: {days: mon-sat, hours: "08:30-10:30", open: true, closing_buffer: 20m, holidays: skip}
    fresh: 5m
    audience: {consent: true, visits: {at_most: 0, within: 7d}, customers: any}
    limits: {per_shopper: 1 per 3d, store_pace: 20 per hour}
    channels: [push, sms]
    valid_for: 45m
    coupon: {value: 1.00 EUR, min_basket: 5.00 EUR, expires: closing}
    message:
      push:
        title: {fr: "Encore chaud !", en: "Still warm"}
        body: {fr: "Un croissant à -1 € chez {store_name}, ouvert jusqu'à {closes_at}.", en: "€1 off a croissant"}
      sms:
        fr: "{brand}: croissant a -1 EUR, {store_address}. Code {code}. STOP {stop_number}"
"""


def test_all_of_it_in_one_file_is_taken() -> None:
    read = read_campaign(EVERYTHING)
    assert read.offers[0].audience == Audience((Predicate(Fact.VISITS, at_most=0, within=7 * DAY),))
    assert read.offers[0].store_pace == Rate(20, timedelta(hours=1))
    assert read.budget.coupons == 5000
