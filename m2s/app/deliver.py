"""What goes out, and what came of it? Takes due messages, looks at them once more, sends, and settles.

`sending` is committed before the provider is called and no transaction is open during the call: whatever happens
between, an SMS is never sent twice.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event

import structlog

from campaigns.facts import Policy
from m2s.app.catalog import Catalog
from m2s.app.channel import Accepted, ChannelAdapter, Refused, RetryLater, SendResult, Unknown
from m2s.app.clearance import Parcel, Rules, Verdict, clear
from m2s.app.ports import Database, Records
from m2s.app.rows import MessageRow
from m2s.core.base.instants import Clock
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import RESENT_CHANNELS, on_unknown, retry_after

LEASE_S = 60.0
"""How long a claimed message belongs to its worker, in monotonic seconds."""

MOST_A_TICK = 200
"""How many messages one beat of the heartbeat takes at most; the next beat goes on."""

_log = structlog.get_logger()


class Deliver:
    """The delivery worker. `jitter` gives numbers in [0, 1) that spread repeated tries."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, ChannelAdapter],
        *,
        clock: Clock,
        catalog: Callable[[], Catalog],
        policy: Policy,
        jitter: Callable[[], float],
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._catalog = catalog
        self._policy = policy
        self._jitter = jitter
        self._stopping = Event()

    def run_once(self, limit: int = 8) -> int:
        """Takes up to `limit` due messages through to what became of them; returns how many it took.

        Told to stop, it leaves the rest of them to `recover`.
        """

        def claim(records: Records) -> tuple[int, list[Parcel]]:
            return self._claim(records, limit)

        taken, parcels = self._database.write(claim)
        for parcel in parcels:
            if not self._stopping.is_set() and self._begin(parcel.message):
                self._finish(parcel.message, self._call(parcel))
        return taken

    def drain(self) -> int:
        """Delivers until nothing is due, it has taken `MOST_A_TICK`, or `stop`; returns how many messages it took."""
        total = 0
        while total < MOST_A_TICK and not self._stopping.is_set() and (taken := self.run_once()):
            total += taken
        return total

    def stop(self) -> None:
        """Starts no further call; one that runs is brought to its end."""
        self._stopping.set()

    def recover(self) -> tuple[int, int]:
        """At start, when no other worker lives: takes every message back that a dead worker left.

        Claimed ones are planned again; of those that were being sent, the ones that may be sent again are, the
        others stay `unknown`. Returns how many were claimed, and how many were being sent.
        """
        return self._release(expired_at_s=None)

    def recover_lost(self) -> tuple[int, int]:
        """The same for messages whose lease has run out."""
        return self._release(expired_at_s=self._clock.monotonic_s())

    def expire(self, now: datetime) -> int:
        """Ends planned messages whose time has passed; returns how many."""

        def work(records: Records) -> int:
            return records.messages.expire(now)

        return self._database.write(work)

    def _release(self, *, expired_at_s: float | None) -> tuple[int, int]:
        now = self._clock.now()

        def work(records: Records) -> tuple[int, int]:
            return records.messages.release_leases(
                expired_at_s=expired_at_s, at=now, resend=sorted(RESENT_CHANNELS)
            )

        claimed, sending = self._database.write(work)
        if claimed or sending:
            _log.warning("delivery.recovered", claimed=claimed, sending=sending)
        return claimed, sending

    def _claim(self, records: Records, limit: int) -> tuple[int, list[Parcel]]:
        now = self._clock.now()
        leased_until_s = self._clock.monotonic_s() + LEASE_S
        messages = records.messages.claim(now=now, leased_until_s=leased_until_s, limit=limit)
        if not messages:
            return 0, []
        rules = Rules(self._catalog(), self._policy, self._channels)
        parcels = []
        for message, cleared in clear(records, messages, rules=rules, now=now):
            if isinstance(cleared, Parcel):
                parcels.append(cleared)
            else:
                _settle(records, message, cleared, at=now)
        return len(messages), parcels

    def _begin(self, message: MessageRow) -> bool:
        """Commits `sending` under a new lease; False when message or lease have expired or another worker has it."""
        now, now_s = self._clock.now(), self._clock.monotonic_s()

        def work(records: Records) -> bool:
            if now >= message.valid_until:
                _settle(records, message, Verdict(State.EXPIRED, "valid_until"), at=now)
                return False
            return records.messages.begin(
                message.id, fence=message.fence, now_s=now_s, leased_until_s=now_s + LEASE_S, at=now
            )

        return self._database.write(work)

    def _call(self, parcel: Parcel) -> SendResult:
        message = parcel.message
        try:
            return self._channels[message.channel].send(message, parcel.address, parcel.coupon)
        except Exception as error:
            # Its text may hold a number or a token, so only its kind is kept.
            kind = type(error).__name__
            _log.error("delivery.failed", message_id=message.id, channel=message.channel, error=kind)
            return Unknown(kind)

    def _finish(self, message: MessageRow, result: SendResult) -> None:
        now = self._clock.now()
        verdict = self._verdict(message, result, now=now)
        outcome, provider_id, detail = _attempt(result)

        def work(records: Records) -> bool:
            records.messages.add_attempt(
                message.id,
                channel=message.channel,
                outcome=outcome,
                provider_id=provider_id,
                detail=detail,
                at=now,
            )
            return _settle(records, message, verdict, at=now)

        if not self._database.write(work):
            _log.warning("delivery.lease_lost", message_id=message.id, outcome=outcome)

    def _verdict(self, message: MessageRow, result: SendResult, *, now: datetime) -> Verdict:
        match result:
            case Accepted():
                return Verdict(State.ACCEPTED)
            case Refused(code):
                return Verdict(State.REFUSED, code)
            case RetryLater(after_s):
                return self._again(message, after_s, now=now, given_up=State.REFUSED)
            case Unknown():
                if on_unknown(message.channel) == "final":
                    return Verdict(State.UNKNOWN)
                return self._again(message, 0.0, now=now, given_up=State.UNKNOWN)

    def _again(self, message: MessageRow, after_s: float, *, now: datetime, given_up: State) -> Verdict:
        wait_s = max(after_s, retry_after(message.tries, self._jitter()))
        if wait_s >= (message.valid_until - now).total_seconds():
            return Verdict(State.EXPIRED if given_up is State.REFUSED else given_up, "valid_until")
        return Verdict(State.PLANNED, None, now + timedelta(seconds=wait_s))


def _settle(records: Records, message: MessageRow, verdict: Verdict, *, at: datetime) -> bool:
    return records.messages.settle(
        message.id,
        fence=message.fence,
        state=verdict.state,
        reason=verdict.reason,
        at=at,
        not_before=verdict.not_before,
    )


def _attempt(result: SendResult) -> tuple[str, str | None, str | None]:
    """Outcome, provider's id and detail, as the attempt is kept."""
    match result:
        case Accepted(provider_id):
            return "accepted", provider_id, None
        case Refused(code, detail):
            return "refused", None, f"{code}: {detail}"
        case RetryLater(_, detail):
            return "retry_later", None, detail
        case Unknown(detail):
            return "unknown", None, detail
