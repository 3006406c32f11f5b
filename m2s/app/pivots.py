"""By what does the retailer know a shopper? Pivot ids, written one way and, where they are personal, kept as digests.

A phone number or an e-mail address is kept as HMAC-SHA256 with a key of this database: it can be found again, and not
read. The number itself is kept only where SMS are to go there.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import phonenumbers

from m2s.app.inputs import PivotId, Pivots
from m2s.app.ports import Records
from m2s.core.base.errors import Problem
from m2s.core.places.countries import COUNTRY_OF_TIMEZONE

KINDS = ("customer_id", "loyalty_id", "phone", "email")
"""The kinds of pivot ids, that which says most first."""

REPLACEABLE = ("phone", "email")
"""The kinds that a person may have several of; kept as digests."""

_EXCLUSIVE = ("customer_id", "loyalty_id")
_KEY = "pivot_key"
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_LONGEST_ID = 64
_LONGEST_EMAIL = 320
_Values = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Written:
    """Pivot ids as they are written here: the phone as E.164, the e-mail address in small letters."""

    ids: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def phone(self) -> str | None:
        """The phone number, as E.164."""
        return self.ids.get("phone")


def write_pivots(pivots: Pivots, country: str | None) -> Written:
    """The pivot ids in one way of writing, with a problem for each that cannot be one.

    A phone number without a calling code is one of `country` (ISO 3166 letters).
    """
    ids: dict[str, str] = {}
    problems = []
    for kind in KINDS:
        text = getattr(pivots, kind)
        if text is None:
            continue
        written = _WAYS[kind](text, country)
        if written is None:
            problems.append(Problem(f"/{kind}", f"bad_{kind}", _advice(kind, country)))
        else:
            ids[kind] = written
    return Written(ids, tuple(problems))


def e164(text: str, country: str | None) -> str | None:
    """A phone number with its calling code, like +33612345678; None for what cannot be one."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def country_of(phone: str) -> str | None:
    """The ISO 3166 letters of an E.164 number's country; None for one that is given to nobody and may be of several."""
    number = phonenumbers.parse(phone)
    sharing = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    region = phonenumbers.region_code_for_number(number) or (sharing[0] if len(sharing) == 1 else None)
    return None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region


def default_country(countries: Iterable[str], timezone: str | None) -> str | None:
    """In which country numbers are that do not say: that of all stores, else that of the configured time zone."""
    found = set(countries)
    if len(found) == 1:
        return found.pop()
    return COUNTRY_OF_TIMEZONE.get(timezone or "")


def pivot_key(records: Records) -> bytes:
    """The key of the digests, which is made with the database."""
    kept = records.catalog.setting(_KEY)
    if kept is None:
        raise KeyError(f"the database has no {_KEY}")
    return bytes.fromhex(kept)


def number_digest(records: Records, phone: str) -> str:
    """What is kept of a phone number (E.164) of which the number itself is not."""
    return _digest("phone", phone, pivot_key(records))


def reply_digest(records: Records, said: str) -> str:
    """What is kept of a reply, and of who wrote it, to know it again."""
    return _digest("reply", said, pivot_key(records))


def kept_as(written: Written, key: bytes) -> list[PivotId]:
    """The pivot ids as they are kept, that which says most first."""
    return [
        (kind, _digest(kind, value, key) if kind in REPLACEABLE else value)
        for kind, value in written.ids.items()
    ]


def contradict(some: _Values, others: _Values) -> bool:
    """Whether two sets of pivot ids, by kind, cannot be one person's.

    Nobody is two customers of one retailer. Where not both are known by a customer's id, nobody has two loyalty cards;
    phone numbers and e-mail addresses a person may have several.
    """
    for kind in _EXCLUSIVE:
        if some.get(kind) and others.get(kind):
            return some[kind].isdisjoint(others[kind])
    return False


def _identifier(text: str, _country: str | None) -> str | None:
    text = unicodedata.normalize("NFC", text).strip()
    return text if 0 < len(text) <= _LONGEST_ID and text.isprintable() else None


def _address(text: str, _country: str | None) -> str | None:
    text = unicodedata.normalize("NFC", text).strip().lower()
    return text if len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text) and text.isprintable() else None


_WAYS = {"customer_id": _identifier, "loyalty_id": _identifier, "phone": e164, "email": _address}


def _advice(kind: str, country: str | None) -> str:
    if kind == "phone":
        own = f", or as in {country}" if country else ""
        return f"write it with + and country code, like +33612345678{own}"
    if kind == "email":
        return "write an e-mail address, like name@example.org"
    return f"write 1 to {_LONGEST_ID} printable characters"


def _digest(kind: str, value: str, key: bytes) -> str:
    return hmac.digest(key, f"{kind}:{value}".encode(), "sha256").hex()
