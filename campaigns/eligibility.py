"""May this offer be made to this shopper now? One small function per rule; `CHECKS` is their order.

Each answers with the value that it saw and the limit it held it against. A new rule is one function, one line
in `CHECKS` and one sentence in `campaigns.explain`.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from campaigns import calendars, laws, schedule, sendlaw
from campaigns.arrival import travel_time
from campaigns.facts import Candidate, Case, Check, Policy, ShopperFacts
from campaigns.longest import longest
from campaigns.membership import audience_text, missed
from campaigns.model import PREMISES, Channel, Enter, Holidays, Near
from campaigns.pressure import count_in_window, rate_text, rule_text, tightest
from campaigns.texts import choose_language

JUST_LEFT = timedelta(minutes=60)
"""Whoever left a store so recently is not called back to it by an approach zone."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where the recipient is for the law: time zone, country and, where the store tells it, subdivision."""

    tz: str
    country: str
    subdivision: str | None


Rule = Callable[[Case], Check | None]
"""None says that the offer does not ask."""


def deferred(case: Case) -> Check | None:
    """Of a scheduled send that waited for the law's opening: when it was due, and the opening. Nothing fails by it."""
    candidate, opening = case.candidate, case.candidate.waited_for
    if opening is None:
        return None
    tz = place_of(candidate, case.shopper).tz
    due = schedule.local_text(candidate.occasion.at, tz)
    return Check("deferred", True, due, schedule.local_text(opening, tz))


def offer_active(case: Case) -> Check:
    """The campaign is not paused; its dates and the offer's dates, days and hours include now, in its zone, else the
    store's."""
    candidate = case.candidate
    tz = candidate.campaign.timezone or candidate.store.timezone
    if candidate.paused:
        return Check("offer_active", False, "paused", "running")
    local = schedule.local_text(case.now, tz)
    for dated in (candidate.campaign, candidate.offer):
        if not schedule.on_dates(dated, tz, instant=case.now):
            return Check("offer_active", False, local, schedule.dates_text(dated))
    in_hours = schedule.within(candidate.offer.when, tz, instant=case.now)
    return Check("offer_active", in_hours, local, schedule.when_text(candidate.offer.when))


def holidays(case: Case) -> Check | None:
    """Where the offer asks: the day there is, or is not, a public holiday of the store's place."""
    asked, store = case.candidate.offer.when.holidays, case.candidate.store
    if asked is Holidays.ANY:
        return None
    tz = case.candidate.campaign.timezone or store.timezone
    today = case.now.astimezone(ZoneInfo(tz)).date()
    name = calendars.holiday(today, store.country, subdivision=store.subdivision, tz=store.timezone)
    return Check("holidays", (name is None) == (asked is Holidays.SKIP), name or "no holiday", asked.value)


def fresh(case: Case) -> Check:
    """The occasion is no older than `fresh`, or than `valid_for` where the send was scheduled (seconds)."""
    occasion, offer = case.candidate.occasion, case.candidate.offer
    age = case.now - occasion.at
    limit = offer.valid_for if occasion.scheduled else offer.fresh
    return Check("fresh", age <= limit, _seconds(age), _seconds(limit))


def store_open(case: Case) -> Check | None:
    """Where the offer asks for an open store: it is open for at least the closing buffer more (seconds)."""
    store, when = case.candidate.store, case.candidate.offer.when
    if when.open_on_arrival:
        return None
    limit = _seconds(when.closing_buffer) if when.open else None
    if store.is_open is None:
        return Check("store_open", not when.open, "unknown", limit)
    if not store.is_open:
        return Check("store_open", not when.open, "closed", limit)
    if store.closes_at is None:
        return Check("store_open", True, "open", limit)
    left = store.closes_at - case.now
    return Check("store_open", not when.open or left >= when.closing_buffer, _seconds(left), limit)


def open_on_arrival(case: Case) -> Check | None:
    """Where the offer asks: when the shopper can be there, the store is open for the closing buffer more (seconds)."""
    store, when, occasion = case.candidate.store, case.candidate.offer.when, case.candidate.occasion
    if not when.open_on_arrival:
        return None
    limit = _seconds(when.closing_buffer)
    arrives_at = case.now + travel_time(occasion.distance_m, occasion.speed_mps)
    closes_at = store.closes_at
    if store.is_open is False and store.opens_at is not None and store.opens_at <= arrives_at:
        closes_at = store.then_closes_at
    elif not store.is_open:
        return Check("open_on_arrival", False, "unknown" if store.is_open is None else "closed", limit)
    if closes_at is None:
        return Check("open_on_arrival", True, "open", limit)
    left = closes_at - arrives_at
    long_enough = left >= when.closing_buffer and left > timedelta(0)
    return Check("open_on_arrival", long_enough, _seconds(left), limit)


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
    """For approach zones, and where the audience asks: the shopper is not in this store, nor left it less than an hour
    ago (seconds)."""
    store_id, trigger = case.candidate.store.store_id, case.candidate.offer.trigger
    approaching = isinstance(trigger, Near) or (isinstance(trigger, Enter) and trigger.zone != PREMISES)
    wanted = case.candidate.offer.audience.not_inside
    approaching = approaching if wanted is None else wanted
    limit = _seconds(JUST_LEFT) if approaching else None
    if store_id in case.shopper.inside_store_ids:
        return Check("not_inside", not approaching, "inside", limit)
    left_at = case.shopper.left_at.get(store_id)
    if left_at is None:
        return Check("not_inside", True, "outside", limit)
    since = case.now - left_at
    return Check("not_inside", not approaching or since >= JUST_LEFT, _seconds(since), limit)


def audience(case: Case) -> Check | None:
    """The shopper belongs to those whom the offer is for."""
    asked = case.candidate.offer.audience
    if not (asked.predicates or asked.segments or asked.not_segments):
        return None
    miss = missed(asked, case)
    if miss is None:
        return Check("audience", True, "belongs to it", audience_text(asked))
    return Check("audience", False, miss.seen, miss.asked)


def staff(case: Case) -> Check | None:
    """The shopper is not taken for staff of the store."""
    if not case.shopper.staff_at:
        return None
    works_here = case.candidate.store.store_id in case.shopper.staff_at
    return Check("staff", not works_here, "staff of this store" if works_here else "staff elsewhere", None)


def budget(case: Case) -> Check | None:
    """The campaign has messages, money and coupons left for one more send."""
    spent, limits = case.candidate.spent, case.candidate.campaign.budget
    parts: list[tuple[str, bool, int | Decimal, int | str]] = []
    if limits.messages is not None:
        parts.append(("messages", spent.messages + 1 <= limits.messages, spent.messages, limits.messages))
    if limits.cost is not None:
        costs = spent.cost + cost_of(case)
        limit = f"{limits.cost.amount} {limits.cost.currency}"
        parts.append(("cost", costs <= limits.cost.amount, spent.cost, limit))
    if limits.coupons is not None and case.candidate.offer.coupon is not None:
        parts.append(("coupons", spent.coupons + 1 <= limits.coupons, spent.coupons, limits.coupons))
    if not parts:
        return None
    told = [part for part in parts if not part[1]] or parts
    return Check(
        "budget",
        all(passed for _, passed, _, _ in parts),
        ", ".join(f"{name} {used}" for name, _, used, _ in told),
        ", ".join(f"{name} {limit}" for name, _, _, limit in told),
    )


def stock(case: Case) -> Check | None:
    """The offer has a coupon left."""
    terms = case.candidate.offer.coupon
    if terms is None or terms.stock is None:
        return None
    used = case.candidate.spent.stock
    return Check("stock", used < terms.stock, used, terms.stock)


def store_pace(case: Case) -> Check | None:
    """The store is not overrun: sends of the offer at it in the sliding window."""
    pace = case.candidate.offer.store_pace
    if pace is None:
        return None
    paced = case.candidate.spent.paced
    return Check("store_pace", paced < pace.count, paced, rate_text(pace))


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
    """The house's rates leave room: sends and ghosts of all campaigns in each sliding window, all those of one channel,
    and all those of campaigns with one tag."""
    found = tightest(
        case.shopper.past,
        case.now,
        rules=case.policy.pressure,
        channel=pick_channel(case),
        tags=case.candidate.campaign.tags,
    )
    if found is None:
        return Check("pressure", True, len(case.shopper.past), None)
    rule, count = found
    return Check("pressure", count < rule.rate.count, count, rule_text(rule))


def send_law(case: Case) -> Check:
    """The law of the recipient's own place lets a marketing message go now, whatever the channel."""
    place = place_of(case.candidate, case.shopper)
    verdict = sendlaw.allowed(
        law_at(place, case.policy),
        case.now,
        tz=place.tz,
        country=place.country,
        subdivision=place.subdivision,
    )
    return Check("send_law", verdict.allowed, verdict.local, verdict.rule)


CHECKS: tuple[Rule, ...] = (
    offer_active,
    holidays,
    fresh,
    store_open,
    open_on_arrival,
    consent,
    channel,
    staff,
    audience,
    not_inside,
    budget,
    stock,
    store_pace,
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


def law_at(place: Place, policy: Policy) -> str:
    """The name of the send law that holds where the recipient is."""
    return laws.law_of(place.country, default=policy.default_law).name


def cost_of(case: Case) -> Decimal:
    """What the message will cost at most, by the house's prices; 0 where its channel has none."""
    picked, offer = pick_channel(case), case.candidate.offer
    price = case.policy.prices.get(picked) if picked else None
    if picked is None or price is None:
        return Decimal(0)
    if picked is not Channel.SMS:
        return price.amount
    texts = offer.message[picked]
    language = choose_language(texts, case.shopper.language)
    long = longest(
        texts.body[language],
        [case.candidate.store],
        coupon=offer.coupon,
        language=language,
        transliterate=offer.transliterate,
    )
    return price.amount * long.length.parts


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
