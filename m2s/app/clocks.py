"""How wrong is the clock of each phone? Estimated from `sent_at`, kept with the device, used for nothing.

A request takes time on its way, so that a phone's clock can look slower than it is, never faster. Therefore a higher
reading counts at once, and a lower one only when several requests in a row agree; the highest of these is believed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from m2s.app.ports import Database, Records

MOVED_MS = 2_000
"""Readings closer to the estimate than this are the estimate."""

_LOWER_READINGS = 5
_KEPT_AT_ONCE = 1_000
_KNOWN_AT_MOST = 200_000


class Clocks:
    """Estimates by device, in memory; what is new or has moved waits to be kept, and is told to `found` in seconds."""

    def __init__(self, database: Database, *, found: Callable[[float], object]) -> None:
        self._database = database
        self._found = found
        self._known_ms: dict[str, int] = {}
        self._lower: dict[str, list[int]] = {}
        self._waiting: dict[str, int] = {}

    def read(self, device_id: str, sent_at_ms: int, *, received_at_ms: int) -> None:
        """Takes the reading of one request: what the phone's clock said, and ours. Never from two threads at once."""
        ahead_ms = sent_at_ms - received_at_ms
        known_ms = self._known_ms.get(device_id)
        if known_ms is None or not -MOVED_MS <= ahead_ms - known_ms <= MOVED_MS:
            self._moved(device_id, ahead_ms, known_ms)
        elif self._lower:
            self._lower.pop(device_id, None)

    def keep(self, _now: datetime) -> None:
        """Writes the estimates that are new or have moved."""
        while self._waiting:
            taken = [self._waiting.popitem() for _ in range(min(_KEPT_AT_ONCE, len(self._waiting)))]
            try:
                self._database.write(partial(_keep, offsets_ms=taken))
            except BaseException:
                for device_id, ahead_ms in taken:
                    self._waiting.setdefault(device_id, ahead_ms)
                raise

    def _moved(self, device_id: str, ahead_ms: int, known_ms: int | None) -> None:
        if known_ms is not None and ahead_ms < known_ms:
            readings = self._lower.setdefault(device_id, [])
            readings.append(ahead_ms)
            if len(readings) < _LOWER_READINGS:
                return
            ahead_ms = max(readings)
        self._lower.pop(device_id, None)
        if known_ms is None and len(self._known_ms) >= _KNOWN_AT_MOST:
            forgotten = next(iter(self._known_ms))
            del self._known_ms[forgotten]
            self._lower.pop(forgotten, None)
        self._known_ms[device_id] = self._waiting[device_id] = ahead_ms
        self._found(ahead_ms / 1000)


def _keep(records: Records, offsets_ms: Sequence[tuple[str, int]]) -> None:
    records.devices.keep_clock_offsets(offsets_ms, moved_ms=MOVED_MS)
