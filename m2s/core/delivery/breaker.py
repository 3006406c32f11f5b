"""Is a provider well enough to be called? A circuit breaker as a value: what it is told makes the next one."""

from dataclasses import dataclass, replace

REST_S = 10.0
"""How long an open breaker lets nothing through; then one call is its probe. Longer than any call takes, so that an
answer from before it opened is not taken for the probe's."""

LONGEST_REST_S = 30.0
"""It rests half as long again after each probe that failed, up to this: a probe costs as much as a message."""

STOPPED_S = 300.0
"""The same after the provider said that we are misconfigured."""

IN_A_ROW = 5
"""So many failures in a row open it."""

OF_LAST = 20
"""Half of so many calls failed: that opens it, too."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """`recent` says of the last calls whether they failed; `open_until_s` is None while all calls may go.

    `rest_s` is how long it rests when it opens next.
    """

    recent: tuple[bool, ...] = ()
    open_until_s: float | None = None
    rest_s: float = REST_S

    @property
    def closed(self) -> bool:
        """Whether all calls may go."""
        return self.open_until_s is None

    def room(self, now_s: float, *, running: int) -> int | None:
        """How many more calls may begin beside those that run; None when it sets no limit."""
        if self.open_until_s is None:
            return None
        return 1 if now_s >= self.open_until_s and not running else 0

    def after(self, failed: bool, now_s: float) -> "Breaker":
        """The breaker after a call has ended."""
        if self.open_until_s is not None:
            if now_s < self.open_until_s:
                return self
            return self._opened(now_s) if failed else Breaker()
        recent = (*self.recent, failed)[-OF_LAST:]
        in_a_row = len(recent) >= IN_A_ROW and all(recent[-IN_A_ROW:])
        half = len(recent) == OF_LAST and 2 * sum(recent) >= OF_LAST
        if in_a_row or half:
            return self._opened(now_s)
        return replace(self, recent=recent)

    def _opened(self, now_s: float) -> "Breaker":
        return Breaker(open_until_s=now_s + self.rest_s, rest_s=min(1.5 * self.rest_s, LONGEST_REST_S))

    def stopped(self, now_s: float) -> "Breaker":
        """The breaker after the provider said that nothing of ours will go until somebody acts."""
        return Breaker(open_until_s=now_s + STOPPED_S)
