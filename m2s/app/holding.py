"""What has a worker claimed and not begun yet, and of which channel does it want more? A bounded stock by lane."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from m2s.app.clearance import Parcel
from m2s.app.lanes import Lane
from m2s.core.delivery.retry import ALONE_AFTER

CLEARED_FOR_S = 1.0
"""A claimed message that has waited for longer is looked at once more before its call: a STOP rules after a second."""

EMPTY_FOR_S = 0.2
"""A channel of which nothing more was due is asked for again after so long, or when nothing else is left to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is claimed and may leave, by a look at it at an instant of monotonic seconds."""

    parcel: Parcel
    cleared_at_s: float

    def is_fresh(self, now: datetime, now_s: float) -> bool:
        """Whether that look still holds."""
        return now_s - self.cleared_at_s <= CLEARED_FOR_S and now < self.parcel.message.valid_until

    @property
    def channel(self) -> str:
        """The channel that it leaves by."""
        return self.parcel.message.channel

    @property
    def alone(self) -> bool:
        """Whether its call is made with no other beside it."""
        return self.parcel.message.lost >= ALONE_AFTER

    @property
    def again(self) -> bool:
        """Whether it has failed before."""
        return self.parcel.message.tries > 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many messages of a channel are to be claimed, and how many of them may have failed before."""

    messages: int
    again: int


class Holding:
    """The claimed messages of one drain, those of each channel in the order of their expiry."""

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes
        self._held: list[Held] = []
        self._empty_until_s: dict[str, float] = {}
        self._runs_alone = False

    def wanted(self, now_s: float, *, idle: bool) -> dict[str, Wanted]:
        """What to claim now; `idle` when no call runs."""
        many = Counter(one.channel for one in self._held)
        again = Counter(one.channel for one in self._held if one.again)
        found = {}
        for channel, lane in self._lanes.items():
            if many[channel] >= lane.at_once or (now_s < self._empty_until_s.get(channel, 0.0) and not idle):
                continue
            room = lane.room(now_s)
            if room.ahead > many[channel]:
                found[channel] = Wanted(room.ahead - many[channel], max(0, room.again - again[channel]))
        return found

    def add(self, parcels: Iterable[Parcel], now_s: float) -> None:
        """Holds messages that may leave."""
        self._held += [Held(parcel, now_s) for parcel in parcels]

    def emptied(self, channels: Iterable[str], now_s: float) -> None:
        """Nothing more of these channels is due."""
        self._empty_until_s |= dict.fromkeys(channels, now_s + EMPTY_FOR_S)

    def begin(self, now_s: float, *, running: int, at_once: int) -> list[Held]:
        """Takes out what there is room for beside the calls that run; its calls count as begun."""
        if running and self._runs_alone:
            return []
        chosen: list[Held] = []
        left: list[Held] = []
        for place, one in enumerate(self._held):
            lane, beside = self._lanes[one.channel], running + len(chosen)
            if beside >= at_once or lane.room(now_s).now <= 0:
                left.append(one)
                continue
            if one.alone and beside:
                # Nothing else begins, so that its turn comes.
                left += self._held[place:]
                break
            lane.began(now_s, again=one.again)
            chosen.append(one)
            if one.alone:
                left += self._held[place + 1 :]
                break
        self._held = left
        self._runs_alone = any(one.alone for one in chosen)
        return chosen

    def resting(self, now_s: float) -> Sequence[Held]:
        """Takes out what cannot begin soon, because its channel has to wait."""
        rooms = {channel: lane.room(now_s).ahead for channel, lane in self._lanes.items()}
        out = [one for one in self._held if not rooms[one.channel]]
        if out:
            self._held = [one for one in self._held if rooms[one.channel]]
        return out

    def all(self) -> Sequence[Held]:
        """Takes out everything."""
        out, self._held = self._held, []
        return out
