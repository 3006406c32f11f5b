"""Is an SMS that can become too long refused, at the store where it does, before anybody pays for it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.longest import longest
from campaigns.model import CouponTerms, Money, Transliterate
from campaigns.problems import CampaignProblems, Problem
from campaigns.reader import read_campaign
from tests.campaigns.test_reader_problems import Outline

COUPON = CouponTerms(Money(Decimal("1.00"), "EUR"), None, timedelta(days=2), stock=500)


@dataclass(frozen=True)
class Shop:
    name: str
    brand: str | None = None
    address: str | None = None
    phone: str | None = None


def most(
    text: str, *stores: Shop, how: Transliterate = Transliterate.OFF, language: str = "fr"
) -> tuple[str, int, int, str | None]:
    found = longest(text, stores, coupon=COUPON, language=language, transliterate=how)
    return found.length.encoding, found.length.units, found.length.parts, found.store_name


def test_a_text_without_a_store_in_it_is_as_long_at_every_store() -> None:
    assert most("x" * 160, Shop("Nord"), Shop("Sud")) == ("GSM-7", 160, 1, None)


def test_the_store_that_needs_most_parts_counts_be_its_name_longer_or_stranger() -> None:
    text = "{store_name}" + "x" * 100
    assert most(text, Shop("Nord"), Shop("N" * 61), Shop("Sud")) == ("GSM-7", 161, 2, "N" * 61)
    assert most(text, Shop("N" * 40), Shop("Forêt")) == ("UCS-2", 105, 2, "Forêt")
    assert most(text, Shop("Forêt"), Shop("N" * 240)) == ("GSM-7", 340, 3, "N" * 240)
    assert most(text, Shop("Forêt"), Shop("N" * 40), how=Transliterate.PLAIN) == ("GSM-7", 140, 1, "N" * 40)


def test_an_address_that_is_not_known_is_the_name() -> None:
    assert most("{store_address}{brand}", Shop("abc"))[1] == 6
    assert most("{store_address}{brand}", Shop("abc", brand="b", address="12345"))[1] == 6
    assert most("{store_phone}", Shop("abc"))[1] == 0


@pytest.mark.parametrize(
    ("text", "language", "units"),
    [
        ("{code}", "fr", 14),
        ("{value}", "fr", len("1,00 ") + 2),
        ("{value}", "en", 2 + len("1.00")),
        ("{expires}{valid_until}", "fr", 2 * len("31/12 23:59")),
        ("{expires}", "en", len("31 Dec 23:59")),
        ("{expires}", "de", len("2026-12-31 23:59")),
        ("{distance}", "fr", len("99,9 km")),
        ("{closes_at}", "fr", 5),
        ("{stock}", "fr", 3),
        ("STOP {stop_number}", "fr", 10),
        ("{{}}", "fr", 4),
    ],
)
def test_every_placeholder_takes_the_most_room_that_it_can(text: str, language: str, units: int) -> None:
    assert most(text, Shop("x"), language=language)[1] == units


SMS = """\
campaign: long
name: Long
stores: {all: true}
offers:
  - offer: one
    trigger: {near: vicinity}
    limits: {sms_parts: PARTS}
    channels: [sms]
    message:
      sms: {fr: "TEXT STOP {stop_number}"}
"""


def problems(text: str, stores: Sequence[Outline] | None, parts: int = 1) -> list[Problem]:
    try:
        read_campaign(SMS.replace("TEXT", text).replace("PARTS", str(parts)), stores=stores)
    except CampaignProblems as refused:
        return refused.problems
    return []


def store(name: str, *tags: str) -> Outline:
    return Outline(name.lower(), "Nord", frozenset(tags), frozenset({"vicinity"}), frozenset(), name)


def test_an_sms_is_refused_where_it_stands_with_the_store_and_what_would_help() -> None:
    text = "{store_name}: " + "x" * 130
    assert problems(text, [store("Nord")]) == []
    (problem,) = problems(text, [store("Nord"), store("Le Fournil de la Place")])
    assert (problem.line, problem.column, problem.code) == (10, 17, "sms_too_long")
    assert 'can become 165 signs of GSM-7 at "Le Fournil de la Place", sent in 2 parts' in problem.detail
    assert problems(text, [store("Nord"), store("Le Fournil de la Place")], parts=2) == []


def test_signs_that_halve_the_room_are_named() -> None:
    (problem,) = problems("{brand}: l’été arrive, " + "x" * 60, [store("Nord")])
    assert problem.hint is not None
    assert problem.hint.startswith("’ halve the room: write others, or add transliterate: smart")


def test_without_stores_only_what_is_certain_is_refused() -> None:
    assert problems("{store_name}: " + "x" * 130, None) == []
    assert [problem.code for problem in problems("{store_name}: " + "x" * 150, None)] == ["sms_too_long"]


def test_only_stores_of_the_campaign_count() -> None:
    text = SMS.replace("{all: true}", "{tags: [bakery]}").replace("PARTS", "1")
    text = text.replace("TEXT", "{store_name}: " + "x" * 130)
    assert read_campaign(text, stores=[store("Nord", "bakery"), store("Le Fournil de la Place")])


def test_the_limit_is_three_parts_unless_it_is_given() -> None:
    text = SMS.replace("    limits: {sms_parts: PARTS}\n", "")
    assert read_campaign(text.replace("TEXT", "{brand} " + "x" * 440))
    with pytest.raises(CampaignProblems, match="the limit is 3"):
        read_campaign(text.replace("TEXT", "{brand} " + "x" * 450))
