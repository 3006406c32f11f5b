"""What next, when a provider did not simply accept? Waiting times, and when to send again, to ask or to give up."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

MOST_LOST = 5
"""A message that so many workers were lost over is given up: it may be what kills them."""

ALONE_AFTER = 2
"""A message that so many workers were lost over is sent with no other call beside it: if one dies again, it is known
which message it was, and those that only ran beside it are not blamed."""

MOST_TRIES = 5
"""A message that fails so often while others get through is given up: it may be what the provider cannot take."""

DOUBT_LASTS = timedelta(hours=24)
"""For how long a provider is asked what became of a message in doubt."""

_WAITS_S = (1.0, 4.0, 16.0, 64.0)
_LONGEST_S = 3600.0
_SPREAD = 0.5
_FIRST_QUESTION_S = 60.0

OnUnknown = Literal["final", "retry"]

# A push collapses on the phone by the message's id and a webhook's receiver knows the id again; an SMS is read twice.
_ON_UNKNOWN: Mapping[str, OnUnknown] = {"push": "retry", "webhook": "retry", "sms": "final"}

RESENT_CHANNELS = frozenset(channel for channel, what in _ON_UNKNOWN.items() if what == "retry")
"""Channels on which a message in doubt is sent again; on all others at most one send is ever started."""


def retry_after(tries: int, jitter: float, *, first_s: float = 0.0) -> float:
    """Seconds to wait after the given number of tries (1 or more), and up to half of it more.

    These are 1, 4, 16, then 64; or `first_s` and twice as long each time, up to an hour.
    `jitter` is in [0, 1) and comes from outside. Raises ValueError outside these ranges.
    """
    if tries < 1 or not 0 <= jitter < 1:
        raise ValueError(f"tries must be 1 or more and jitter in [0, 1); got {tries} and {jitter}")
    wait_s = _WAITS_S[min(tries, len(_WAITS_S)) - 1]
    if first_s > 0:
        wait_s = max(first_s, min(first_s * 2.0 ** min(tries - 1, 32), _LONGEST_S))
    return wait_s * (1 + _SPREAD * jitter)


def on_unknown(channel: str) -> OnUnknown:
    """Whether a message that may or may not have been sent stays so (`final`) or is sent again (`retry`)."""
    return _ON_UNKNOWN.get(channel, "final")


def ask_again_after(doubted: timedelta) -> timedelta:
    """When to ask again for a message that has been in doubt for so long: twice as long each time, an hour at most."""
    return timedelta(seconds=min(max(doubted.total_seconds(), _FIRST_QUESTION_S), _LONGEST_S))
