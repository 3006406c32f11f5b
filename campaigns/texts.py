"""Which words does a shopper read? Placeholders, the language, and the values that fill a text.

A text knows `{name}` from a closed list and `{{`, `}}` for braces; nothing else of format syntax exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from re import compile as pattern
from typing import Protocol
from unicodedata import category
from zoneinfo import ZoneInfo

from campaigns.facts import Decision
from campaigns.model import Channel, Money, Offer, Texts
from campaigns.problems import shown, suggestion
from campaigns.sms import spelt

PLACEHOLDERS = (
    "store_name",
    "store_address",
    "store_phone",
    "brand",
    "closes_at",
    "distance",
    "code",
    "valid_until",
    "value",
    "min_basket",
    "expires",
    "stock",
    "stop_number",
)
"""Every name that a text may hold in braces."""

_NAME = pattern(r"\{([a-z_]+)\}")
_DAY_FIRST = ("fr", "it")
_ENGLISH_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
# Joiners belong to emoji and to several scripts; the other invisible characters can disguise a text.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{name}` of a text; `at` is the character index of its brace."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """One brace that means nothing; `at` is its character index."""

    at: int
    detail: str
    hint: str


def scan(text: str) -> tuple[list[str | Placeholder], list[Flaw]]:
    """The literal pieces and placeholders of a text in order, and what in it is wrong."""
    pieces: list[str | Placeholder] = []
    flaws: list[Flaw] = []
    position = 0
    while position < len(text):
        character = text[position]
        found = _NAME.match(text, position)
        if text[position : position + 2] in ("{{", "}}"):
            pieces.append(character)
            position += 2
        elif found and found[1] in PLACEHOLDERS:
            pieces.append(Placeholder(found[1], position))
            position = found.end()
        elif character in "{}":
            end = text.find("}", position) + 1 if character == "{" else position + 1
            flaws.append(_flaw(text[position : end or len(text)], position))
            position = end or len(text)
        else:
            end = next((at for at in range(position, len(text)) if text[at] in "{}"), len(text))
            pieces.append(text[position:end])
            position = end
    return pieces, flaws


def _flaw(piece: str, at: int) -> Flaw:
    if len(piece) < 2 or not piece.endswith("}"):
        return Flaw(at, f"a lone {piece[0]}", "a placeholder is {name}; {{ and }} give braces")
    known = "known: " + ", ".join(PLACEHOLDERS)
    near = suggestion(piece.strip("{} "), PLACEHOLDERS)
    return Flaw(at, f"{shown(piece)} is not a placeholder", f"{near} {known}" if near else known)


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder replaced once by its value, cleaned of control characters.

    Braces inside values stay as they are. Raises ValueError for a flawed text, KeyError for a missing value.
    """
    pieces, flaws = scan(text)
    if flaws:
        raise ValueError(f"{flaws[0].detail} ({flaws[0].hint})")
    return "".join(piece if isinstance(piece, str) else _clean(values[piece.name]) for piece in pieces)


def _clean(value: str) -> str:
    kept = (
        " " if category(character) in ("Cc", "Zl", "Zp") else character
        for character in value
        if character in _JOINERS or category(character) not in ("Cf", "Cs")
    )
    return " ".join("".join(kept).split())


def choose_language(texts: Texts, preferred: str | None, *, fallback: str | None = None) -> str:
    """The preferred language (`fr-CH` is fr) or the fallback where it has a text, else the first written."""
    for wanted in (preferred, fallback):
        primary = (wanted or "").replace("_", "-").split("-")[0].lower()
        if primary in texts.body:
            return primary
    return next(iter(texts.body))


def message_texts(
    offer: Offer, channel: Channel, *, language: str | None, values: Mapping[str, str]
) -> tuple[str | None, str]:
    """The title (None where there is none) and body of a message of this offer on this channel."""
    texts = offer.message[channel]
    chosen = choose_language(texts, language)
    title = texts.title.get(chosen) if texts.title else None
    body = render(texts.body[chosen], values)
    if channel is Channel.SMS:
        body = spelt(body, offer.transliterate)
    return (None if title is None else render(title, values), body)


def message_values(
    decision: Decision,
    *,
    language: str,
    code: str | None = None,
    stop_number: str = "",
) -> dict[str, str]:
    """A value for every placeholder; what is not known of the store is empty, its brand and address its name.

    Times are local to the store, as HH:MM, an end with its date unless that is the day of the decision. `code` is the
    coupon's, `stop_number` the sender's.
    """
    store = decision.candidate.store
    zone = ZoneInfo(store.timezone)
    coupon = decision.candidate.offer.coupon
    distance_m = decision.candidate.occasion.distance_m
    expires_at = coupon_expires_at(decision)
    return {
        **store_words(store),
        "closes_at": _clock(store.closes_at, zone),
        "distance": "" if distance_m is None else distance_text(distance_m, language),
        "code": code or "",
        "valid_until": end_text(decision.valid_until, decision.decided_at, zone=zone, language=language),
        "value": money_text(coupon.value, language) if coupon else "",
        "min_basket": money_text(coupon.min_basket, language) if coupon and coupon.min_basket else "",
        "expires": end_text(expires_at, decision.decided_at, zone=zone, language=language)
        if expires_at
        else "",
        "stock": _stock_left(decision),
        "stop_number": stop_number,
    }


class Named(Protocol):
    """What of a store stands in a text."""

    @property
    def name(self) -> str: ...
    @property
    def brand(self) -> str | None: ...
    @property
    def address(self) -> str | None: ...
    @property
    def phone(self) -> str | None: ...


def store_words(store: Named) -> dict[str, str]:
    """The values of the placeholders that are the store's, the same for everybody and at any time."""
    return {
        "store_name": store.name,
        "store_address": store.address or store.name,
        "store_phone": store.phone or "",
        "brand": store.brand or store.name,
    }


def coupon_expires_at(decision: Decision) -> datetime | None:
    """Until when the coupon of a decision is good; None where it has none.

    Where the last closing of the day is not known, until the message ends.
    """
    terms = decision.candidate.offer.coupon
    if terms is None:
        return None
    if terms.expires is not None:
        return decision.decided_at + terms.expires
    closing = decision.candidate.store.last_closing_at if terms.expires_at_closing else None
    return closing or decision.valid_until


def money_text(money: Money, language: str) -> str:
    """An amount as this language writes it: `€1.00` in English, `1,00 €` elsewhere."""
    symbol = SYMBOLS.get(money.currency)
    if language != "en":
        return f"{money.amount:.2f}".replace(".", ",") + f" {symbol or money.currency}"
    return f"{symbol}{money.amount:.2f}" if symbol else f"{money.currency} {money.amount:.2f}"


def distance_text(distance_m: float, language: str) -> str:
    """A distance to 10 m (never 0), from 1 km on to 100 m: `250 m`, `1,2 km`, in English `1.2 km`."""
    rounded = max(10, round(distance_m / 10) * 10)
    if rounded < 1000:
        return f"{rounded} m"
    kilometres = str((Decimal(rounded) / 1000).quantize(Decimal("0.1")))
    return (kilometres if language == "en" else kilometres.replace(".", ",")) + " km"


def _stock_left(decision: Decision) -> str:
    """How many coupons of the offer were left when it was decided, the shopper's among them."""
    coupon = decision.candidate.offer.coupon
    if coupon is None or coupon.stock is None:
        return ""
    return str(max(1, coupon.stock - decision.candidate.spent.stock))


def end_text(end: datetime, decided_at: datetime, *, zone: ZoneInfo, language: str) -> str:
    """When something ends; with its date, as the language writes it, unless that is the day of the decision."""
    day, clock = end.astimezone(zone).date(), _clock(end, zone)
    if day == decided_at.astimezone(zone).date():
        return clock
    if language == "en":
        return f"{day.day} {_ENGLISH_MONTHS[day.month - 1]} {clock}"
    return f"{day:%d/%m} {clock}" if language in _DAY_FIRST else f"{day:%Y-%m-%d} {clock}"


def _clock(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%H:%M}"
