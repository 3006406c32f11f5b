"""What brings an offer of a campaign file up? One trigger, read by its key."""

from collections.abc import Callable

from campaigns import reader_keys as keys
from campaigns.model import (
    AfterRedemption,
    AfterVisit,
    At,
    AudienceNear,
    BeaconSeen,
    Crossing,
    Dwell,
    Enter,
    Exit,
    Moment,
    Near,
    Proximity,
    Research,
    Trigger,
)
from campaigns.reader_fields import Fields
from campaigns.reader_shapes import One


def read_trigger(fields: Fields) -> Trigger | None:
    """The trigger of an offer; None, with problems noted, when it is wrong."""
    section = fields.part(keys.TRIGGER)
    if section is None:
        return None
    named = [key for key in _READ if section.node(key) is not None]
    if not named and section.unknown:
        return None
    if len(named) != 1:
        detail = f"{len(named) or 'no'} triggers in one offer: " + (", ".join(named) or "none is named")
        fields.problem("trigger", "one_trigger", detail=detail, hint="exactly one of " + ", ".join(_READ))
        return None
    scheduled = {key.name for key in keys.SCHEDULED}
    if named[0] not in scheduled and section.node(keys.AUDIENCE_NEAR.name) is not None:
        hint = "an offer with a zone or beacon goes to who is there"
        section.problem("audience_near", "contradiction", detail="audience_near belongs to at", hint=hint)
    return _READ[named[0]](section)


def _near(section: Fields) -> Near | None:
    zone = section.one(keys.NEAR)
    return None if zone is None else Near(zone)


def _enter(section: Fields) -> Enter | None:
    zone = section.one(keys.ENTER)
    return None if zone is None else Enter(zone)


def _exit(section: Fields) -> Exit | None:
    zone = section.one(keys.EXIT)
    return None if zone is None else Exit(zone)


def _crossing(section: Fields) -> Crossing | None:
    zone = section.one(keys.CROSSING)
    return None if zone is None else Crossing(zone)


def _dwell(section: Fields) -> Dwell | None:
    dwell = section.part(keys.DWELL)
    if dwell is None:
        return None
    zone, duration = dwell.one(keys.ZONE), dwell.one(keys.DWELL_FOR)
    return None if zone is None or duration is None else Dwell(zone, duration)


def _beacon(section: Fields) -> BeaconSeen | None:
    beacon = section.part(keys.BEACON)
    if beacon is None:
        return None
    place, proximity = beacon.one(keys.PLACE), beacon.one(keys.PROXIMITY)
    duration = beacon.one(keys.HEARD_FOR)
    if place is None or proximity is None or duration is None:
        return None
    return BeaconSeen(place, Proximity(proximity), duration)


def _after_visit(section: Fields) -> AfterVisit | None:
    delay = section.one(keys.AFTER_VISIT)
    return None if delay is None else AfterVisit(delay)


def _after_redemption(section: Fields) -> AfterRedemption | None:
    delay = section.one(keys.AFTER_REDEMPTION)
    return None if delay is None else AfterRedemption(delay)


def _research(section: Fields) -> Research | None:
    research = section.part(keys.RESEARCH)
    if research is None:
        return None
    topics = frozenset(topic for topic, _ in research.all(keys.TOPICS_ASKED))
    within = research.one(keys.RESEARCHED_WITHIN)
    return Research(topics, within) if topics and within is not None else None


def _scheduled(key: One[Moment]) -> Callable[[Fields], At | None]:
    def read(section: Fields) -> At | None:
        moment = section.one(key)
        if not section.present(keys.AUDIENCE_NEAR.name):
            return None
        near = section.part(keys.AUDIENCE_NEAR)
        if near is None:
            return None
        within_m, seen_within = near.one(keys.NEAR_WITHIN), near.one(keys.SEEN_WITHIN)
        if moment is None or within_m is None or seen_within is None:
            return None
        return At(moment, AudienceNear(within_m, seen_within))

    return read


_READ: dict[str, Callable[[Fields], Trigger | None]] = {
    keys.NEAR.name: _near,
    keys.ENTER.name: _enter,
    keys.EXIT.name: _exit,
    keys.DWELL.name: _dwell,
    keys.BEACON.name: _beacon,
    keys.CROSSING.name: _crossing,
    keys.AFTER_VISIT.name: _after_visit,
    keys.AFTER_REDEMPTION.name: _after_redemption,
    keys.RESEARCH.name: _research,
    keys.AT_MOMENT.name: _scheduled(keys.AT_MOMENT),
    keys.CRON.name: _scheduled(keys.CRON),
    keys.RRULE.name: _scheduled(keys.RRULE),
}
