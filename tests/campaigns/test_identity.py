"""Is a version a matter of meaning, and not of layout?"""

from __future__ import annotations

import json

import pytest

from campaigns.identity import canonical, offer_version, version_of
from campaigns.reader import read_campaign

TEXT = """\
campaign: two
name: Two offers
stores: {tags: [a, b]}
holdout: 10%
offers:
  - offer: one
    trigger: {near: vicinity}
    channels: [push]
    coupon: {value: 1.00 EUR, expires: 2d}
    message: {push: {body: {fr: "{value}, {expires}", en: "Hi {value}, {expires}"}}}
  - offer: two
    trigger: {enter: premises}
    channels: [push]
    message: {push: {body: {fr: Salut}}}
"""

SAME = """\
# The same campaign in other words.
holdout: 10.00%
name: "Two offers"
campaign: two
timezone: store
stores: {tags: [b, a, a]}
attribution: {window: 168h}
offers:
- {trigger: {near: vicinity}, offer: one, priority: 50, valid_for: 45m, channels: push,
   coupon: {value: 1 EUR, expires: 48h},
   message: {push: {body: {fr: "{value}, {expires}", en: "Hi {value}, {expires}"}}}}
- {trigger: {enter: premises}, offer: two, channels: [push], message: {push: {body: {fr: Salut}}}}
"""


def test_layout_order_of_keys_and_defaults_written_out_make_no_version() -> None:
    assert canonical(read_campaign(SAME)) == canonical(read_campaign(TEXT))
    assert version_of(read_campaign(SAME)) == version_of(read_campaign(TEXT))


def test_a_version_stays_the_same_from_release_to_release() -> None:
    assert version_of(read_campaign(TEXT)) == "128bc205ecdec1c2"


def test_the_canonical_form_is_json() -> None:
    assert json.loads(canonical(read_campaign(TEXT)))["offers"][0]["trigger"] == {
        "is": "Near",
        "zone": "vicinity",
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.00 EUR", "1.01 EUR"),
        ("1.00 EUR", "1.00 CHF"),
        ("expires: 2d", "expires: closing"),
        ("{near: vicinity}", "{enter: vicinity}"),
        (
            'fr: "{value}, {expires}", en: "Hi {value}, {expires}"',
            'en: "Hi {value}, {expires}", fr: "{value}, {expires}"',
        ),
        ("tags: [a, b]", "brands: [a, b]"),
        ("holdout: 10%", "holdout: 11%"),
    ],
)
def test_every_change_of_meaning_makes_a_version(old: str, new: str) -> None:
    assert version_of(read_campaign(TEXT.replace(old, new))) != version_of(read_campaign(TEXT))


def test_an_offer_keeps_its_version_when_only_another_offer_changes() -> None:
    before, after = read_campaign(TEXT), read_campaign(TEXT.replace("1.00 EUR", "2.00 EUR"))
    assert offer_version(before, before.offers[0]) != offer_version(after, after.offers[0])
    assert offer_version(before, before.offers[1]) == offer_version(after, after.offers[1])


def test_an_offer_gets_a_version_when_the_terms_of_its_campaign_change() -> None:
    before, after = read_campaign(TEXT), read_campaign(TEXT.replace("holdout: 10%", "holdout: 20%"))
    assert offer_version(before, before.offers[1]) != offer_version(after, after.offers[1])
