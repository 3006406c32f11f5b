"""What may a value look like? Field types that the routes share; strict: text is no number and a boolean is none."""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from m2s.core.base.errors import Invalid, Problem
from m2s.core.base.instants import FIRST_YEAR, LAST_YEAR, parse_rfc3339, rfc3339
from m2s.entry.api.sentences import TIME

_AMOUNT_TEXT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,2})?")


class StrictBody(BaseModel):
    """A body in which an unknown field is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class LenientBody(BaseModel):
    """A body from phones: fields of a newer SDK are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Raises Invalid for a span that ends before it begins."""
    if since is not None and until is not None and since > until:
        problem = Problem("?from", "reversed_span", "`from` is after `to`: write the earlier time as `from`")
        raise Invalid("the span ends before it begins", problems=[problem])


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(TIME)
    try:
        return parse_rfc3339(value)
    except (ValueError, OverflowError):
        raise ValueError(TIME) from None


def _instant_or_day(value: Any) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(value), time(), tzinfo=UTC)
    except (TypeError, ValueError):
        return _instant(value)


def _in_reach(instant: datetime) -> datetime:
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"write a time of the years {FIRST_YEAR} to {LAST_YEAR}")
    return instant


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("write an amount as a number or as text, like 12.50")
    if isinstance(value, str) and not _AMOUNT_TEXT.fullmatch(value):
        raise ValueError("write an amount as text with digits and at most two after the point, like 12.50")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError("write an amount as a number or as text, like 12.50") from None


_TIME = {"type": "string", "format": "date-time"}
_DAY = {"type": "string", "format": "date"}
_AMOUNT = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 99_999_999},
        {"type": "string", "pattern": f"^{_AMOUNT_TEXT.pattern}$"},
    ]
}

Instant = Annotated[
    datetime, BeforeValidator(_instant), PlainSerializer(rfc3339, return_type=str), WithJsonSchema(_TIME)
]
"""An aware instant, RFC 3339 with offset."""
AskedInstant = Annotated[Instant, AfterValidator(_in_reach)]
"""An instant that is asked about."""
AskedInstantOrDay = Annotated[
    datetime,
    BeforeValidator(_instant_or_day),
    AfterValidator(_in_reach),
    WithJsonSchema({"anyOf": [_TIME, _DAY]}),
]
"""The same, or a day for its first instant in UTC."""
Amount = Annotated[
    Decimal, BeforeValidator(_decimal), Field(ge=0, max_digits=10, decimal_places=2), WithJsonSchema(_AMOUNT)
]
"""An amount of money, exact to the cent."""
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An identifier."""
Text64 = Annotated[str, Field(min_length=1, max_length=64)]
"""A short text."""
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
IdempotencyKey = Annotated[str, Field(pattern=r"^[\x21-\x7e]{16,255}$")]
"""A key that makes a repeated request the same request; random, like a UUID."""
