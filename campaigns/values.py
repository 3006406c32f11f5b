"""How are ids, durations, distances, money and the like written in a campaign file, and what do they mean?

Every function takes one value's text and returns its meaning, or raises `BadValueError` with the right form.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from re import compile as pattern

from campaigns.model import Money, Rate
from campaigns.problems import shown, suggestion

_ISO_639_1 = """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia
    id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl
    ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_ISO_639_1.split())
"""The two-letter codes of ISO 639-1."""

ID_FORM = pattern(r"[a-z0-9][a-z0-9_-]{0,63}")
DURATION_FORM = pattern(r"([0-9]{1,6})(s|m|h|d|w)")
DISTANCE_FORM = pattern(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(m|km)")
PERCENT_FORM = pattern(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%")
MONEY_FORM = pattern(r"([0-9]{1,9}(?:\.[0-9]{1,2})?) ([A-Z]{3})")
RATE_FORM = pattern(r"([1-9][0-9]{0,5}) per (hour|day|week|month|[0-9]{1,6}[smhdw])")
REGION_FORM = pattern(r"[A-Z]{2}(?:-[A-Z0-9]{1,10})?")
_INTEGER = pattern(r"0|[1-9][0-9]{0,8}")
_LARGEST_PERCENT = 90
_SHARE_OF_ONE = pattern(r"0?[.,][0-9]{1,4}")
_LOOSE_AMOUNT = pattern(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?")
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
# Rates are rolling elapsed time: a month is thirty days.
_WINDOWS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
_LONGEST_WINDOW = timedelta(days=366)

# What a parser before YAML 1.2 would not read as a text: booleans, nulls, numbers (octal, base 60), dates.
_AMBIGUOUS = pattern(
    r"(?:[yn]|yes|no|true|false|on|off|null|~|=|)"
    r"|[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:e[-+]?[0-9]+)?"
    r"|[-+]?0[box][0-9a-f_]+"
    r"|[-+]?[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?"
    r"|[-+]?\.(?:inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t \t].*)?"
)


class BadValueError(ValueError):
    """A value cannot be read; `hint` shows the right form."""

    def __init__(self, detail: str, hint: str, *, code: str = "bad_value") -> None:
        self.detail = detail
        self.hint = hint
        self.code = code
        super().__init__(f"{detail} ({hint})")


def is_ambiguous(text: str) -> bool:
    """Whether a text without quotes is something other than a text to older YAML (`NO`, `22:00`, `0123`)."""
    return len(text) <= 64 and _AMBIGUOUS.fullmatch(text.lower()) is not None


def identifier(text: str) -> str:
    """An id: 1 to 64 of a–z, 0–9, _ and -, the first a letter or digit."""
    if not ID_FORM.fullmatch(text):
        raise BadValueError(f"{shown(text)} is not an id", "1 to 64 of a-z 0-9 _ -, as in croissant-november")
    return text


def words(most: int) -> Callable[[str], str]:
    """A text of 1 to `most` characters without control characters other than line breaks."""

    def read(text: str) -> str:
        if not text.strip():
            raise BadValueError("the text is empty", "write at least one word", code="empty_text")
        if len(text) > most:
            raise BadValueError(f"the text has {len(text)} characters", f"at most {most}", code="too_long")
        if any(
            (ord(character) < 32 and character != "\n") or 0xD800 <= ord(character) < 0xE000
            for character in text
        ):
            raise BadValueError("the text holds a control character", "remove it", code="control_character")
        return text

    return read


def choice(*allowed: str) -> Callable[[str], str]:
    """One of the given words."""

    def read(text: str) -> str:
        if text not in allowed:
            near = suggestion(text, allowed)
            listed = "one of " + ", ".join(allowed)
            raise BadValueError(f"{shown(text)} is not known here", f"{near} {listed}" if near else listed)
        return text

    return read


def duration(least: str, most: str) -> Callable[[str], timedelta]:
    """A length of time such as 45s, 45m, 2h, 3d or 1w, within the given bounds."""
    lowest, highest = _duration(least), _duration(most)

    def read(text: str) -> timedelta:
        length = _duration(text)
        if not lowest <= length <= highest:
            raise BadValueError(
                f"{shown(text)} is out of range", f"from {least} to {most}", code="out_of_range"
            )
        return length

    return read


def _duration(text: str) -> timedelta:
    found = DURATION_FORM.fullmatch(text)
    if not found:
        raise BadValueError(
            f"{shown(text)} is not a duration", "a whole number and s, m, h, d or w, as in 45m or 3d"
        )
    return int(found[1]) * _UNITS[found[2]]


def distance_m(text: str) -> float:
    """A distance such as 300m or 3km, 1 m to 100 km; in metres."""
    found = DISTANCE_FORM.fullmatch(text)
    if not found:
        raise BadValueError(f"{shown(text)} is not a distance", "a number and m or km, as in 300m or 3km")
    metres = float(Decimal(found[1]) * (1000 if found[2] == "km" else 1))
    if not 1 <= metres <= 100_000:
        raise BadValueError(f"{shown(text)} is out of range", "from 1m to 100km", code="out_of_range")
    return metres


def share(text: str) -> float:
    """A percentage from 0% to 90%, as a share of 1."""
    found = PERCENT_FORM.fullmatch(text)
    if not found:
        near = _near_share(text)
        hint = f"did you mean {near}?" if near else "a number and %, as in 10%"
        raise BadValueError(f"{shown(text)} is not a percentage", hint)
    if Decimal(found[1]) > _LARGEST_PERCENT:
        raise BadValueError(
            f"{shown(text)} leaves too few to send to", f"from 0% to {_LARGEST_PERCENT}%", code="out_of_range"
        )
    return float(Decimal(found[1]) / 100)


def _near_share(text: str) -> str | None:
    """The percentage that a bare number was meant to be: `0.1` is 10%, `10` is 10%."""
    number = text.replace(",", ".").removesuffix("%").rstrip()
    if _SHARE_OF_ONE.fullmatch(text):
        number = f"{(Decimal(number) * 100).normalize():f}"
    found = PERCENT_FORM.fullmatch(f"{number}%")
    return found[0] if found and Decimal(number) <= _LARGEST_PERCENT else None


def money(text: str) -> Money:
    """An amount above zero and an ISO 4217 currency, such as 1.00 EUR."""
    found = MONEY_FORM.fullmatch(text)
    if not found:
        near = _near_money(text)
        hint = f"did you mean {near}?" if near else "an amount and a currency, as in 1.00 EUR"
        raise BadValueError(f"{shown(text)} is not an amount", hint)
    amount = Decimal(found[1]).quantize(Decimal("0.01"))
    if not amount:
        raise BadValueError(f"{shown(text)} is nothing", "an amount above zero", code="out_of_range")
    return Money(amount, found[2])


def _near_money(text: str) -> str | None:
    """The amount that `1€`, `EUR 1,00` or `1.00 eur` was meant to be."""
    spelt = text.strip().upper()
    for sign, currency in _SIGNS.items():
        spelt = spelt.replace(sign, currency)
    currency = next((end for end in (spelt[:3], spelt[-3:]) if end.isascii() and end.isalpha()), "")
    amount = _LOOSE_AMOUNT.fullmatch(spelt.replace(currency, "", 1).strip()) if currency else None
    return f"{amount[1]}.{(amount[2] or '').ljust(2, '0')} {currency}" if amount else None


def rate(text: str) -> Rate:
    """A count in a sliding window, such as 1 per 3d or 20 per hour."""
    found = RATE_FORM.fullmatch(text)
    if not found:
        raise BadValueError(
            f"{shown(text)} is not a rate", "a count per window, as in 1 per 3d or 20 per hour"
        )
    window = _WINDOWS.get(found[2]) or _duration(found[2])
    if not timedelta(0) < window <= _LONGEST_WINDOW:
        raise BadValueError(
            f"the window of {shown(text)} is out of range", "from 1s to 366d", code="out_of_range"
        )
    return Rate(int(found[1]), window)


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number within the given bounds."""

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            hint = f"digits without a leading zero, from {least} to {most}"
            raise BadValueError(f"{shown(text)} is not a whole number", hint)
        if not least <= int(text) <= most:
            raise BadValueError(
                f"{shown(text)} is out of range", f"from {least} to {most}", code="out_of_range"
            )
        return int(text)

    return read


def language(text: str) -> str:
    """An ISO 639-1 language."""
    if text not in LANGUAGES:
        hint = "two letters of ISO 639-1, as in fr or en"
        raise BadValueError(f"{shown(text)} is not a language", hint, code="unknown_language")
    return text


def region(text: str) -> str:
    """A country, or one of its subdivisions, such as FR or FR-75."""
    if not REGION_FORM.fullmatch(text):
        hint = "a country, or a country and a subdivision, as in FR or FR-75"
        raise BadValueError(f"{shown(text)} is not a region", hint)
    return text
