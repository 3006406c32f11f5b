"""What next, when a provider did not simply accept? Waiting times, and whether to send again after doubt."""

from collections.abc import Mapping
from typing import Literal

MOST_LOST = 5
"""A message that so many workers were lost over is given up: it may be what kills them."""

_WAITS_S = (1.0, 4.0, 16.0, 64.0)
_SPREAD = 0.5

OnUnknown = Literal["final", "retry"]

# A push collapses on the phone by the message's id and a webhook's receiver knows the id again; an SMS is read twice.
_ON_UNKNOWN: Mapping[str, OnUnknown] = {"push": "retry", "webhook": "retry", "sms": "final"}

RESENT_CHANNELS = frozenset(channel for channel, what in _ON_UNKNOWN.items() if what == "retry")
"""Channels on which a message in doubt is sent again; on all others at most one send is ever started."""


def retry_after(tries: int, jitter: float) -> float:
    """Seconds to wait after the given number of tries (1 or more): 1, 4, 16, then 64, and up to half of it more.

    `jitter` is in [0, 1) and comes from outside. Raises ValueError outside these ranges.
    """
    if tries < 1 or not 0 <= jitter < 1:
        raise ValueError(f"tries must be 1 or more and jitter in [0, 1); got {tries} and {jitter}")
    return _WAITS_S[min(tries, len(_WAITS_S)) - 1] * (1 + _SPREAD * jitter)


def on_unknown(channel: str) -> OnUnknown:
    """Whether a message that may or may not have been sent stays so (`final`) or is sent again (`retry`)."""
    return _ON_UNKNOWN.get(channel, "final")
