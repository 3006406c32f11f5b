"""Why did a shopper get a message, or none? Kept decisions, each with its trace in plain sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.explain import Fate, explain
from m2s.app.catalog import Catalog
from m2s.app.inputs import Join
from m2s.app.no_occasion import Asked, why
from m2s.app.past import LastSeen
from m2s.app.ports import Database, Records
from m2s.app.rows import DecisionRow, MessageRow
from m2s.core.base.errors import NotFound
from m2s.core.base.instants import Clock, rfc3339

MOST_DECISIONS = 200
"""How many decisions one answer holds at most; older ones need a narrower span."""

_LOOK_BACK = timedelta(days=7)
_NO_OCCASION = (
    "No decision is kept for this: no occasion arose. An occasion is a moment at which evidence fires the trigger "
    "of a live offer, or a scheduled send whose audience holds the shopper."
)
_SEEN = "The shopper was seen at the stores listed, so check which zones and triggers the offers there watch."
_NOT_SEEN = (
    "No sighting of the shopper touched a zone of any store in the last 7 days. "
    "Fixes outside every zone leave no evidence."
)


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision, the message of a send, and sentences: what came of it, then one per rule that was asked."""

    decision: DecisionRow
    message: MessageRow | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Decisions, newest first; where there are none, `sentences` say what that means, and before it who was joined.

    `clock_offset_ms` is how far the clock of the device asked for is ahead of ours, where that is known.
    """

    decisions: tuple[Explained, ...]
    sentences: tuple[str, ...] = ()
    last_seen: tuple[LastSeen, ...] = ()
    clock_offset_ms: int | None = None


class Explain:
    """Answers why, from what is kept."""

    def __init__(self, database: Database, clock: Clock, *, catalog: Callable[[], Catalog]) -> None:
        self._database = database
        self._clock = clock
        self._catalog = catalog

    def one(self, decision_id: str) -> Explained:
        """A decision by its id; raises NotFound."""
        with self._database.read() as records:
            row = records.decisions.get(decision_id)
            if row is None:
                raise NotFound(f"there is no decision {decision_id!r}")
            (explained,) = _explained(records, [row])
        return explained

    def find(
        self,
        *,
        shopper_id: str | None = None,
        device_id: str | None = None,
        offer_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = MOST_DECISIONS,
    ) -> Explanation:
        """The decisions of a shopper and offer in a half-open span; a device stands for its shopper.

        One who was joined with another stands for that one. Raises NotFound for who does not exist.
        """
        with self._database.read() as records:
            shopper_id, offset_ms, joined = _shopper(records, shopper_id=shopper_id, device_id=device_id)
            rows = records.decisions.find(
                shopper_id=shopper_id,
                offer_id=offer_id,
                since=since,
                until=until,
                limit=min(limit, MOST_DECISIONS),
            )
            if rows:
                return Explanation(_explained(records, rows), joined, clock_offset_ms=offset_ms)
            if shopper_id is None:
                return Explanation((), (_NO_OCCASION,))
            at = self._clock.now() if until is None else min(until, self._clock.now())
            seen = records.histories.last_seen(shopper_id, at - _LOOK_BACK, at)
            devices = records.devices.devices_of([shopper_id]).get(shopper_id, [])
            applied = records.catalog.first_applied()
        sentences = [*joined, _NO_OCCASION]
        if offer_id is not None:
            sentences += why(Asked(offer_id, at, seen, devices, applied), self._catalog())
        else:
            sentences.append(_SEEN if seen else _NOT_SEEN)
        return Explanation((), tuple(sentences), _by_store(seen), clock_offset_ms=offset_ms)


def _by_store(seen: Sequence[LastSeen]) -> tuple[LastSeen, ...]:
    """The last of each store."""
    found: dict[str, LastSeen] = {}
    for one in seen:
        found.setdefault(one.store_id, one)
    return tuple(found.values())


def _shopper(
    records: Records, *, shopper_id: str | None, device_id: str | None
) -> tuple[str | None, int | None, tuple[str, ...]]:
    """The shopper who is meant, how far the clock of the device that names them is ahead, and who was joined."""
    joins = [] if shopper_id is None else records.identities.joined(shopper_id)
    meant = next((join.into_id for join in joins if join.shopper_id == shopper_id), shopper_id)
    told = tuple(map(_joined, joins))
    if device_id is not None:
        device = records.devices.device(device_id)
        if device is None or meant not in (None, device.shopper_id):
            raise NotFound(f"there is no device {device_id!r}{' of this shopper' if shopper_id else ''}")
        return device.shopper_id, device.clock_offset_ms, told
    if meant is not None and meant not in records.devices.shoppers([meant]):
        raise NotFound(f"there is no shopper {shopper_id!r}")
    return meant, None, told


def _joined(join: Join) -> str:
    return (
        f"{join.shopper_id} turned out to be {join.into_id} at {rfc3339(join.at)}, by what the retailer knows of both: "
        f"what is told is of both."
    )


def _explained(records: Records, rows: Sequence[DecisionRow]) -> tuple[Explained, ...]:
    messages = records.messages.of_decisions(row.id for row in rows)
    return tuple(_told(row, messages.get(row.id)) for row in rows)


def _told(row: DecisionRow, message: MessageRow | None) -> Explained:
    record = {"outcome": row.outcome, "channel": row.channel, "trace": row.trace}
    fate = None if message is None else Fate(message.state, message.reason, message.channel)
    return Explained(row, message, tuple(explain(record, fate)))
