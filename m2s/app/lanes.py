"""How much may each provider take now? Rate, breaker, retry budget and running calls, one lane a provider.

A lane is memory of one worker: a new one finds out by itself how its provider is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from m2s.app.channel import (
    ChannelAdapter,
    Misconfigured,
    Refused,
    RetryLater,
    SendResult,
    Unknown,
    providers_of,
)
from m2s.core.delivery.breaker import Breaker
from m2s.core.delivery.pace import Rate, RetryBudget

LaneName = tuple[str, str]
"""A channel, and which of its providers: an empty name where it has but one."""

LONGEST_PAUSE_S = 900.0
"""A provider waits no longer for a provider that asks it to; its message waits as long as was asked."""

AHEAD = 4
"""So many messages are claimed for each call that can run, so that claiming takes little of the time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a worker may be: calls at once, and calls a second of each provider of a channel.

    A channel that is absent has no limit.
    """

    at_once: int = 8
    per_s: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls of a lane may begin `now`, how many soon (`ahead`), and how many of them as a retry (`again`)."""

    now: int
    ahead: int
    again: int


class Lane:
    """One provider of one channel, as one worker sees it. Only the worker's own thread may touch it."""

    def __init__(self, *, per_s: float | None, at_once: int) -> None:
        """`at_once` is how many of its calls may run."""
        self._rate = Rate(per_s)
        self._budget = RetryBudget()
        self._breaker = Breaker()
        self.at_once = at_once
        self._running = 0
        self._paused_until_s = 0.0
        self.misconfigured = False

    @property
    def troubled(self) -> bool:
        """Whether the breaker is open: what fails now fails for the provider's sake."""
        return not self._breaker.closed

    def room(self, now_s: float) -> Room:
        """What may begin."""
        if now_s < self._paused_until_s:
            return Room(0, 0, 0)
        limits = (
            AHEAD * self.at_once,
            self._rate.room(now_s),
            self._breaker.room(now_s, running=self._running),
        )
        ahead = max(0, min(limit for limit in limits if limit is not None))
        return Room(min(ahead, self.at_once - self._running), ahead, self._budget.room(now_s))

    def began(self, now_s: float, *, again: bool) -> None:
        """A call of a message has begun; `again` when it had been tried before."""
        self._running += 1
        self._rate.began()
        self._budget.began(now_s, again=again)

    def ended(self, result: SendResult, now_s: float) -> None:
        """A call has ended."""
        self._running -= 1
        if isinstance(result, Refused) and not result.asked:
            return
        self.misconfigured = isinstance(result, Misconfigured)
        match result:
            case Misconfigured():
                self._breaker = self._breaker.stopped(now_s)
            case RetryLater(of_address=False, after_s=after_s):
                self._paused_until_s = max(self._paused_until_s, now_s + min(after_s, LONGEST_PAUSE_S))
                self._breaker = self._breaker.after(True, now_s)
            case _:
                self._breaker = self._breaker.after(isinstance(result, Unknown), now_s)

    def dropped(self) -> None:
        """A call that began has not been made after all."""
        self._running -= 1


def lanes_of(channels: Mapping[str, ChannelAdapter], pace: Pace) -> dict[LaneName, Lane]:
    """A lane for each provider; each leaves the others a call, so that a slow one cannot hold them all up."""
    names = sorted(
        (channel, provider) for channel, adapter in channels.items() for provider in providers_of(adapter)
    )
    at_once = max(1, pace.at_once - (len(names) - 1))
    rates = pace.per_s or {}
    return {name: Lane(per_s=rates.get(name[0]), at_once=at_once) for name in names}


def shut_channels(lanes: Mapping[LaneName, Lane], now_s: float) -> set[str]:
    """The channels by which nothing may begin now."""
    return {channel for channel, _ in lanes} - {
        channel for (channel, _), lane in lanes.items() if lane.room(now_s).ahead
    }
