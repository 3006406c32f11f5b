"""What does one offer of a campaign file say: trigger, schedule, limits, channels, coupon?"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from campaigns import reader_keys as keys
from campaigns.model import Channel, CouponTerms, Holidays, Offer, Transliterate, When
from campaigns.reader_audience import Segments, read_audience
from campaigns.reader_fields import Fields, Reading, open_part
from campaigns.reader_nodes import MappingNode, Node
from campaigns.reader_texts import Terms, read_message
from campaigns.reader_trigger import read_trigger

_CLOSING = "closing"
DEFAULT_SMS_PARTS = 3
"""How many parts an SMS may have at its longest, when an offer does not say."""


@dataclass(frozen=True, slots=True)
class Around:
    """What an offer needs to know of the campaign that it is in; `seen` are the ids of the offers before it."""

    segments: Segments
    since: date | None
    until: date | None
    seen: set[str]


def read_offer(reading: Reading, node: Node, around: Around) -> Offer | None:
    """The offer that a node describes; None, with problems noted, when it lacks what an offer is made of."""
    fields = open_part(reading, node, keys.AN_OFFER)
    if fields is None:
        return None
    offer_id = _id(fields, around.seen)
    since, until = read_dates(fields)
    _check_dates(fields, (since, until), around)
    trigger = read_trigger(fields)
    when = _when(fields)
    channels = _channels(fields)
    coupon = _coupon(fields)
    transliterate = Transliterate(fields.one(keys.TRANSLITERATE) or Transliterate.OFF)
    limits = fields.part(keys.LIMITS)
    terms = Terms(
        trigger=trigger,
        open=when.open,
        coupon=coupon,
        named=_named(fields.node("coupon")),
        transliterate=transliterate,
        sms_parts=(limits.one(keys.SMS_PARTS) if limits else None) or DEFAULT_SMS_PARTS,
    )
    message = read_message(fields, channels, terms=terms)
    audience = read_audience(fields, around.segments)
    priority = fields.one(keys.PRIORITY)
    fresh, valid_for = fields.one(keys.FRESH), fields.one(keys.VALID_FOR)
    per_shopper = limits.one(keys.PER_SHOPPER) if limits else None
    store_pace = limits.one(keys.STORE_PACE) if limits else None
    if offer_id is None or trigger is None:
        return None
    offer = Offer(
        id=offer_id,
        trigger=trigger,
        channels=tuple(channel for channel, _ in channels),
        message=message,
        when=when,
        per_shopper=per_shopper,
        coupon=coupon,
        since=since,
        until=until,
        audience=audience,
        store_pace=store_pace,
        transliterate=transliterate,
    )
    return replace(
        offer,
        priority=offer.priority if priority is None else priority,
        fresh=fresh or offer.fresh,
        valid_for=valid_for or offer.valid_for,
    )


def read_dates(fields: Fields) -> tuple[date | None, date | None]:
    """The first and the last day of a campaign or an offer."""
    since, until = fields.one(keys.FROM), fields.one(keys.UNTIL)
    if since and until and since > until:
        fields.problem("until", "ends_before_start", detail=f"until {until} is before from {since}")
    return since, until


def _id(fields: Fields, seen: set[str]) -> str | None:
    offer_id = fields.one(keys.OFFER)
    if offer_id in seen:
        detail = f'another offer of this campaign is called "{offer_id}"'
        fields.problem("offer", "duplicate_offer", detail=detail, hint="give each its own id")
    seen.add(offer_id or "")
    return offer_id


def _check_dates(fields: Fields, days: tuple[date | None, date | None], around: Around) -> None:
    for key, day in zip((keys.FROM.name, keys.UNTIL.name), days, strict=True):
        early = day is not None and around.since is not None and day < around.since
        late = day is not None and around.until is not None and day > around.until
        if early or late:
            whole = f"from {around.since}" if early else f"until {around.until}"
            hint = "an offer runs within the days of its campaign"
            fields.problem(key, "outside_campaign", detail=f"the campaign runs {whole}", hint=hint)


def _when(fields: Fields) -> When:
    section = fields.part(keys.WHEN)
    if section is None:
        return When()
    days = [span for span, _ in section.all(keys.DAYS)]
    hours = tuple(span for span, _ in section.all(keys.HOURS))
    is_open, on_arrival = bool(section.truth(keys.OPEN)), bool(section.truth(keys.OPEN_ON_ARRIVAL))
    buffer = section.one(keys.CLOSING_BUFFER)
    for key, asked in ((keys.CLOSING_BUFFER, buffer), (keys.OPEN_ON_ARRIVAL, on_arrival)):
        if asked and not is_open:
            detail = f"{key.name} has no effect while the offer does not ask for an open store"
            section.problem(key.name, "needs_open", detail=detail, hint="add open: true")
    return When(
        days=frozenset[int]().union(*days) if days else When().days,
        hours=hours,
        open=is_open,
        closing_buffer=buffer or timedelta(0),
        holidays=Holidays(section.one(keys.HOLIDAYS) or Holidays.ANY),
        open_on_arrival=on_arrival,
    )


def _channels(fields: Fields) -> list[tuple[Channel, int]]:
    channels: list[tuple[Channel, int]] = []
    for name, node in fields.all(keys.CHANNELS):
        channel = Channel(name)
        if any(channel is other for other, _ in channels):
            fields.reading.report.add(
                node.at, "duplicate_channel", detail=f"{name} stands here a second time"
            )
        else:
            channels.append((channel, node.at))
    return channels


def _coupon(fields: Fields) -> CouponTerms | None:
    section = fields.part(keys.COUPON)
    if section is None:
        return None
    value, min_basket = section.one(keys.VALUE), section.one(keys.MIN_BASKET)
    if value and min_basket and value.currency != min_basket.currency:
        detail = f"min_basket is in {min_basket.currency}, value in {value.currency}"
        section.problem("min_basket", "currency", detail=detail, hint="use one currency")
    expires, stock = section.one(keys.EXPIRES), section.one(keys.STOCK)
    if value is None or expires is None:
        return None
    if expires == _CLOSING:
        return CouponTerms(value, min_basket, None, expires_at_closing=True, stock=stock)
    return CouponTerms(value, min_basket, keys.EXPIRY.parse(expires), stock=stock)


def _named(coupon: Node | None) -> frozenset[str] | None:
    """The keys under coupon, also where they are wrong; None where there is none."""
    if coupon is None:
        return None
    return frozenset(coupon.entries) if isinstance(coupon, MappingNode) else frozenset()
