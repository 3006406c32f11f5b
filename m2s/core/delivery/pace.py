"""How many calls may begin now? The provider's allowed rate, and a budget that keeps retries from becoming a storm."""

import math
from collections import deque

RETRY_SHARE = 0.1
"""At most this share of the calls of the last minute may be retries."""

FEW_RETRIES = 6
"""So many retries a minute are allowed however few calls there are, or a single message could never be tried again."""

_WINDOW_S = 60.0


class Rate:
    """So many calls a second; what was not used is kept for one second, and there is always room for one call."""

    def __init__(self, per_s: float | None) -> None:
        """`per_s` None sets no limit. Raises ValueError for a rate that is not above 0."""
        if per_s is not None and not per_s > 0:
            raise ValueError(f"a rate is above 0 calls a second, not {per_s}")
        self._per_s = per_s
        self._most = max(1.0, per_s or 0.0)
        self._left = self._most
        self._at_s: float | None = None

    def room(self, now_s: float) -> int | None:
        """How many calls may begin; None when there is no limit."""
        if self._per_s is None:
            return None
        if self._at_s is not None:
            self._left = min(self._most, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        # A hair more, because tenths of a call add up to a little less than one.
        return math.floor(self._left + 1e-9)

    def began(self) -> None:
        """One call has begun."""
        self._left -= 1


class RetryBudget:
    """Counts the calls of the last minute by the second, and says how many more retries they bear."""

    def __init__(self) -> None:
        self._seconds: deque[list[float]] = deque()
        self._calls = self._retries = 0

    def room(self, now_s: float) -> int:
        """How many retries may begin."""
        while self._seconds and self._seconds[0][0] <= now_s - _WINDOW_S:
            _, calls, retries = self._seconds.popleft()
            self._calls -= int(calls)
            self._retries -= int(retries)
        return max(0, max(FEW_RETRIES, math.floor(RETRY_SHARE * self._calls)) - self._retries)

    def began(self, now_s: float, *, again: bool) -> None:
        """One call has begun; `again` when it is a retry."""
        second = math.floor(now_s)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += again
        self._calls += 1
        self._retries += again
