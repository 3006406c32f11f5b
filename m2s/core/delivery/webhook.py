"""When is an event tried again, and when is its endpoint given up? The schedule of Standard Webhooks."""

from collections.abc import Iterable
from datetime import datetime, timedelta

VISITS = ("visit.started", "visit.ended", "visit.corrected", "visit.retracted")
MESSAGES = (
    "message.accepted",
    "message.delivered",
    "message.undelivered",
    "message.refused",
    "message.expired",
    "message.cancelled",
    "message.unknown_final",
    "message.dead_letter",
)
COUPONS = ("coupon.redeemed", "coupon.voided")
EVENTS = (*VISITS, *MESSAGES, *COUPONS)
"""All that an endpoint can be told."""

PATTERNS = ("*", "visit.*", "message.*", "coupon.*", *EVENTS)
"""How an endpoint names what it wants: one event, all of a kind, or all."""

TEST = "webhook.test"
"""What is sent when somebody tries an endpoint."""

GONE = 410
"""The answer by which a receiver says that it wants nothing any more."""

_MINUTE, _HOUR = 60, 3600
_WAITS_S = (5, 5 * _MINUTE, 30 * _MINUTE, *(hours * _HOUR for hours in (2, 5, 10, 14, 20, 24)))
MOST_TRIES = len(_WAITS_S) + 1
TRIED_FOR = timedelta(seconds=sum(_WAITS_S))
"""From the first try of an event to its last: three days and some hours."""


def wants(patterns: Iterable[str], event: str) -> bool:
    """Whether an endpoint that named these wants an event."""
    return not {"*", event, f"{event.partition('.')[0]}.*"}.isdisjoint(patterns)


def next_try(tries: int, *, at_least_s: float = 0) -> timedelta | None:
    """How long to wait after so many tries (1 or more), at least as long as the receiver asked; None after the last.

    A receiver that asks for more than the longest wait of the schedule gets that.
    """
    if tries < 1:
        raise ValueError(f"tries must be 1 or more; got {tries}")
    if tries >= MOST_TRIES:
        return None
    return timedelta(seconds=max(_WAITS_S[tries - 1], min(at_least_s, _WAITS_S[-1])))


def is_given_up(failing_since: datetime | None, now: datetime) -> bool:
    """Whether an endpoint has taken nothing for as long as an event is tried."""
    return failing_since is not None and now - failing_since >= TRIED_FOR
