"""What does a good campaign file mean?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

import campaigns
from campaigns.model import (
    At,
    AudienceNear,
    BeaconSeen,
    Campaign,
    Channel,
    CouponTerms,
    Dwell,
    Enter,
    Hours,
    Money,
    Near,
    Offer,
    Proximity,
    Rate,
    StoreSelector,
    Texts,
    Trigger,
    Weekly,
    When,
)
from campaigns.reader import read_campaign

EXAMPLES = sorted((Path(campaigns.__file__).parent / "examples").glob("*.yaml"))

SMALLEST = """
campaign: smallest
name: Smallest
stores: {all: true}
offers:
  - offer: hello
    trigger: TRIGGER
    channels: [push]
    message: {push: {body: {en: Hello}}}
"""


def example(name: str) -> Campaign:
    path = next(path for path in EXAMPLES if path.stem == name)
    return read_campaign(path.read_text(encoding="utf-8"), path.name)


def trigger_of(text: str) -> Trigger:
    return read_campaign(SMALLEST.replace("TRIGGER", text)).offers[0].trigger


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_loads_under_the_name_of_its_file(path: Path) -> None:
    assert read_campaign(path.read_bytes(), path.name).id == path.stem


def test_the_examples_use_every_kind_of_trigger() -> None:
    triggers = {type(offer.trigger) for path in EXAMPLES for offer in example(path.stem).offers}
    assert triggers == set(get_args(Trigger))


def test_every_word_of_the_croissant_campaign_is_read() -> None:
    campaign = example("croissant-november")
    assert campaign == Campaign(
        id="croissant-november",
        name="Croissants of November",
        since=date(2026, 11, 1),
        until=date(2026, 11, 30),
        timezone=None,
        stores=StoreSelector(tags=frozenset({"bakery"})),
        holdout=0.1,
        attribution_window=timedelta(days=7),
        offers=(campaign.offers[0],),
    )
    assert campaign.offers[0] == Offer(
        id="warm-croissant",
        trigger=Near("vicinity"),
        channels=(Channel.PUSH, Channel.SMS),
        message={
            Channel.PUSH: Texts(
                body={
                    "fr": "-{value} dès {min_basket} chez {store_name}, à {distance}, jusqu'à {expires}.",
                    "en": "{value} off from {min_basket} at {store_name}, {distance} away, until {expires}.",
                },
                title={"fr": "Encore chaud !", "en": "Still warm"},
            ),
            Channel.SMS: Texts(
                {
                    "fr": "{brand}: -1 EUR des 5 EUR jusqu'a {expires}, {store_address}. Code {code}. "
                    "STOP {stop_number}"
                }
            ),
        },
        priority=50,
        when=When(
            days=frozenset(range(6)),
            hours=(Hours(510, 630),),
            open=True,
            closing_buffer=timedelta(minutes=20),
        ),
        fresh=timedelta(minutes=5),
        per_shopper=Rate(1, timedelta(days=3)),
        valid_for=timedelta(minutes=45),
        coupon=CouponTerms(
            Money(Decimal("1.00"), "EUR"), Money(Decimal("5.00"), "EUR"), None, expires_at_closing=True
        ),
    )


def test_what_is_left_out_has_the_defaults_of_the_model() -> None:
    campaign = read_campaign(SMALLEST.replace("TRIGGER", "{near: vicinity}"))
    assert (campaign.since, campaign.until, campaign.timezone) == (None, None, None)
    assert campaign.holdout == 0.10
    assert campaign.attribution_window == timedelta(days=7)
    assert campaign.offers[0] == Offer(
        id="hello",
        trigger=Near("vicinity"),
        channels=(Channel.PUSH,),
        message={Channel.PUSH: Texts({"en": "Hello"})},
    )


def test_a_holdout_of_nothing_is_not_the_default() -> None:
    text = SMALLEST.replace("TRIGGER", "{near: vicinity}") + "holdout: 0%\n"
    assert read_campaign(text).holdout == 0


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("{near: vicinity}", Near("vicinity")),
        ("{enter: premises}", Enter("premises")),
        ("{dwell: {zone: premises, for: 6m}}", Dwell("premises", timedelta(minutes=6))),
        (
            "{beacon: {place: shoes, proximity: near, for: 20s}}",
            BeaconSeen("shoes", Proximity.NEAR, timedelta(seconds=20)),
        ),
        (
            '{at: "sat 10:00", audience_near: {within: 3km, seen_within: 30d}}',
            At(Weekly(frozenset({5}), 600), AudienceNear(3000.0, timedelta(days=30))),
        ),
        (
            "{at: 2026-11-07T10:00:00+01:00, audience_near: {within: 300m, seen_within: 1w}}",
            At(datetime(2026, 11, 7, 9, tzinfo=UTC), AudienceNear(300.0, timedelta(weeks=1))),
        ),
    ],
)
def test_each_trigger_means_what_it_says(text: str, meaning: Trigger) -> None:
    assert trigger_of(text) == meaning


def test_a_byte_order_mark_changes_nothing() -> None:
    text = SMALLEST.replace("TRIGGER", "{near: vicinity}")
    assert (
        read_campaign(b"\xef\xbb\xbf" + text.encode())
        == read_campaign("\ufeff" + text)
        == read_campaign(text)
    )


def test_words_that_older_yaml_would_change_are_texts_in_quotes() -> None:
    text = SMALLEST.replace("TRIGGER", "{near: vicinity}").replace("{en: Hello}", '{"no": "NO"}')
    assert read_campaign(text).offers[0].message[Channel.PUSH].body == {"no": "NO"}


def test_languages_keep_the_order_in_which_they_are_written() -> None:
    text = SMALLEST.replace("TRIGGER", "{near: vicinity}").replace(
        "{en: Hello}", "{fr: Salut, de: Hallo, en: Hi}"
    )
    assert list(read_campaign(text).offers[0].message[Channel.PUSH].body) == ["fr", "de", "en"]
