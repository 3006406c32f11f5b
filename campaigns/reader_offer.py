"""What does one offer of a campaign file say: trigger, schedule, limits, channels, coupon?"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from campaigns import moments, values
from campaigns.model import (
    At,
    AudienceNear,
    BeaconSeen,
    Channel,
    CouponTerms,
    Dwell,
    Enter,
    Near,
    Offer,
    Proximity,
    Rate,
    Trigger,
    When,
)
from campaigns.outline import Named
from campaigns.reader_fields import Fields, Reading, open_section
from campaigns.reader_nodes import MappingNode, Node, ScalarNode
from campaigns.reader_texts import Terms, read_message

_KEYS = (
    *("offer", "priority", "trigger", "when", "fresh", "audience", "limits", "channels", "valid_for"),
    *("coupon", "message"),
)
_CLOSING = "closing"


def read_offer(reading: Reading, node: Node, seen: set[str]) -> Offer | None:
    """The offer that a node describes; None, with problems noted, when it lacks what an offer is made of.

    `seen` are the ids of the offers before it; its own is added.
    """
    fields = open_section(reading, node, what="an offer", allowed=_KEYS)
    if fields is None:
        return None
    offer_id = fields.required("offer", values.identifier, word=True)
    if offer_id in seen:
        detail = f'another offer of this campaign is called "{offer_id}"'
        fields.problem("offer", "duplicate_offer", detail=detail, hint="give each its own id")
    seen.add(offer_id or "")
    trigger = _trigger(fields)
    when = _when(fields)
    channels = _channels(fields)
    coupon = _coupon(fields)
    terms = Terms(
        trigger=trigger,
        open=when.open,
        coupon=fields.node("coupon") is not None,
        min_basket=_names_min_basket(fields.node("coupon")),
    )
    message = read_message(fields, channels, terms=terms)
    _check_audience(fields)
    priority = fields.optional("priority", values.integer(0, 100))
    fresh = fields.optional("fresh", values.duration("1m", "10m"))
    valid_for = fields.optional("valid_for", values.duration("1m", "30d"))
    per_shopper = _per_shopper(fields)
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
    )
    return replace(
        offer,
        priority=offer.priority if priority is None else priority,
        fresh=fresh or offer.fresh,
        valid_for=valid_for or offer.valid_for,
    )


def _trigger(fields: Fields) -> Trigger | None:
    if not fields.present("trigger"):
        return None
    section = fields.section("trigger", what="a trigger", allowed=(*_TRIGGERS, "audience_near"))
    if section is None:
        return None
    named = [key for key in _TRIGGERS if section.node(key) is not None]
    if not named and section.unknown:
        return None
    if len(named) != 1:
        detail = f"{len(named) or 'no'} triggers in one offer: " + (", ".join(named) or "none is named")
        fields.problem("trigger", "one_trigger", detail=detail, hint="exactly one of " + ", ".join(_TRIGGERS))
        return None
    if named[0] != "at" and section.node("audience_near") is not None:
        hint = "an offer with a zone or beacon goes to who is there"
        section.problem("audience_near", "contradiction", detail="audience_near belongs to at", hint=hint)
    return _TRIGGERS[named[0]](section)


def _near(section: Fields) -> Near | None:
    zone = _zone(section, "near")
    return None if zone is None else Near(zone)


def _enter(section: Fields) -> Enter | None:
    zone = _zone(section, "enter")
    return None if zone is None else Enter(zone)


def _dwell(section: Fields) -> Dwell | None:
    dwell = section.section("dwell", what="dwell", allowed=("zone", "for"))
    if dwell is None:
        return None
    zone = _zone(dwell, "zone")
    duration = dwell.required("for", values.duration("10s", "12h"))
    return None if zone is None or duration is None else Dwell(zone, duration)


def _beacon(section: Fields) -> BeaconSeen | None:
    beacon = section.section("beacon", what="beacon", allowed=("place", "proximity", "for"))
    if beacon is None:
        return None
    place = beacon.required("place", values.words(64), word=True)
    node = beacon.node("place")
    if place is not None and isinstance(node, ScalarNode):
        beacon.reading.refer(Named.PLACE, node)
    proximity = beacon.required("proximity", values.choice(*Proximity))
    duration = beacon.required("for", values.duration("1s", "12h"))
    if place is None or proximity is None or duration is None:
        return None
    return BeaconSeen(place, Proximity(proximity), duration)


def _at(section: Fields) -> At | None:
    moment = section.optional("at", moments.moment)
    if not section.present("audience_near"):
        return None
    near = section.section("audience_near", what="audience_near", allowed=("within", "seen_within"))
    if near is None:
        return None
    within_m = near.required("within", values.distance_m)
    # Evidence lives thirteen months; nobody can have been seen before.
    seen_within = near.required("seen_within", values.duration("1h", "395d"))
    if moment is None or within_m is None or seen_within is None:
        return None
    return At(moment, AudienceNear(within_m, seen_within))


_TRIGGERS: dict[str, Callable[[Fields], Trigger | None]] = {
    "near": _near,
    "enter": _enter,
    "dwell": _dwell,
    "beacon": _beacon,
    "at": _at,
}


def _zone(section: Fields, key: str) -> str | None:
    zone = section.required(key, values.identifier, word=True)
    node = section.node(key)
    if zone is not None and isinstance(node, ScalarNode):
        section.reading.refer(Named.ZONE, node)
    return zone


def _when(fields: Fields) -> When:
    section = fields.section("when", what="when", allowed=("days", "hours", "open", "closing_buffer"))
    if section is None:
        return When()
    days = [span for span, _ in section.several("days", moments.weekdays)]
    hours = tuple(span for span, _ in section.several("hours", moments.hours))
    is_open = bool(section.flag("open"))
    buffer = section.optional("closing_buffer", values.duration("0m", "12h"))
    if buffer and not is_open:
        detail = "closing_buffer has no effect while the offer does not ask for an open store"
        section.problem("closing_buffer", "needs_open", detail=detail, hint="add open: true")
    return When(
        days=frozenset[int]().union(*days) if days else When().days,
        hours=hours,
        open=is_open,
        closing_buffer=buffer or timedelta(0),
    )


def _check_audience(fields: Fields) -> None:
    section = fields.section("audience", what="audience", allowed=("consent",))
    if section and section.flag("consent") is False:
        detail = "consent: false is refused: a marketing message without consent is unlawful"
        section.problem("consent", "consent_needed", detail=detail, hint="consent: true, or leave it out")


def _per_shopper(fields: Fields) -> Rate | None:
    section = fields.section("limits", what="limits", allowed=("per_shopper",))
    return section.optional("per_shopper", values.rate) if section else None


def _channels(fields: Fields) -> list[tuple[Channel, int]]:
    if not fields.present("channels"):
        return []
    channels: list[tuple[Channel, int]] = []
    for name, node in fields.several("channels", values.choice(*Channel)):
        channel = Channel(name)
        if any(channel is other for other, _ in channels):
            fields.reading.report.add(
                node.at, "duplicate_channel", detail=f"{name} stands here a second time"
            )
        else:
            channels.append((channel, node.at))
    return channels


def _coupon(fields: Fields) -> CouponTerms | None:
    section = fields.section("coupon", what="coupon", allowed=("value", "min_basket", "expires"))
    if section is None:
        return None
    value = section.required("value", values.money)
    min_basket = section.optional("min_basket", values.money)
    if value and min_basket and value.currency != min_basket.currency:
        detail = f"min_basket is in {min_basket.currency}, value in {value.currency}"
        section.problem("min_basket", "currency", detail=detail, hint="use one currency")
    expires = section.required("expires", _expires)
    if value is None or expires is None:
        return None
    if expires == _CLOSING:
        return CouponTerms(value, min_basket, None, expires_at_closing=True)
    return CouponTerms(value, min_basket, values.duration("1m", "366d")(expires))


def _names_min_basket(coupon: Node | None) -> bool:
    return isinstance(coupon, MappingNode) and "min_basket" in coupon.entries


def _expires(text: str) -> str:
    if text != _CLOSING:
        try:
            values.duration("1m", "366d")(text)
        except values.BadValueError as error:
            raise values.BadValueError(error.detail, f"{error.hint}, or closing", code=error.code) from None
    return text
