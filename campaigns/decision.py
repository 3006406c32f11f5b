"""What becomes of an occasion? `send`, `ghost` or `suppressed`, with the trace of every rule that was asked.

The same function serves live traffic, previews and backtests: it knows the facts that it is given, no more.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from campaigns import arbitration, eligibility, holdout, schedule, sendlaw
from campaigns.eligibility import CHECKS
from campaigns.facts import Candidate, Case, Check, Decision, Outcome, Policy, ShopperFacts
from campaigns.model import AfterRedemption, Channel
from campaigns.texts import choose_language

SPREAD = timedelta(minutes=30)
"""Over so long what waited for an opening leaves, so that not all goes in the same second."""


class Deferral(msgspec.Struct, frozen=True, gc=False):
    """A scheduled send that waits for the law's `opening`, and goes at `at`."""

    opening: datetime
    at: datetime


class _Verdict(msgspec.Struct, frozen=True, gc=False):
    outcome: Outcome
    trace: tuple[Check, ...]
    arms: Mapping[str, str] = {}


def decide(
    candidates: Sequence[Candidate], shopper: ShopperFacts, *, now: datetime, policy: Policy
) -> tuple[Decision, ...]:
    """One decision per candidate of one shopper at one instant, in the order given.

    Each candidate meets the checks in order and stops at the first that fails; one of those left wins; the
    holdout comes last, so that a ghost is exactly what would have been a send. `arms` are those that ruled a
    send or ghost, recorded ones included: the first record of a shopper's arm stays.
    Raises ValueError for a candidate of another shopper.
    """
    cases = [_case(candidate, shopper, now=now, policy=policy) for candidate in candidates]
    traces = [_asked(case) for case in cases]
    left = [index for index, trace in enumerate(traces) if trace[-1].passed]
    best = left[arbitration.winner([candidates[index] for index in left])] if left else None
    verdicts = []
    for index, (case, trace) in enumerate(zip(cases, traces, strict=True)):
        if best is None or not trace[-1].passed:
            verdicts.append(_Verdict(Outcome.SUPPRESSED, trace))
        elif index != best:
            lost = arbitration.verdict(case.candidate, lost_to=candidates[best])
            verdicts.append(_Verdict(Outcome.SUPPRESSED, (*trace, lost)))
        else:
            won = arbitration.verdict(case.candidate, lost_to=None)
            verdicts.append(_hold_out(case, (*trace, won)))
    return tuple(_decision(case, verdict) for case, verdict in zip(cases, verdicts, strict=True))


def recheck(
    candidate: Candidate,
    shopper: ShopperFacts,
    *,
    now: datetime,
    policy: Policy,
    valid_until: datetime,
    channel: Channel,
) -> Check | None:
    """The second look at a message just before it leaves on `channel`: the first check that fails, or None.

    Asks validity, consent, channel, pressure and send law; `shopper.past` must not hold the message itself. What is
    planned for later has its own second look, so it does not count.
    """
    if now >= valid_until:
        return Check("valid", False, _instant_text(now), _instant_text(valid_until))
    if candidate.offer.channels != (channel,):
        offer = dataclasses.replace(candidate.offer, channels=(channel,))
        candidate = replace(candidate, offer=offer)
    if any(one.at > now for one in shopper.past):
        shopper = replace(shopper, past=tuple(one for one in shopper.past if one.at <= now))
    case = _case(candidate, shopper, now=now, policy=policy)
    rules = (eligibility.consent, eligibility.channel, eligibility.pressure, eligibility.send_law)
    return next((check for check in (rule(case) for rule in rules) if not check.passed), None)


def deferral(
    candidate: Candidate,
    shopper: ShopperFacts,
    *,
    now: datetime,
    policy: Policy,
    valid_until: datetime | None = None,
) -> Deferral | None:
    """When to decide a scheduled send that the law does not let go now, if it is valid then.

    It goes some time after the next opening, always the same for one shopper and opening: at most `SPREAD`, while half
    of what is left of its life is still to come, and in the offer's own hours. `valid_until` is when it ends where that
    is known. None means decide now: the law allows it, or it is over at the opening, or it is not scheduled.
    """
    if not candidate.occasion.scheduled:
        return None
    place = eligibility.place_of(candidate, shopper)
    law = eligibility.law_at(place, policy)
    opening = sendlaw.next_opening(
        law, now, tz=place.tz, country=place.country, subdivision=place.subdivision
    )
    left = (valid_until or candidate.occasion.at + candidate.offer.valid_for) - opening
    if opening <= now or left <= timedelta(0):
        return None
    tz = candidate.campaign.timezone or candidate.store.timezone
    spread = min(SPREAD, left / 2)
    while spread and not schedule.within(candidate.offer.when, tz, instant=opening + spread):
        spread //= 2
    after_s = int(_share(shopper.shopper_id, opening) * spread.total_seconds())
    return Deferral(opening, opening + timedelta(seconds=after_s))


def deferred_until(
    candidate: Candidate, shopper: ShopperFacts, *, now: datetime, policy: Policy, valid_until: datetime
) -> datetime | None:
    """As `deferral`, for a message that is planned already: when it goes."""
    found = deferral(candidate, shopper, now=now, policy=policy, valid_until=valid_until)
    return found.at if found is not None else None


def _share(shopper_id: str, opening: datetime) -> float:
    """From 0 to below 1: evenly over shoppers, and of one shopper the same for all that waits for an opening."""
    digest = sha256(f"{shopper_id}|{_instant_text(opening)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def _case(candidate: Candidate, shopper: ShopperFacts, *, now: datetime, policy: Policy) -> Case:
    if candidate.occasion.shopper_id != shopper.shopper_id:
        raise ValueError(
            f"occasion {candidate.occasion.key} is of shopper {candidate.occasion.shopper_id}, "
            f"but the facts are of {shopper.shopper_id}: decide for one shopper at a time"
        )
    return Case(candidate, shopper, now=now, policy=policy)


def _asked(case: Case) -> tuple[Check, ...]:
    """The checks up to and including the first that fails."""
    waited = eligibility.deferred(case)
    trace = [] if waited is None else [waited]
    for rule in CHECKS:
        check = rule(case)
        if check is not None:
            trace.append(check)
            if not check.passed:
                break
    return tuple(trace)


def _hold_out(case: Case, trace: tuple[Check, ...]) -> _Verdict:
    """Send or ghost: the universal holdout first, then the campaign's; a recorded arm wins over the hash.

    Who is held out universally gets no arm of the campaign, so that she does not count in its comparison.
    """
    candidate, policy = case.candidate, case.policy
    experiments = [
        ("universal_holdout", holdout.UNIVERSAL, policy.universal_salt, policy.universal_holdout),
        ("holdout", experiment_of(candidate), candidate.salt, candidate.campaign.holdout),
    ]
    if policy.universal_holdout == 0 and holdout.UNIVERSAL not in case.shopper.arms:
        # Recording an arm while the universal holdout is off would exempt the shopper once it is on.
        del experiments[0]
    arms: dict[str, str] = {}
    for name, experiment, salt, share in experiments:
        check, arms[experiment] = _arm(case, name, experiment=experiment, salt=salt, share=share)
        trace = (*trace, check)
        if not check.passed:
            return _Verdict(Outcome.GHOST, trace, arms)
    return _Verdict(Outcome.SEND, trace, arms)


def experiment_of(candidate: Candidate) -> str:
    """The name of the experiment that a decision belongs to: who redeemed is not who was drawn for the campaign."""
    if isinstance(candidate.offer.trigger, AfterRedemption):
        return f"{candidate.campaign.id}/{candidate.offer.id}"
    return candidate.campaign.id


def _arm(case: Case, name: str, *, experiment: str, salt: str, share: float) -> tuple[Check, str]:
    shopper_id = case.shopper.shopper_id
    recorded = case.shopper.arms.get(experiment)
    if recorded is not None:
        return Check(name, recorded != holdout.CONTROL, recorded, "recorded earlier"), recorded
    bucket = holdout.bucket(salt, experiment, shopper_id=shopper_id)
    arm = holdout.arm(bucket, share=share)
    return Check(name, arm != holdout.CONTROL, bucket, holdout.threshold(share)), arm


def _decision(case: Case, verdict: _Verdict) -> Decision:
    last = verdict.trace[-1]
    picked = eligibility.pick_channel(case)
    return Decision(
        candidate=case.candidate,
        outcome=verdict.outcome,
        reason=None if verdict.outcome is Outcome.SEND else last.name,
        channel=picked,
        language=_language(case, picked),
        trace=verdict.trace,
        arms=verdict.arms,
        decided_at=case.now,
        valid_until=_valid_until(case),
    )


def _language(case: Case, channel: Channel | None) -> str | None:
    """The language of the message, None where the offer has no text for any channel of the shopper."""
    texts = case.candidate.offer.message.get(channel) if channel else None
    return choose_language(texts, case.shopper.language) if texts else None


def _valid_until(case: Case) -> datetime:
    offer, store = case.candidate.offer, case.candidate.store
    until = case.now + offer.valid_for
    closes_at = store.closes_at if store.is_open else store.then_closes_at
    return min(until, closes_at) if offer.when.open and closes_at is not None else until


def _instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
