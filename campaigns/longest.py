"""How long can an SMS become? Each text is filled with what needs the most room, at every store of its campaign."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campaigns.model import CouponTerms, Transliterate
from campaigns.sms import Length, length, spelt
from campaigns.texts import Named, Placeholder, distance_text, end_text, money_text, scan, store_words

_EVENING = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
_DAY_BEFORE = datetime(2026, 12, 30, tzinfo=UTC)
_FARTHEST_M = 99_900.0
_CODE = "8888-8888-8888"
_STOP_NUMBER = "36000"
"""The short numbers that answer STOP have five digits."""


@dataclass(frozen=True, slots=True)
class Longest:
    """The most parts that a text can need, and the name of a store where it does; None where no store matters."""

    length: Length
    store_name: str | None


def longest(
    text: str,
    stores: Iterable[Named],
    *,
    coupon: CouponTerms | None,
    language: str,
    transliterate: Transliterate,
) -> Longest:
    """The text at its longest; what belongs to a store counts for nothing where there is none. Its braces are right."""
    values = _values(coupon, language)
    pieces = [piece if isinstance(piece, str) else values.get(piece.name, piece) for piece in scan(text)[0]]
    names = [piece.name for piece in pieces if isinstance(piece, Placeholder)]
    found = Longest(_length(pieces, dict.fromkeys(names, ""), transliterate), None)
    seen = set()
    for store in stores if names else ():
        words = store_words(store)
        said = tuple(words[name] for name in names)
        if said in seen:
            continue
        seen.add(said)
        here = _length(pieces, words, transliterate)
        if found.store_name is None or (here.parts, here.units) > (found.length.parts, found.length.units):
            found = Longest(here, store.name)
    return found


def _length(pieces: Iterable[str | Placeholder], words: dict[str, str], how: Transliterate) -> Length:
    filled = (piece if isinstance(piece, str) else words[piece.name] for piece in pieces)
    return length(spelt("".join(filled), how))


def _values(coupon: CouponTerms | None, language: str) -> dict[str, str]:
    """The longest value of every placeholder that is not the store's."""
    end = end_text(_EVENING, _DAY_BEFORE, zone=ZoneInfo("UTC"), language=language)
    basket = coupon.min_basket if coupon else None
    return {
        "closes_at": "00:00",
        "distance": distance_text(_FARTHEST_M, language),
        "code": _CODE,
        "valid_until": end,
        "value": money_text(coupon.value, language) if coupon else "",
        "min_basket": money_text(basket, language) if basket else "",
        "expires": end,
        "stock": str(coupon.stock or "") if coupon else "",
        "stop_number": _STOP_NUMBER,
    }
