"""Does every text of an offer say what its coupon is worth, from which basket on, and until when?"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.model import CouponTerms, Money
from campaigns.terms import missing

TWO_DAYS = timedelta(days=2)
EURO = CouponTerms(Money(Decimal("1.00"), "EUR"), None, TWO_DAYS)
BASKET = CouponTerms(Money(Decimal("5.50"), "EUR"), Money(Decimal("40.00"), "EUR"), TWO_DAYS)
FRANCS = CouponTerms(Money(Decimal("12.00"), "CHF"), None, TWO_DAYS)


def lacking(*texts: str, coupon: CouponTerms) -> list[list[str]]:
    return list(missing(dict(enumerate(texts)), coupon).values())


def test_every_text_says_the_value() -> None:
    assert lacking("{value}", "Hello", coupon=EURO) == [[], ["value"]]
    assert lacking("Hello", coupon=EURO) == [["value"]]
    assert lacking(coupon=EURO) == []


def test_what_else_one_text_says_all_say() -> None:
    assert lacking("{value}", "{value}", coupon=BASKET) == [[], []]
    assert lacking("{value} {expires}", "{value}", coupon=BASKET) == [[], ["expires"]]
    assert lacking("{value} from {min_basket}", "5.50 EUR", "{expires}", coupon=BASKET) == [
        ["expires"],
        ["min_basket", "expires"],
        ["value", "min_basket"],
    ]
    assert lacking("{value} dès 40 €", "{value} from {min_basket}", "{value}", coupon=BASKET) == [
        [],
        [],
        ["min_basket"],
    ]
    assert lacking("{value}, {valid_until}, {closes_at}, {code}", "{value}", coupon=BASKET) == [[], []]


@pytest.mark.parametrize(
    ("text", "coupon"),
    [
        ("croissant a -1 EUR", EURO),
        ("-1,00 €", EURO),
        ("1€ de moins", EURO),
        ("€1 off", EURO),
        ("EUR 1.00 off", EURO),
        ("un euro ? 1 euro !", EURO),
        ("1\u00a0€", EURO),
        ("12 CHF", FRANCS),
        ("5,50 € des 40 EUR", BASKET),
    ],
)
def test_an_amount_with_its_currency_says_it(text: str, coupon: CouponTerms) -> None:
    assert lacking(text, coupon=coupon) == [[]]


@pytest.mark.parametrize(
    ("text", "coupon"),
    [
        ("1 croissant", EURO),
        ("2 EUR", EURO),
        ("11 EUR", EURO),
        ("1.50 EUR", EURO),
        ("0,1 EUR", EURO),
        ("1 EURO", FRANCS),
        ("1 USD", EURO),
        ("1 europeen", EURO),
        ("un euro", EURO),
        ("12 €", FRANCS),
        ("1,00,5 €", EURO),
    ],
)
def test_another_amount_does_not(text: str, coupon: CouponTerms) -> None:
    assert lacking(text, coupon=coupon) == [["value"]]
