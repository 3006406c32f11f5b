"""How is a clock set while the service runs? One whose wall time can be stepped, as an administrator or NTP does."""

from __future__ import annotations

from datetime import datetime, timedelta

from m2s.adapters.runtime.clock import SteppedClock, SystemClock


class SetClock(SteppedClock):
    """A clock that stands still until it is moved. Its monotonic seconds know nothing of its being set."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._off = timedelta(0)

    def now(self) -> datetime:
        """What the wall says."""
        return super().now() + self._off

    def put(self, off: timedelta) -> None:
        """Sets the wall time forward or back."""
        self._off += off


class RunningClock(SystemClock):
    """The machine's clock, as if it were set."""

    def __init__(self) -> None:
        self._off = timedelta(0)

    def now(self) -> datetime:
        """What the wall says."""
        return super().now() + self._off

    def put(self, off: timedelta) -> None:
        """Sets the wall time forward or back."""
        self._off += off
