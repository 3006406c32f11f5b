"""What became of messages in doubt? Providers that know our reference are asked, for a day; nothing is sent again."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

import structlog

from m2s.app.channel import Accepted, Address, ChannelAdapter, Finder, Refused
from m2s.app.clearance import Verdict, address_of
from m2s.app.observer import DeliveryObserver
from m2s.app.outbox import AttemptRow
from m2s.app.ports import Database, Records
from m2s.app.receipts import follow
from m2s.app.results import outcome_of, settle
from m2s.app.rows import MessageRow
from m2s.core.base.instants import Clock
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import DOUBT_LASTS, ask_again_after

MOST_A_TICK = 100
"""How many messages one beat asks for at most; the next beat goes on."""

_log = structlog.get_logger()


class Doubts:
    """Asks for `unknown` messages, and ends their doubt after a day."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, ChannelAdapter],
        *,
        clock: Clock,
        observer: DeliveryObserver,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._observer = observer
        self._stopping = Event()

    def run(self, now: datetime) -> int:
        """Asks for the messages that it is time to ask for; returns of how many the doubt ended."""
        with self._database.read() as records:
            waiting = records.messages.in_doubt(now, limit=MOST_A_TICK)
        ended = 0
        for message, since in waiting:
            if self._stopping.is_set():
                break
            ended += self._ask(message, since)
        return ended

    def stop(self) -> None:
        """Asks no further question; one that is being asked is brought to its end."""
        self._stopping.set()

    def _ask(self, message: MessageRow, since: datetime) -> bool:
        found = self._find(message)
        now = self._clock.now()
        verdict = _verdict(found, over=now - since >= DOUBT_LASTS)

        def work(records: Records) -> bool:
            if found is not None:
                records.messages.add_attempts([_attempt(message, found, at=now)])
            if verdict is not None:
                settled = settle(records, message, verdict, at=now)
                if settled and isinstance(found, Accepted):
                    follow(records, found.provider_id, at=now)
                return settled
            next_at = min(now + ask_again_after(now - since), since + DOUBT_LASTS)
            records.messages.ask_again(message.id, fence=message.fence, not_before=next_at)
            return False

        settled = self._database.write(work)
        if settled and verdict is not None:
            self._observer.settled(message.channel, verdict.state)
            if verdict.state is State.UNKNOWN_FINAL:
                self._observer.maybe_lost(message.channel, 1)
        return settled

    def _find(self, message: MessageRow) -> Accepted | Refused | None:
        """What is known of a message: by an answer that came too late, else by its provider."""
        with self._database.read() as records:
            provider_id = records.messages.was_accepted(message.id)
            address = _address(records, message)
        if provider_id is not None:
            return Accepted(provider_id)
        adapter = self._channels.get(message.channel)
        if not isinstance(adapter, Finder) or address is None:
            return None
        try:
            return adapter.find(message, address)
        except Exception as error:
            _log.warning("delivery.not_found_out", message_id=message.id, error=type(error).__name__)
            return None


def _verdict(found: Accepted | Refused | None, *, over: bool) -> Verdict | None:
    match found:
        case Accepted():
            return Verdict(State.ACCEPTED, "found")
        case Refused():
            return Verdict(State.REFUSED, found.code)
        case None:
            return Verdict(State.UNKNOWN_FINAL, "no answer") if over else None


def _address(records: Records, message: MessageRow) -> Address | None:
    shopper = records.devices.shoppers([message.shopper_id]).get(message.shopper_id)
    devices = records.devices.devices_of([message.shopper_id]).get(message.shopper_id, [])
    return None if shopper is None else address_of(message, shopper, devices)


def _attempt(message: MessageRow, found: Accepted | Refused, *, at: datetime) -> AttemptRow:
    provider_id = found.provider_id if isinstance(found, Accepted) else None
    detail = "found afterwards" if isinstance(found, Accepted) else found.detail
    parts = found.parts if isinstance(found, Accepted) else None
    return AttemptRow(message.id, message.channel, outcome_of(found), provider_id, detail, at, parts)
