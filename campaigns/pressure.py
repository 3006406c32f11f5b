"""How many messages has a shopper had? Rates over sliding windows of elapsed time, (now - window, now]."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns.model import Rate

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))


def count_in_window(past: Sequence[datetime], now: datetime, *, window: timedelta) -> int:
    """How many instants lie in (now - window, now]."""
    return sum(now - window < at <= now for at in past)


def tightest(past: Sequence[datetime], now: datetime, *, rates: Sequence[Rate]) -> tuple[Rate, int] | None:
    """The rate that leaves the fewest messages (the first of equals) and its count; None without rates."""
    counts = [(rate, count_in_window(past, now, window=rate.window)) for rate in rates]
    return min(counts, key=lambda pair: pair[0].count - pair[1], default=None)


def rate_text(rate: Rate) -> str:
    """A rate as the YAML writes it, e.g. `1 per 3d`."""
    for letter, unit in _UNITS:
        if not rate.window % unit:
            return f"{rate.count} per {rate.window // unit}{letter}"
    return f"{rate.count} per {rate.window.total_seconds():g}s"
