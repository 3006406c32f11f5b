"""Why did nothing bring up an offer? The offer as it stands, where the shopper was seen, what her phone watches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.model import (
    AfterRedemption,
    AfterVisit,
    At,
    BeaconSeen,
    Crossing,
    Dwell,
    Enter,
    Exit,
    Near,
    Research,
    Trigger,
)
from campaigns.schedule import dates_text, on_dates
from campaigns.spans import counted, span_text
from m2s.app.catalog import Catalog, LiveCampaign, LiveOffer, stores_of
from m2s.app.past import LastSeen
from m2s.app.regions import regions_for
from m2s.app.rows import DeviceRow
from m2s.core.base.instants import rfc3339
from m2s.core.places.geo import distance_m
from m2s.core.places.store import Store
from m2s.core.presence.quality import INSIDE_P

MOST_STORES = 3
"""How many stores a sentence names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: a shopper with her devices and where she was seen lately, an offer, and a time.

    `applied` is when each campaign was put into force first.
    """

    offer_id: str
    at: datetime
    seen: Sequence[LastSeen]
    devices: Sequence[DeviceRow]
    applied: Mapping[str, datetime]


def why(asked: Asked, catalog: Catalog) -> list[str]:
    """Sentences, from the offer to the phone, that narrow down why no occasion arose."""
    found = [
        LiveOffer(live, offer, live.version)
        for live in catalog.campaigns.values()
        for offer in live.campaign.offers
        if offer.id == asked.offer_id
    ]
    if not found:
        return [f"The offer {asked.offer_id} is not in force: its campaign was stopped, or no longer has it."]
    return [sentence for entry in found for sentence in _of_offer(entry, asked, catalog)]


def _of_offer(entry: LiveOffer, asked: Asked, catalog: Catalog) -> Iterator[str]:
    live, trigger = entry.live, entry.offer.trigger
    stores = stores_of(live.campaign, catalog.stores.values())
    applied_at = asked.applied.get(live.campaign.id)
    if applied_at is not None and applied_at > asked.at:
        yield f"The campaign {live.campaign.id} was put into force only at {rfc3339(applied_at)}."
    yield from _standing(entry, live, stores, asked.at)
    yield f"The offer waits for {_waits_for(trigger)}, at {counted(str(len(stores)), 'store')}."
    if isinstance(trigger, AfterVisit | AfterRedemption | At):
        return
    yield from _presence(trigger, stores, asked)
    yield from _phone(trigger, stores, asked, catalog)


def _standing(entry: LiveOffer, live: LiveCampaign, stores: Sequence[Store], at: datetime) -> Iterator[str]:
    if live.paused:
        yield f"The campaign {live.campaign.id} is paused now."
    if not stores:
        yield f"No store takes part in the campaign {live.campaign.id}."
        return
    zone = live.campaign.timezone or stores[0].timezone
    for what, dated in (("campaign", live.campaign), ("offer", entry.offer)):
        if not on_dates(dated, zone, instant=at):
            local = at.astimezone(ZoneInfo(zone)).date()
            yield f"On {local} the {what} did not run; it runs {dates_text(dated)}."


def _presence(trigger: Trigger, stores: Sequence[Store], asked: Asked) -> Iterator[str]:
    taking_part = {store.id for store in stores}
    here = [seen for seen in asked.seen if seen.store_id in taking_part]
    if not asked.seen:
        yield (
            "In the 7 days before, no sighting of her touched a zone of any store: she never came near, or her phone "
            "told nothing."
        )
    elif not here:
        names = ", ".join(dict.fromkeys(seen.store_id for seen in asked.seen[:MOST_STORES]))
        yield f"She was seen at stores that do not take part: {names}."
    zone = _zone(trigger)
    if not here or zone is None:
        return
    there = [seen for seen in here if seen.zone_id == zone]
    if not there:
        last = here[0]
        yield (
            f"She was last seen at {last.store_id} in zone {last.zone_id}, at {rfc3339(last.at)}; "
            f"in zone {zone} of a store that takes part nothing was seen of her."
        )
        return
    last = there[0]
    if last.kind == "location" and last.inside_probability < INSIDE_P:
        yield (
            f"In zone {zone} of {last.store_id} she was seen at {rfc3339(last.at)}, but not surely inside: "
            f"with a probability of {last.inside_probability:.2f}, and {INSIDE_P:g} are needed."
        )
    else:
        yield (
            f"In zone {zone} of {last.store_id} she was seen at {rfc3339(last.at)}. An offer comes up once in a "
            "stay, and who comes back within the gap of the store goes on with it."
        )


def _phone(trigger: Trigger, stores: Sequence[Store], asked: Asked, catalog: Catalog) -> Iterator[str]:
    """What her phone may tell, and whether it would watch the nearest store of the offer from where she was last."""
    device = next(iter(asked.devices), None)
    if device is None:
        yield "She has no phone with the app."
        return
    if device.os_permissions:
        told = ", ".join(f"{name} {state}" for name, state in sorted(device.os_permissions.items()))
        yield f"Her phone reported these permissions: {told}."
    zone = _zone(trigger)
    last = next(
        (catalog.stores[seen.store_id] for seen in asked.seen if seen.store_id in catalog.stores), None
    )
    if zone is None or last is None or not stores or device.platform not in ("ios", "android"):
        return
    nearest = min(stores, key=lambda store: _apart_m(last, store))
    plan = regions_for(
        catalog,
        asked.at,
        latitude=last.latitude,
        longitude=last.longitude,
        platform=device.platform,
        limit=None,
    )
    watched = {region.id for region in plan.circles}
    if f"{nearest.id}/{zone}" not in watched:
        yield (
            f"From {last.id}, where she was last seen, a phone like hers watches {len(plan.circles)} regions, and "
            f"zone {zone} of {nearest.id}, the nearest store of the offer, is none of them."
        )


def _waits_for(trigger: Trigger) -> str:
    match trigger:
        case Near(zone) | Enter(zone):
            return f"a shopper who comes into zone {zone}"
        case Exit(zone):
            return f"a shopper who leaves zone {zone}"
        case Crossing(zone):
            return f"a shopper who passes through zone {zone} between two fixes"
        case Dwell(zone, duration):
            return f"a shopper who stays in zone {zone} for {_said(duration)}"
        case BeaconSeen(place, proximity, duration):
            return f"a shopper who is {proximity} to the beacons of {place} for {_said(duration)}"
        case Research(topics, within):
            return f"a shopper who looked up {' or '.join(sorted(topics))} within {_said(within)} and is near"
        case AfterVisit(delay):
            return f"a visit that ended {_said(delay)} before"
        case AfterRedemption(delay):
            return f"a coupon of the campaign that was redeemed {_said(delay)} before"
        case At():
            return "its time, and a shopper who was seen near enough lately"


def _said(length: timedelta) -> str:
    return span_text(length.total_seconds())


def _zone(trigger: Trigger) -> str | None:
    return trigger.zone if isinstance(trigger, Near | Enter | Exit | Crossing | Dwell) else None


def _apart_m(one: Store, other: Store) -> float:
    return distance_m(one.latitude, one.longitude, to_latitude=other.latitude, to_longitude=other.longitude)
