"""What has a worker claimed and not begun yet, and of what does it want more? A bounded stock by lane.

Which provider of a divided channel carries a message is known when it is looked at: until then it waits for any of
them, and goes back to the queue of its own where that one cannot take it soon.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from m2s.app.clearance import Parcel
from m2s.app.lanes import Lane, LaneName
from m2s.core.delivery.retry import ALONE_AFTER

CLEARED_FOR_S = 1.0
"""A claimed message that has waited for longer is looked at once more before its call: a STOP rules after a second."""

EMPTY_FOR_S = 0.2
"""A queue of which nothing more was due is asked for again after so long, or when nothing else is left to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that is claimed and may leave, by a look at it at an instant of monotonic seconds."""

    parcel: Parcel
    cleared_at_s: float

    def is_fresh(self, now: datetime, now_s: float) -> bool:
        """Whether that look still holds."""
        return now_s - self.cleared_at_s <= CLEARED_FOR_S and now < self.parcel.message.valid_until

    @property
    def lane(self) -> LaneName:
        """The channel and the provider that it leaves by."""
        return self.parcel.lane

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
    """How many messages of a queue are to be claimed, and how many of them may have failed before."""

    messages: int
    again: int


class Holding:
    """The claimed messages of one drain, in the order of their expiry."""

    def __init__(self, lanes: Mapping[LaneName, Lane]) -> None:
        self._lanes = lanes
        self._held: list[Held] = []
        self._empty_until_s: dict[LaneName, float] = {}
        self._runs_alone = False

    def __len__(self) -> int:
        return len(self._held)

    def wanted(self, now_s: float, *, idle: bool) -> dict[LaneName, Wanted]:
        """What to claim now, by its queue; `idle` when no call runs and none is held."""
        many = Counter(one.lane for one in self._held)
        again = Counter(one.lane for one in self._held if one.again)
        found: dict[LaneName, Wanted] = {}
        for name, lane in self._lanes.items():
            if many[name] >= lane.at_once:
                continue
            room = lane.room(now_s)
            if room.ahead > many[name]:
                want = Wanted(room.ahead - many[name], max(0, room.again - again[name]))
                found[name] = want
                if name[1]:
                    any_of = found.get((name[0], ""), Wanted(0, 0))
                    found[name[0], ""] = Wanted(any_of.messages + want.messages, any_of.again + want.again)
        return {
            name: want for name, want in found.items() if idle or now_s >= self._empty_until_s.get(name, 0.0)
        }

    def add(self, parcels: Iterable[Parcel], now_s: float) -> None:
        """Holds messages that may leave."""
        self._held += [Held(parcel, now_s) for parcel in parcels]
        self._held.sort(key=lambda one: (one.parcel.message.valid_until, one.parcel.message.id))

    def emptied(self, queues: Iterable[LaneName], now_s: float) -> None:
        """Nothing more of these queues is due."""
        self._empty_until_s |= dict.fromkeys(queues, now_s + EMPTY_FOR_S)

    def begin(self, now_s: float, *, running: int, at_once: int) -> list[Held]:
        """Takes out what there is room for beside the calls that run; its calls count as begun."""
        if running and self._runs_alone:
            return []
        chosen: list[Held] = []
        left: list[Held] = []
        for place, one in enumerate(self._held):
            lane, beside = self._lanes[one.lane], running + len(chosen)
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
        """Takes out what cannot begin soon, because its provider has to wait or others come before it."""
        rooms = {name: lane.room(now_s).ahead for name, lane in self._lanes.items()}
        many = Counter[LaneName]()
        out: list[Held] = []
        left: list[Held] = []
        for one in self._held:
            many[one.lane] += 1
            # What waits for any provider may have brought more for one of them than was wanted.
            too_many = many[one.lane] > rooms[one.lane] if one.parcel.provider else not rooms[one.lane]
            (out if too_many else left).append(one)
        self._held = left
        return out

    def all(self) -> Sequence[Held]:
        """Takes out everything."""
        out, self._held = self._held, []
        return out
