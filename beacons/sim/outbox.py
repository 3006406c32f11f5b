"""When does a phone send what it noticed, in which order, and what does the request say?

Batches wait out dead zones and hours without a network; some sightings are lost, some sent twice, and who replays
sends them once more as if they were new.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from beacons.sim.habits import Habits, Traits

MOST_IN_BATCH = 500
"""What the service takes in one request."""

_REPLAYED_AFTER_S = (3600.0, 10_800.0)
_NEVER = (math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Noticed:
    """One sighting as the phone keeps it until it is sent; `burst` holds the age of each beacon sample."""

    id: str
    at_s: float
    fields: dict[str, Any]
    burst: tuple[tuple[int, int], ...] = ()


class Outbox:
    """What one phone has yet to send. `random` is the phone's, `own` another for what few phones do."""

    def __init__(self, traits: Traits, habits: Habits, *, random: Random, own: Random) -> None:
        self._traits = traits
        self._habits = habits
        self._random = random
        self._own = own
        self._items: list[Noticed] = []
        self._later: list[Noticed] = []
        self._next_s = 0.0
        self._waits = False
        self._offline = _NEVER

    def begin(self, start_s: float, end_s: float) -> None:
        """Begin a day."""
        self._next_s = start_s + self._random.uniform(0, self._traits.batch_s)
        if self._own.random() < self._habits.offline_share:
            since_s = self._own.uniform(start_s, end_s)
            self._offline = (since_s, since_s + self._own.uniform(*self._habits.offline_s))

    def put(self, noticed: Noticed) -> None:
        """Keep a sighting that is complete, unless it is lost."""
        if not self._habits.lost or self._own.random() >= self._habits.lost:
            self._items.append(noticed)

    def put_later(self, noticed: Noticed) -> None:
        """Keep a sighting that the phone will notice when its time comes."""
        self._later.append(noticed)

    def notice(self, until_s: float) -> None:
        """Let the time come."""
        for noticed in self._later:
            if noticed.at_s <= until_s:
                self.put(noticed)
        self._later = [noticed for noticed in self._later if noticed.at_s > until_s]

    @property
    def empty(self) -> bool:
        """Whether nothing is left to send, now or later."""
        return not self._items and not self._later

    def batch(self, now_s: float) -> list[Noticed]:
        """What to send now, perhaps nothing: some batches wait for a network."""
        if now_s < self._next_s or not self._items:
            return []
        if self._offline[0] <= now_s < self._offline[1]:
            self._waits = True
            return []
        if not self._waits and self._random.random() < self._habits.waits_share:
            self._waits = True
            self._next_s = now_s + self._random.uniform(*self._habits.waits_s)
            return []
        newest_first = self._waits and self._traits.newest_first
        return (self._items[::-1] if newest_first else list(self._items))[:MOST_IN_BATCH]

    def sent(self, batch: Sequence[Noticed], now_s: float) -> None:
        """Forget what was acknowledged, except for the few items that the phone will repeat."""
        gone = {noticed.id for noticed in batch}
        left = [noticed for noticed in self._items if noticed.id not in gone]
        again = [noticed for noticed in batch if self._random.random() < self._habits.repeated]
        self._items = [*left, *again]
        self._waits = self._waits and bool(left)
        self._next_s = now_s + (0.0 if left else self._traits.batch_s)
        if self._traits.replays:
            self._later += self._replayed(batch)

    def _replayed(self, batch: Sequence[Noticed]) -> list[Noticed]:
        after_s = self._own.uniform(*_REPLAYED_AFTER_S)
        return [
            replace(noticed, id=f"{noticed.id}-r", at_s=noticed.at_s + after_s)
            for noticed in batch
            if not noticed.id.endswith("-r")
        ]


def request(traits: Traits, batch: Sequence[Noticed], *, now_s: float, start: datetime) -> dict[str, Any]:
    """The request for a batch, with ages and the sending time as of this attempt."""
    origin = start + timedelta(seconds=traits.clock_error_s)
    return {
        "sent_at": (origin + timedelta(seconds=now_s)).isoformat(),
        "sightings": [_item(noticed, now_s, origin, tells_age=traits.tells_age) for noticed in batch],
    }


def _item(noticed: Noticed, now_s: float, origin: datetime, *, tells_age: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"id": noticed.id, **noticed.fields}
    age_ms = round((now_s - noticed.at_s) * 1000)
    if tells_age:
        item["age_ms"] = age_ms
    else:
        item["at"] = (origin + timedelta(seconds=noticed.at_s)).isoformat()
    if noticed.burst:
        item["samples"] = [
            {"age_ms": age_ms + before_ms, "rssi_dbm": rssi} for before_ms, rssi in noticed.burst
        ]
    return item
