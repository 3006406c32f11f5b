"""What do answers of all providers have in common? Waiting times in headers, silence, and what a phone is told."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from math import floor
from typing import Any

from m2s.adapters.channels.wire import Doubt, NotSent, Reply
from m2s.app.channel import RetryLater, Unknown
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.instants import rfc3339

_LONGEST_TEXT = 2_000


def silence(outcome: NotSent | Doubt) -> RetryLater | Unknown:
    """What an exchange without an answer means."""
    return RetryLater(0.0, outcome.detail) if isinstance(outcome, NotSent) else Unknown(outcome.detail)


def retry_after_s(reply: Reply, now: datetime) -> float:
    """Seconds of a Retry-After header (RFC 9110 § 10.2.3): a number or an HTTP date; 0 without a usable one."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def seconds_left(message: MessageRow, now: datetime, *, least: int = 0, most: int) -> int:
    """How many whole seconds the message is still good for, within what a provider takes."""
    return min(most, max(least, floor((message.valid_until - now).total_seconds())))


def for_the_app(message: MessageRow, coupon: CouponRow | None) -> dict[str, str]:
    """What an app gets beside the text: names to fetch its offer by, and the code to show without a network."""
    told = {
        "message_id": message.id,
        "campaign_id": message.campaign_id,
        "offer_id": message.offer_id,
        "store_id": message.store_id,
        "valid_until": rfc3339(message.valid_until),
    }
    return told if coupon is None else {**told, "coupon_code": coupon.code}


def at(value: Any, *path: str | int) -> Any:
    """The part of decoded JSON that a path leads to; None where it does not."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The same where it is a text or a number, as a short text; else an empty one."""
    found = at(value, *path)
    usable = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found)[:_LONGEST_TEXT] if usable else ""


def list_at(value: Any, *path: str | int) -> list[Any]:
    """The same where it is a list; else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, list) else []
