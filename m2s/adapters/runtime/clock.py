"""What time is it? The system's clock in service, a stepped one in tests and simulations."""

import ctypes
import time
from datetime import UTC, datetime, timedelta

_TIMEX_BYTES = 512
"""More than the structure of adjtimex(2) needs on any machine."""
_TIME_ERROR = 5


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never go back; for leases and time-outs only."""
        return time.monotonic()


def is_synchronised() -> bool | None:
    """Whether the system says that something keeps its clock right; None where it does not say."""
    try:
        # Changes nothing: the first field of what is given says which fields to set, and it is 0.
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


class SteppedClock:
    """A clock that stands still until it is moved, and never back; its monotonic seconds follow."""

    def __init__(self, start: datetime) -> None:
        """Starts at an aware instant. Raises ValueError for a naive one."""
        if start.tzinfo is None:
            raise ValueError(f"the clock needs an aware instant, not {start}")
        self._start = start.astimezone(UTC)
        self._now = self._start

    def now(self) -> datetime:
        """The instant that the clock was last moved to, aware, UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds since the start."""
        return (self._now - self._start).total_seconds()

    def set(self, instant: datetime) -> None:
        """Moves the clock to an aware instant. Raises ValueError when that lies in the past."""
        if instant < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {instant}")
        self._now = instant.astimezone(UTC)

    def advance(self, span: timedelta) -> None:
        """Moves the clock on. Raises ValueError for a negative span."""
        self.set(self._now + span)
