"""Why did a shopper get a message, or none? A decision's trace in plain English for people who do not code.

Works on `Check` values and on the mappings that they become in JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from campaigns.facts import Check, Decision
from campaigns.spans import counted, span_text

Record = Mapping[str, object]
"""A decision as stored: `outcome`, `channel` and `trace`, a list of `{name, passed, value, limit}`."""

_OUTCOMES = {
    "send": "A message was to be sent by {channel}.",
    "ghost": "No message was sent: the shopper is held out, to measure what messages change. "
    "Without that it would have gone out by {channel}.",
    "suppressed": "No message was sent.",
}
_FATES = {
    "planned": "A message was planned by {channel} and waits to be sent.",
    "claimed": "A message was planned by {channel} and is about to be sent.",
    "sending": "A message is being sent by {channel}.",
    "accepted": "A message was sent by {channel}.",
    "delivered": "A message was sent by {channel}, and delivered, as its carrier says.",
    "undelivered": "A message was sent by {channel}, and not delivered, as its carrier says.",
    "unknown": "A message was planned by {channel}, and nobody knows whether it was sent: no clear answer came.",
    "unknown_final": "A message was planned by {channel}, and nobody will ever know whether it was sent: "
    "no clear answer came.",
    "refused": "A message was planned by {channel}, and not sent: {cause}.",
    "expired": "A message was planned by {channel}, and not sent: it did not leave while it was valid.",
    "cancelled": "A message was planned by {channel}, and not sent: at the second look {cause}.",
    "dead_letter": "A message was planned by {channel}, and kept as a dead letter instead of sent: {cause}.",
}
_CAUSES = {
    "offer_active": "the campaign was paused or stopped, or no longer had this offer",
    "consent": "the consent had been withdrawn",
    "channel": "the shopper could no longer be reached that way",
    "pressure": "the shopper had had too many other messages",
    "send_law": "the law no longer allowed it at that hour",
    "valid": "it was no longer valid",
}
_REFUSED_CAUSES = {
    "stale_token": "the phone had not registered its push token for more than 30 days",
}
_DEAD_CAUSES = {
    "lost": "sending it had been broken off too often",
    "error": "it could not be judged; the operator's log says why",
    "retries": "it failed too often while others got through",
}
_UNIT_NAMES = {"d": "day", "h": "hour", "m": "minute", "s": "second"}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message: its `state` in the outbox, and why where that needs saying.

    `channel` is the one that it went by where that is not the decision's: that one had refused it.
    """

    state: str
    reason: str | None
    channel: str | None = None


def explain(record: Decision | Record, fate: Fate | None = None) -> list[str]:
    """What was decided and what became of it, then one sentence per rule that was asked, in order."""
    outcome, channel, trace = _parts(record)
    summary = _OUTCOMES[outcome].format(channel=channel)
    if fate is not None:
        summary = _fate(fate, channel)
    return [summary, *(sentence(check) for check in trace)]


def _fate(fate: Fate, channel: str) -> str:
    if fate.state == "dead_letter":
        cause = _DEAD_CAUSES.get(fate.reason or "", f"the provider cannot take it ({fate.reason})")
    elif fate.state == "refused":
        cause = _REFUSED_CAUSES.get(fate.reason or "", f"the receiver refused it ({fate.reason})")
    else:
        cause = _CAUSES.get(fate.reason or "", f"it was held back ({fate.reason})")
    told = _FATES[fate.state].format(channel=fate.channel or channel, reason=fate.reason, cause=cause)
    if fate.channel in (None, channel):
        return told
    return f"{told} It was planned by {channel} first, which refused it."


def sentence(check: Check | Record) -> str:
    """One rule's verdict with the value that it saw and the limit; a rule unknown here gets general words."""
    seen = check if isinstance(check, Check) else _check(check)
    told = _SENTENCES.get(seen.name)
    if told is not None:
        return told(seen)
    return f"{seen.name}: {'passed' if seen.passed else 'failed'}; saw {seen.value}, limit {seen.limit}."


def _deferred(check: Check) -> str:
    return (
        f"It was due on {check.value} and waits for the law, which lets messages go from {check.limit} on: up to half "
        "an hour after that, so that not all leave at once."
    )


def _offer_active(check: Check) -> str:
    if check.value == "paused":
        return "The campaign was paused."
    verb = "runs" if check.passed else "runs only"
    return f"It was {check.value}; the offer {verb} {check.limit}."


def _fresh(check: Check) -> str:
    age = span_text(max(_number(check.value), 0))
    verdict = "" if check.passed else ", so it came too late"
    return f"The occasion was {age} old; the limit is {span_text(_number(check.limit))}{verdict}."


def _store_open(check: Check) -> str:
    seen = {
        "unknown": "The store's opening hours are not known",
        "closed": "The store was closed",
        "open": "The store was open",
    }.get(str(check.value), "")
    if not seen:
        seen = f"The store was open for another {span_text(_number(check.value))}"
    if check.limit is None:
        return f"{seen}; the offer does not ask."
    needed = f" for at least another {span_text(_number(check.limit))}" if check.limit else ""
    return f"{seen}; the offer asks for an open store{needed}."


def _open_on_arrival(check: Check) -> str:
    seen = {
        "unknown": "The store's opening hours are not known",
        "closed": "The store is closed when the shopper can be there",
        "open": "The store is open when the shopper can be there",
    }.get(str(check.value), "")
    if not seen:
        left = _number(check.value)
        after = (
            f"for another {span_text(left)}" if left >= 0 else f"no more: it closes {span_text(-left)} before"
        )
        seen = f"When the shopper can be there the store is open {after}"
    needed = f" for at least {span_text(_number(check.limit))}" if check.limit else ""
    return f"{seen}; the offer asks for a store that is open then{needed}."


def _holidays(check: Check) -> str:
    day = "no public holiday" if check.value == "no holiday" else f"a public holiday there ({check.value})"
    asked = "not made on public holidays" if check.limit == "skip" else "made on public holidays only"
    return f"The day was {day}; the offer is {asked}."


def _consent(check: Check) -> str:
    return f"The shopper's consents in force: {check.value}; the offer needs {check.limit}."


def _channel(check: Check) -> str:
    if check.passed:
        return f"The shopper can be reached by {check.value}; the offer names {check.limit}."
    return f"The shopper cannot be reached by any channel that she agreed to; the offer names {check.limit}."


def _not_inside(check: Check) -> str:
    seen = {
        "inside": "The shopper was inside the store",
        "outside": "The shopper was not inside the store and had not just left it",
    }.get(str(check.value), "")
    if not seen:
        seen = f"The shopper had left the store {span_text(_number(check.value))} before"
    if check.limit is None:
        return f"{seen}; for this kind of offer it makes no difference."
    needed = span_text(_number(check.limit))
    return f"{seen}; the offer is for shoppers who are outside and have been for at least {needed}."


def _staff(check: Check) -> str:
    if check.passed:
        return "The shopper is taken for staff of another store, not of this one."
    return "The shopper is taken for staff of this store, and staff get no offers of it."


def _audience(check: Check) -> str:
    if check.passed:
        return f"The shopper belongs to the audience: {check.limit}."
    seen = "nothing is known" if check.value is None else f"the shopper has {check.value}"
    return f"The offer is for shoppers with {check.limit}; {seen}."


def _budget(check: Check) -> str:
    verdict = "so there is enough left" if check.passed else "so nothing is left for another message"
    return f"The campaign has used up {check.value}, of {check.limit}; {verdict}."


def _stock(check: Check) -> str:
    verdict = "" if check.passed else ", so none is left"
    return f"{counted(str(check.value), 'coupon')} of {check.limit} had been issued{verdict}."


def _store_pace(check: Check) -> str:
    sent = f"The offer had been sent {_times(check.value)} at this store {_last(check.limit)}"
    return f"{sent}; {_rate(check.limit)}."


def _per_shopper(check: Check) -> str:
    if check.limit is None:
        return f"The shopper had had this offer {_times(check.value)} before; it sets no limit per shopper."
    return f"The shopper had had this offer {_times(check.value)} {_last(check.limit)}; {_rate(check.limit)}."


def _pressure(check: Check) -> str:
    messages = counted(str(check.value), "message")
    if check.limit is None:
        return f"The shopper had {messages} before; there is no limit across campaigns."
    rate, which = _rule_parts(str(check.limit))
    return f"The shopper had {messages}{which} {_last(rate)}; {_rate(rate)}."


def _send_law(check: Check) -> str:
    verdict = "allowed" if check.passed else "not allowed"
    return f"Where the shopper is it was {check.value}; a message is {verdict} then ({check.limit})."


def _arbitration(check: Check) -> str:
    if check.passed:
        return f"It was the best offer of that moment: {check.value}."
    return f"Another offer came first: {check.limit} before {check.value}."


def _universal_holdout(check: Check) -> str:
    return _held_out(check, "Holdout across all campaigns")


def _holdout(check: Check) -> str:
    return _held_out(check, "Holdout of this campaign")


def _held_out(check: Check, scope: str) -> str:
    verdict = "is not held out" if check.passed else "is held out"
    if check.limit == "recorded earlier":
        return (
            f"{scope}: the shopper {verdict}; the group recorded at the first decision stays ({check.value})."
        )
    drawn = f"her number is {check.value} of 0 to 9999, and those below {check.limit} are held out"
    return f"{scope}: the shopper {verdict}; {drawn}."


def _valid(check: Check) -> str:
    return f"It was {check.value}; the message was valid until {check.limit}."


_SENTENCES: Mapping[str, Callable[[Check], str]] = {
    "deferred": _deferred,
    "offer_active": _offer_active,
    "fresh": _fresh,
    "holidays": _holidays,
    "store_open": _store_open,
    "open_on_arrival": _open_on_arrival,
    "consent": _consent,
    "channel": _channel,
    "staff": _staff,
    "audience": _audience,
    "not_inside": _not_inside,
    "budget": _budget,
    "stock": _stock,
    "store_pace": _store_pace,
    "per_shopper": _per_shopper,
    "pressure": _pressure,
    "send_law": _send_law,
    "arbitration": _arbitration,
    "universal_holdout": _universal_holdout,
    "holdout": _holdout,
    "valid": _valid,
}


def _parts(record: Decision | Record) -> tuple[str, str, Sequence[Check | Record]]:
    if isinstance(record, Decision):
        return record.outcome.value, str(record.channel), record.trace
    trace = record["trace"]
    if not isinstance(trace, Sequence):
        raise ValueError("a decision's trace is a list of checks")
    return str(record["outcome"]), str(record.get("channel")), trace


def _check(record: Record) -> Check:
    return Check(
        str(record["name"]),
        bool(record["passed"]),
        value=_plain(record.get("value")),
        limit=_plain(record.get("limit")),
    )


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float) or value is None else str(value)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _times(count: object) -> str:
    return counted(str(count), "time")


def _last(rate: object) -> str:
    _, length, unit = _rate_parts(rate)
    return "in the last 24 hours" if (length, unit) == ("1", "d") else f"in the last {_window(length, unit)}"


def _rate(rate: object) -> str:
    count, length, unit = _rate_parts(rate)
    return f"the limit is {count} per {_window(length, unit)}"


def _rate_parts(rate: object) -> tuple[str, str, str]:
    count, _, window = str(rate).partition(" per ")
    return count, window[:-1], window[-1:]


def _rule_parts(rule: str) -> tuple[str, str]:
    """The rate of a pressure rule and which messages it is about: ` by sms`, ` tagged promo` or nothing."""
    rate, by, channel = rule.partition(" by ")
    rate, tagged, tag = rate.partition(" tagged ")
    return rate, f"{by}{channel}{tagged}{tag}"


def _window(length: str, unit: str) -> str:
    return counted(length, _UNIT_NAMES.get(unit, unit))
