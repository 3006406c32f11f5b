"""How are instants written? Aware UTC datetimes inside, RFC 3339 outside, milliseconds in hot code and storage."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Years that may be asked about: further off, what is reckoned from a time may not exist."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Clock(Protocol):
    """Tells the time; passed in wherever time matters, so that tests and simulations can step it."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back; for leases and time-outs only."""
        ...


def to_ms(instant: datetime) -> int:
    """UTC epoch milliseconds of an aware instant (rounded down)."""
    return (instant - _EPOCH) // _MS


def from_ms(at_ms: int) -> datetime:
    """The aware UTC instant of epoch milliseconds."""
    return _EPOCH + at_ms * _MS


def rfc3339(instant: datetime) -> str:
    """RFC 3339 text in UTC with milliseconds, e.g. `2026-11-02T08:30:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """The instant of an RFC 3339 text with offset.

    Raises ValueError when the text is no such time or has no offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write it like 2026-11-02T09:30:00+01:00")
    return instant.astimezone(UTC)
