"""What follows from what a provider said? The message's next state, and what else has to be kept."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import structs

from campaigns.model import Channel
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.clearance import Parcel, Verdict, ended
from m2s.app.dead_letters import MOST_LETTERS, letter_of
from m2s.app.facts import load_shoppers
from m2s.app.fallback import next_wording
from m2s.app.opposition import oppose, oppose_number
from m2s.app.outbox import AttemptRow
from m2s.app.ports import Records
from m2s.app.receipts import follow
from m2s.app.rows import MessageRow
from m2s.app.telling import tell_messages
from m2s.core.delivery.breaker import STOPPED_S
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import MOST_TRIES, ask_again_after, on_unknown, retry_after


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that has ended. `troubled`: its channel's provider is not well, so the message is not to blame."""

    parcel: Parcel
    result: SendResult
    at: datetime
    troubled: bool


def verdict_of(answered: Answered, *, jitter: float) -> Verdict:
    """Where the message goes next."""
    message, result = answered.parcel.message, answered.result
    match result:
        case Accepted():
            return Verdict(State.ACCEPTED)
        case Refused():
            return Verdict(State.DEAD_LETTER if result.dead_letter else State.REFUSED, result.code)
        case RetryLater():
            wait_s = retry_after(message.tries + 1, jitter, first_s=result.least_s)
            patient = result.after_s > 0 or result.of_address
            return _again(answered, max(wait_s, result.after_s), patient=patient, over=State.EXPIRED)
        case Misconfigured():
            # Longer than the channel stops, so that another message is its probe: this one may be the cause.
            wait_s = STOPPED_S * (2 + jitter)
            return replace(_again(answered, wait_s, patient=False, over=State.EXPIRED), reason=result.code)
        case Unknown():
            if on_unknown(message.channel) == "final":
                return Verdict(State.UNKNOWN, "no answer", answered.at + ask_again_after(timedelta(0)))
            wait_s = retry_after(message.tries + 1, jitter)
            return replace(_again(answered, wait_s, patient=False, over=State.UNKNOWN_FINAL), doubted=True)


def _again(answered: Answered, wait_s: float, *, patient: bool, over: State) -> Verdict:
    """Planned again after a wait, unless it is `over` by then; or given up, unless the provider is the cause."""
    message = answered.parcel.message
    if wait_s >= (message.valid_until - answered.at).total_seconds():
        return ended(message, Verdict(over, "valid_until"))
    tries = message.tries + (not answered.troubled)
    if tries >= MOST_TRIES and not (patient or answered.troubled):
        return Verdict(State.DEAD_LETTER, "retries")
    return Verdict(State.PLANNED, None, answered.at + timedelta(seconds=wait_s), tries)


def settle(records: Records, message: MessageRow, verdict: Verdict, *, at: datetime) -> bool:
    """Keeps where a message stands, and tells whoever wants to know; False when another worker has it."""
    return bool(_settle_all(records, [(message, verdict, at)]))


def _settle_all(
    records: Records, verdicts: Sequence[tuple[MessageRow, Verdict, datetime]]
) -> set[tuple[str, int]]:
    """The same of many, each as of an instant; id and fence of those that were settled."""
    settled = [
        (message, verdict)
        for message, verdict, at in verdicts
        if records.messages.settle(
            message.id,
            fence=message.fence,
            state=verdict.state,
            reason=verdict.reason,
            at=at,
            not_before=verdict.not_before,
            tries=verdict.tries,
            doubted=verdict.doubted,
        )
    ]
    if settled:
        now = (
            structs.replace(message, state=verdict.state, reason=verdict.reason)
            for message, verdict in settled
        )
        tell_messages(records, now, at=verdicts[-1][2])
    return {(message.id, message.fence) for message, _ in settled}


def keep(
    records: Records, answers: Sequence[tuple[Answered, Verdict]], *, channels: frozenset[str]
) -> list[Verdict | None]:
    """Keeps attempts and all that follows from them; what each message came to, None when another worker has it.

    `channels` are those by which messages leave.
    """
    records.messages.add_attempts([_attempt(answered) for answered, _ in answers])
    gone_on = [_keep_refusal(records, answered, verdict, channels=channels) for answered, verdict in answers]
    settled = _settle_all(
        records,
        [
            (answered.parcel.message, verdict, answered.at)
            for (answered, verdict), elsewhere in zip(answers, gone_on, strict=True)
            if not elsewhere
        ],
    )
    told_of = records.receipts.told_of(filter(None, (_receipts_name(answered) for answered, _ in answers)))
    kept: list[Verdict | None] = []
    for (answered, verdict), elsewhere in zip(answers, gone_on, strict=True):
        message = answered.parcel.message
        if elsewhere:
            kept.append(Verdict(State.PLANNED, "fallback"))
        elif (message.id, message.fence) in settled:
            kept.append(_followed(records, answered, verdict, told_of=told_of))
        else:
            kept.append(None)
    return kept


def _followed(records: Records, answered: Answered, verdict: Verdict, *, told_of: Collection[str]) -> Verdict:
    """What a settled message came to, with what its provider told before its answer to the call."""
    if verdict.state is State.DEAD_LETTER:
        keep_letter(records, answered.parcel.message, _cause(verdict, answered.result), at=answered.at)
    name = _receipts_name(answered)
    told = follow(records, name, at=answered.at) if name in told_of else None
    return verdict if told is None else Verdict(told)


def _receipts_name(answered: Answered) -> str:
    """The id that receipts will be of; empty where none can come."""
    result = answered.result
    by_sms = answered.parcel.message.channel == Channel.SMS
    return result.provider_id if by_sms and isinstance(result, Accepted) else ""


def keep_letter(records: Records, message: MessageRow, cause: str, *, at: datetime) -> None:
    """Keeps a message as a dead letter."""
    coupon = records.coupons.coupons_of([message.decision_id]).get(message.decision_id)
    records.dead_letters.keep(letter_of(message, coupon, cause=cause, at=at), most=MOST_LETTERS)


def _keep_refusal(
    records: Records, answered: Answered, verdict: Verdict, *, channels: frozenset[str]
) -> bool:
    """Keeps what a refusal says of the shopper, whoever has the message by now; whether it goes by another channel."""
    refused, at = answered.result, answered.at
    if not isinstance(refused, Refused):
        return False
    address, message = answered.parcel.address, answered.parcel.message
    if refused.token_invalid_before is not None and address.device_id and address.push_token:
        records.devices.forget_push_token(
            address.device_id, address.push_token, registered_until=refused.token_invalid_before
        )
    if refused.opted_out and message.channel == Channel.SMS and address.phone:
        oppose_number(records, address.phone, message.channel, at=at)
    elif refused.opted_out:
        oppose(records, message.shopper_id, message.channel, at=at)
    return verdict.state is State.REFUSED and _go_on(records, message, refused, channels=channels, at=at)


def _go_on(
    records: Records, message: MessageRow, refused: Refused, *, channels: frozenset[str], at: datetime
) -> bool:
    """Plans the message by the shopper's next channel; everything is asked again when it is claimed for that.

    Not where an earlier call may have sent it: she would get it twice.
    """
    if message.fallbacks is None or message.doubted or at >= message.valid_until:
        return False
    shopper = load_shoppers(records, [message.shopper_id], now=at, inside={}, history=timedelta(0)).get(
        message.shopper_id
    )
    if shopper is None:
        return False
    usable = {
        channel
        for channel in Channel
        if channel in channels and channel in shopper.consents & shopper.reachable
    }
    wording = next_wording(message, usable)
    verdict = Verdict(State.PLANNED, f"{message.channel}: {refused.code}", at, tries=0)
    if wording is None or not settle(records, message, verdict, at=at):
        return False
    records.messages.reword(message.id, wording)
    return True


def _cause(verdict: Verdict, result: SendResult) -> str:
    _, _, detail = _told(result)
    return f"{verdict.reason}: {detail}" if verdict.reason == "retries" else str(detail)


def outcome_of(result: SendResult) -> str:
    """The result's name, as an attempt keeps it."""
    return _told(result)[0]


def _attempt(answered: Answered) -> AttemptRow:
    """As the call is kept."""
    outcome, provider_id, detail = _told(answered.result)
    message = answered.parcel.message
    parts = answered.result.parts if isinstance(answered.result, Accepted) else None
    return AttemptRow(message.id, message.channel, outcome, provider_id, detail, answered.at, parts)


def _told(result: SendResult) -> tuple[str, str | None, str | None]:
    """Outcome, provider's id and detail."""
    match result:
        case Accepted(provider_id):
            return "accepted", provider_id, None
        case Refused(code, detail):
            return "refused", None, f"{code}: {detail}"
        case Misconfigured(code, detail):
            return "misconfigured", None, f"{code}: {detail}"
        case RetryLater(_, detail):
            return "retry_later", None, detail
        case Unknown(detail):
            return "unknown", None, detail
