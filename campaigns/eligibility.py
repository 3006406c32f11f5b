"""May this offer be made to this shopper now? One small function per rule; `CHECKS` is their order.

Each answers with the value that it saw and the limit it held it against. A new rule is one function, one line
in `CHECKS` and one sentence in `campaigns.explain`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns import schedule, sendlaw
from campaigns.facts import Candidate, Check, Policy, ShopperFacts
from campaigns.model import Channel, Enter, Near
from campaigns.pressure import count_in_window, rate_text, tightest

JUST_LEFT = timedelta(minutes=60)
"""Whoever left a store so recently is not called back to it by an approach zone."""

_PREMISES = "premises"


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate, one shopper, one instant and the house's policy: all that a rule may look at."""

    candidate: Candidate
    shopper: ShopperFacts
    now: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class Place:
    """Where the recipient is for the law: time zone, country and, where the store tells it, subdivision."""

    tz: str
    country: str
    subdivision: str | None


Rule = Callable[[Case], Check]


def offer_active(case: Case) -> Check:
    """The campaign runs, is not paused, and its days and hours include now (its zone, else the store's)."""
    candidate = case.candidate
    tz = candidate.campaign.timezone or candidate.store.timezone
    if candidate.paused:
        return Check("offer_active", False, "paused", "running")
    local = schedule.local_text(case.now, tz)
    if not schedule.campaign_active(candidate.campaign, tz, instant=case.now):
        return Check("offer_active", False, local, schedule.dates_text(candidate.campaign))
    in_hours = schedule.within(candidate.offer.when, tz, instant=case.now)
    return Check("offer_active", in_hours, local, schedule.when_text(candidate.offer.when))


def fresh(case: Case) -> Check:
    """The occasion is no older than `fresh`, or than `valid_for` where the send was scheduled (seconds)."""
    occasion, offer = case.candidate.occasion, case.candidate.offer
    age = case.now - occasion.at
    limit = offer.valid_for if occasion.scheduled else offer.fresh
    return Check("fresh", age <= limit, _seconds(age), _seconds(limit))


def store_open(case: Case) -> Check:
    """Where the offer asks for an open store: it is open for at least the closing buffer more (seconds)."""
    store, when = case.candidate.store, case.candidate.offer.when
    limit = _seconds(when.closing_buffer) if when.open else None
    if store.is_open is None:
        return Check("store_open", not when.open, "unknown", limit)
    if not store.is_open:
        return Check("store_open", not when.open, "closed", limit)
    if store.closes_at is None:
        return Check("store_open", True, "open", limit)
    left = store.closes_at - case.now
    return Check("store_open", not when.open or left >= when.closing_buffer, _seconds(left), limit)


def consent(case: Case) -> Check:
    """The shopper agreed to the use of her position and to marketing on one of the offer's channels."""
    shopper, channels = case.shopper, case.candidate.offer.channels
    given = ["location"] if shopper.location_consent else []
    given += sorted(shopper.consents)
    agreed = shopper.location_consent and any(channel in shopper.consents for channel in channels)
    return Check("consent", agreed, ", ".join(given) or "none", f"location and {' or '.join(channels)}")


def channel(case: Case) -> Check:
    """One of the offer's channels has both a consent and an address."""
    picked = pick_channel(case)
    return Check("channel", picked is not None, picked or "none", ", ".join(case.candidate.offer.channels))


def not_inside(case: Case) -> Check:
    """For approach zones: the shopper is not in this store, nor left it less than an hour ago (seconds)."""
    store_id, trigger = case.candidate.store.store_id, case.candidate.offer.trigger
    approaching = isinstance(trigger, Near) or (isinstance(trigger, Enter) and trigger.zone != _PREMISES)
    limit = _seconds(JUST_LEFT) if approaching else None
    if store_id in case.shopper.inside_store_ids:
        return Check("not_inside", not approaching, "inside", limit)
    left_at = case.shopper.left_at.get(store_id)
    if left_at is None:
        return Check("not_inside", True, "outside", limit)
    since = case.now - left_at
    return Check("not_inside", not approaching or since >= JUST_LEFT, _seconds(since), limit)


def per_shopper(case: Case) -> Check:
    """The offer's own rate leaves room: its sends and ghosts to this shopper in the sliding window."""
    rate, candidate = case.candidate.offer.per_shopper, case.candidate
    past = [
        offered.at
        for offered in case.shopper.past
        if (offered.campaign_id, offered.offer_id) == (candidate.campaign.id, candidate.offer.id)
    ]
    if rate is None:
        return Check("per_shopper", True, len(past), None)
    count = count_in_window(past, case.now, window=rate.window)
    return Check("per_shopper", count < rate.count, count, rate_text(rate))


def pressure(case: Case) -> Check:
    """The house's rates leave room: sends and ghosts of all campaigns and channels in each sliding window."""
    past = [offered.at for offered in case.shopper.past]
    found = tightest(past, case.now, rates=case.policy.pressure)
    if found is None:
        return Check("pressure", True, len(past), None)
    rate, count = found
    return Check("pressure", count < rate.count, count, rate_text(rate))


def send_law(case: Case) -> Check:
    """The law of the recipient's own place lets a marketing message go now, whatever the channel."""
    place = place_of(case.candidate, case.shopper)
    verdict = sendlaw.allowed(
        case.policy.default_law,
        case.now,
        tz=place.tz,
        country=place.country,
        subdivision=place.subdivision,
    )
    return Check("send_law", verdict.allowed, verdict.local, verdict.rule)


CHECKS: tuple[Rule, ...] = (
    offer_active,
    fresh,
    store_open,
    consent,
    channel,
    not_inside,
    per_shopper,
    pressure,
    send_law,
)
"""Every rule in the order in which they are asked: the first that fails names the reason."""


def pick_channel(case: Case) -> Channel | None:
    """The first of the offer's channels that the shopper agreed to and can be reached by."""
    usable = case.shopper.consents & case.shopper.reachable
    return next((channel for channel in case.candidate.offer.channels if channel in usable), None)


def place_of(candidate: Candidate, shopper: ShopperFacts) -> Place:
    """The recipient's own place, else the store's.

    Who brings up an occasion near a store is there, whatever time zone her phone claims. The store's subdivision
    counts only for a recipient of its country and time zone.
    """
    store = candidate.store
    own_tz = shopper.timezone if candidate.occasion.scheduled else None
    tz, country = own_tz or store.timezone, shopper.country or store.country
    local = (tz, country) == (store.timezone, store.country)
    return Place(tz, country, store.subdivision if local else None)


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
