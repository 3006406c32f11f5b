"""Do all texts of an offer say the same terms of its coupon: what it is worth, from which basket on, until when?

The coupon is the one source of terms. Every text says what it is worth; what else one of them says, all say. An amount
is said by its placeholder or by itself with its currency, the end by its placeholder.
"""

from collections.abc import Mapping, Set
from decimal import Decimal
from re import IGNORECASE, escape, finditer
from typing import TypeVar

from campaigns.model import CouponTerms, Money
from campaigns.texts import SYMBOLS, Placeholder, money_text, scan

T = TypeVar("T")


def missing(texts: Mapping[T, str], coupon: CouponTerms) -> Mapping[T, list[str]]:
    """The terms that each of an offer's texts lacks, as the placeholders that would say them, in their order."""
    said = {where: _said(text, coupon) for where, text in texts.items()}
    wanted = {"value"}.union(*said.values())
    order = ("value", "min_basket", "expires")
    return {where: [term for term in order if term in wanted - terms] for where, terms in said.items()}


def in_words(term: str, coupon: CouponTerms) -> str:
    """What a term says, as the end of a sentence."""
    if term == "value":
        return f"what the coupon is worth, {money_text(coupon.value, 'en')}"
    if term == "min_basket" and coupon.min_basket is not None:
        return f"from which basket on the coupon is good, {money_text(coupon.min_basket, 'en')}"
    return "until when the coupon is good"


def _said(text: str, coupon: CouponTerms) -> Set[str]:
    names = {piece.name for piece in scan(text)[0] if isinstance(piece, Placeholder)}
    amounts = {"value": coupon.value, "min_basket": coupon.min_basket}
    said = {term for term, amount in amounts.items() if amount is not None and _says(text, amount)}
    return said | (names & {"value", "min_basket", "expires"})


def _says(text: str, money: Money) -> bool:
    """Whether the amount stands in the text with its currency before or after it: `-1 EUR`, `1,00 €`, `€1`."""
    signs = [money.currency, SYMBOLS.get(money.currency, money.currency)]
    currency = "|".join(escape(sign) for sign in signs) + ("|euros?" if money.currency == "EUR" else "")
    amount = r"(?<![0-9.,])([0-9]{1,9}(?:[.,][0-9]{1,2})?)(?![0-9]|[.,][0-9])"
    forms = (rf"{amount}\s?(?:{currency})(?![A-Za-z])", rf"(?<![A-Za-z])(?:{currency})\s?{amount}")
    found = {each[1] for form in forms for each in finditer(form, text, IGNORECASE)}
    return any(Decimal(number.replace(",", ".")) == money.amount for number in found)
