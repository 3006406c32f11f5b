"""What goes out, and what came of it? Takes due messages, looks at them once more, sends, and settles.

A message is looked at and becomes `sending` in one committed transaction, and only then is the provider called, with no
transaction open: whatever happens between, an SMS is never sent twice. Several calls run at once; what they answer is
settled together, in the transaction in which the next ones begin.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event

import structlog

from campaigns.facts import Policy
from m2s.app.calls import Calls, Ended
from m2s.app.catalog import Catalog
from m2s.app.channel import ChannelAdapter, Unknown
from m2s.app.clearance import Parcel, Rules, Verdict, clear
from m2s.app.doubt import Doubts
from m2s.app.holding import Held, Holding
from m2s.app.lanes import LaneName, Pace, lanes_of, shut_channels
from m2s.app.observer import DeliveryObserver
from m2s.app.ports import Database, Records
from m2s.app.results import Answered, keep, keep_letter, outcome_of, settle, verdict_of
from m2s.app.rows import MessageRow
from m2s.app.telling import tell_messages
from m2s.core.base.errors import Unavailable
from m2s.core.base.instants import Clock
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import RESENT_CHANNELS

LEASE_S = 60.0
"""How long a claimed message belongs to its worker, in monotonic seconds."""

_log = structlog.get_logger()

_Kept = tuple[Answered, Verdict | None]
"""A call that has ended and what its message came to; None when another worker has the message."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What came of a look at claimed messages: those that may leave, and what became of the others."""

    parcels: Sequence[Parcel]
    held_back: Sequence[tuple[MessageRow, Verdict]]


class Deliver:
    """The delivery worker. `jitter` gives numbers in [0, 1) that spread repeated tries.

    One thread drains at a time; it alone touches the lanes and the answers.
    """

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, ChannelAdapter],
        *,
        clock: Clock,
        catalog: Callable[[], Catalog],
        policy: Policy,
        jitter: Callable[[], float],
        observer: DeliveryObserver,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._catalog = catalog
        self._policy = policy
        self._jitter = jitter
        self._observer = observer
        self._pace = pace or Pace()
        self._lanes = lanes_of(channels, self._pace)
        self._doubts = Doubts(database, channels, clock=clock, observer=observer)
        self._answers: list[Answered] = []
        self._stopping = Event()

    def drain(self) -> int:
        """Delivers until nothing is due that may leave now, or `stop`; returns how many messages it took.

        Where the database fails meanwhile, that is raised; what providers said by then is settled by the next drain.
        """
        if not self._answers:
            shut = shut_channels(self._lanes, self._clock.monotonic_s())
            if shut and shut >= self._channels.keys():
                return 0
            with self._database.read() as records:
                if not records.messages.due(self._clock.now(), but=shut):
                    return 0
        calls = Calls(self._channels, at_once=self._pace.at_once)
        try:
            with calls:
                return self._drain(calls)
        finally:
            self._hear(calls.ended())

    def _drain(self, calls: Calls) -> int:
        taken, holding, first = 0, Holding(self._lanes), True
        while True:
            idle = not len(calls) and not len(holding)
            claimed = 0 if self._stopping.is_set() else self._claim(holding, idle=idle, others=first)
            taken, first = taken + claimed, False
            answered = bool(self._answers)
            begun = self._turn(holding, running=len(calls))
            for parcel in begun:
                calls.start(parcel)
            if len(calls):
                self._hear(calls.ended())
            elif not (claimed or answered or begun):
                self._give_back(holding.all())
                return taken

    def stop(self) -> None:
        """Starts no further call; those that run are brought to their end."""
        self._stopping.set()
        self._doubts.stop()

    def recover(self) -> tuple[int, int]:
        """At start, when no other worker lives: takes every message back that a dead worker left.

        Claimed ones are planned again; of those that were being sent, the ones that may be sent again are, the
        others stay `unknown`. Returns how many were claimed, and how many were being sent.
        """
        self._database.write(lambda records: records.messages.wait_for_any())
        return self._release(expired_at_s=None)

    def recover_lost(self) -> tuple[int, int]:
        """The same for messages whose lease has run out."""
        return self._release(expired_at_s=self._clock.monotonic_s())

    def expire(self, now: datetime) -> int:
        """Ends planned messages whose time has passed; returns how many."""

        def work(records: Records) -> list[MessageRow]:
            over = records.messages.expire(now)
            tell_messages(records, over, at=now)
            return over

        ended = self._database.write(work)
        for message in ended:
            self._note(message.channel, message.state)
        return len(ended)

    def ask(self, now: datetime) -> int:
        """Asks what became of messages in doubt; returns of how many the doubt ended."""
        return self._doubts.run(now)

    def overdue_s(self) -> float:
        """For how long the message that was due first has been due: planned, held by a worker, or to be asked for."""
        with self._database.read() as records:
            since = records.messages.due_since()
        return 0.0 if since is None else max(0.0, (self._clock.now() - since).total_seconds())

    def _release(self, *, expired_at_s: float | None) -> tuple[int, int]:
        now = self._clock.now()

        def work(records: Records) -> tuple[int, Mapping[str, int]]:
            return records.messages.release_leases(
                expired_at_s=expired_at_s, at=now, resend=sorted(RESENT_CHANNELS)
            )

        claimed, sending = self._database.write(work)
        for channel, messages in sending.items():
            if channel in RESENT_CHANNELS:
                self._observer.maybe_doubled(channel, messages)
        if claimed or sending:
            _log.warning("delivery.recovered", claimed=claimed, sending=sum(sending.values()))
        return claimed, sum(sending.values())

    def _claim(self, holding: Holding, *, idle: bool, others: bool) -> int:
        """Leases messages for the next calls, of each queue those that expire first, and looks at them.

        With `others` also some by channels that nobody carries. Returns how many it leased.
        """
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        wanted = holding.wanted(now_s, idle=idle)
        if not wanted and not others:
            return 0

        def work(records: Records) -> tuple[int, list[LaneName], _Looked]:
            leased_until_s = now_s + LEASE_S
            claimed: list[MessageRow] = []
            emptied = []
            for (channel, provider), want in wanted.items():
                found = records.messages.claim(
                    channel,
                    provider=provider,
                    now=now,
                    leased_until_s=leased_until_s,
                    limit=want.messages,
                    most_again=want.again,
                )
                claimed += found
                if len(found) < want.messages:
                    emptied.append((channel, provider))
            if others:
                claimed += records.messages.claim_others(
                    self._channels, now=now, leased_until_s=leased_until_s
                )
            return len(claimed), emptied, self._look(records, claimed, now)

        leased, emptied, looked = self._database.write(work)
        holding.add(looked.parcels, now_s)
        holding.emptied(emptied, now_s)
        self._count_held_back(looked)
        return leased

    def _look(self, records: Records, claimed: Sequence[MessageRow], now: datetime) -> _Looked:
        """Looks at claimed messages, and settles those that may not leave."""
        held_back, parcels = [], []
        rules = Rules(self._catalog(), self._policy, self._channels)
        for message, cleared in clear(records, claimed, rules=rules, now=now) if claimed else ():
            if isinstance(cleared, Parcel):
                parcels.append(cleared)
            elif settle(records, message, cleared, at=now):
                held_back.append((message, cleared))
                if cleared.state is State.DEAD_LETTER:
                    keep_letter(records, message, str(cleared.reason), at=now)
        return _Looked(parcels, held_back)

    def _turn(self, holding: Holding, *, running: int) -> Sequence[Parcel]:
        """Settles what providers have said, and begins what there is room for; returns the messages to call for."""
        answers = [(answered, verdict_of(answered, jitter=self._jitter())) for answered in self._answers]
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        self._give_back(holding.resting(now_s))
        chosen = []
        if not self._stopping.is_set():
            chosen = holding.begin(now_s, running=running, at_once=self._pace.at_once)
        if not answers and not chosen:
            return ()
        fresh = [one.parcel for one in chosen if one.is_fresh(now, now_s)]
        stale = [one.parcel.message for one in chosen if not one.is_fresh(now, now_s)]

        def work(records: Records) -> tuple[list[_Kept], _Looked, set[str]]:
            kept = self._keep(records, answers)
            looked = self._look(records, stale, now)
            begun = records.messages.begin(
                [parcel.message for parcel in (*fresh, *looked.parcels)],
                now_s=now_s,
                leased_until_s=now_s + LEASE_S,
                at=now,
            )
            return kept, looked, begun

        begun: set[str] = set()
        try:
            kept, looked, begun = self._database.write(work)
        except Unavailable:
            raise
        except Exception:
            if not answers:
                raise
            _log.exception("delivery.not_settled")
            self._settle_each(answers)
            return ()
        finally:
            for one in chosen:
                if one.parcel.message.id not in begun:
                    self._lanes[one.lane].dropped()
        self._answers = []
        self._count(kept)
        self._count_held_back(looked)
        # The lane in which a call began is the one in which it ends, whatever phone she has by now.
        providers = {one.parcel.message.id: one.parcel.provider for one in chosen}
        return [
            parcel
            if parcel.provider == providers[parcel.message.id]
            else replace(parcel, provider=providers[parcel.message.id])
            for parcel in (*fresh, *looked.parcels)
            if parcel.message.id in begun
        ]

    def _give_back(self, held: Sequence[Held]) -> None:
        """Plans again what was claimed and has to wait for its provider."""
        now = self._clock.now()

        def work(records: Records) -> None:
            for one in held:
                message, provider = one.parcel.message, one.parcel.provider
                if settle(records, message, Verdict(State.PLANNED), at=now) and provider:
                    records.messages.wait_for(message.id, provider)

        if held:
            self._database.write(work)

    def _keep(self, records: Records, answers: Sequence[tuple[Answered, Verdict]]) -> list[_Kept]:
        kept = keep(records, answers, channels=frozenset(self._channels))
        return [(answered, verdict) for (answered, _), verdict in zip(answers, kept, strict=True)]

    def _settle_each(self, answers: Iterable[tuple[Answered, Verdict]]) -> None:
        """Settles answers one by one; one that cannot be settled is left to the end of its lease."""
        for answer in answers:

            def work(records: Records, answer: tuple[Answered, Verdict] = answer) -> list[_Kept]:
                return self._keep(records, [answer])

            try:
                self._count(self._database.write(work))
            except Unavailable:
                raise
            except Exception:
                _log.exception("delivery.lost_answer", message_id=answer[0].parcel.message.id)
            self._answers.remove(answer[0])

    def _hear(self, ended: Iterable[Ended]) -> None:
        """Takes note of calls that have ended."""
        for call in ended:
            (channel, provider), now_s = call.parcel.lane, self._clock.monotonic_s()
            lane = self._lanes[channel, provider]
            was_troubled = lane.troubled
            lane.ended(call.result, now_s)
            # Who stops a provider that was well may be the cause; who fails as the last of many is not.
            troubled = was_troubled if lane.misconfigured else lane.troubled
            self._answers.append(Answered(call.parcel, call.result, self._clock.now(), troubled))
            self._observer.call(channel, outcome_of(call.result), took_s=call.took_s)
            troubles = {"troubled": lane.troubled, "misconfigured": lane.misconfigured}
            self._observer.held_up(channel, provider, **troubles)
            if lane.troubled and not was_troubled:
                _log.error("delivery.channel_stopped", channel=channel, provider=provider, **troubles)
            elif was_troubled and not lane.troubled:
                _log.warning("delivery.channel_goes_on", channel=channel, provider=provider)

    def _count(self, kept: Iterable[_Kept]) -> None:
        """Counts what was committed."""
        for answered, verdict in kept:
            message, result = answered.parcel.message, answered.result
            if verdict is None:
                _log.warning("delivery.lease_lost", message_id=message.id, outcome=outcome_of(result))
            elif verdict.state is not State.PLANNED:
                self._note(message.channel, verdict.state)
            elif isinstance(result, Unknown):
                self._observer.maybe_doubled(message.channel, 1)

    def _count_held_back(self, looked: _Looked) -> None:
        """The same of messages that may not leave."""
        for message, verdict in looked.held_back:
            if verdict.state is not State.PLANNED:
                self._note(message.channel, verdict.state)

    def _note(self, channel: str, state: str) -> None:
        """Counts a message that has come to a state."""
        self._observer.settled(channel, state)
        if state == State.UNKNOWN_FINAL:
            self._observer.maybe_lost(channel, 1)
