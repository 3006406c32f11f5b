"""Do two campaign texts say the same? A canonical form and its hash, blind to comments and layout."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import sha256

from campaigns.model import Campaign, Offer

VERSION_DIGITS = 16
"""Hexadecimal digits of a version: 64 bits, far more than a retailer's campaigns can make collide."""


def canonical(campaign: Campaign) -> str:
    """The campaign as JSON that is the same for the same meaning.

    Durations are seconds, sets sorted, languages pairs in the order written (the first is the fallback).
    What has its default is left out, so that a key that the language gains changes no version.
    """
    return json.dumps(_plain(campaign), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def version_of(campaign: Campaign) -> str:
    """The version of a campaign: the start of the SHA-256 of its canonical form, in hexadecimal."""
    return sha256(canonical(campaign).encode()).hexdigest()[:VERSION_DIGITS]


def offer_version(campaign: Campaign, offer: Offer) -> str:
    """The version of one offer with its campaign's terms; the campaign's other offers do not change it."""
    return version_of(replace(campaign, offers=(offer,)))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        said = [field.name for field in fields(value) if getattr(value, field.name) != field.default]
        return {"is": type(value).__name__} | {name: _plain(getattr(value, name)) for name in said}
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, frozenset):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")
