"""What is in force right now? Stores, zones, beacons and offers as one immutable snapshot, swapped between groups."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from campaigns.identity import offer_version, version_of
from campaigns.model import At, BeaconSeen, Campaign, Dwell, Enter, Near, Offer
from campaigns.reader import read_campaign
from m2s.app.rows import CampaignRow
from m2s.core.places.neighbours import Neighbours, neighbours_of
from m2s.core.places.store import Beacon, Store, VisitRules
from m2s.core.places.zone_index import ZoneIndex
from m2s.core.presence.visit import StayRules


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """An applied campaign that is not stopped; `salt` draws its holdout."""

    campaign: Campaign
    version: str
    paused: bool
    salt: str


@dataclass(frozen=True, slots=True)
class LiveOffer:
    """One offer of a live campaign."""

    live: LiveCampaign
    offer: Offer
    version: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """One version of everything that matching and deciding look up.

    `by_zone` holds the near, enter and dwell offers of (store_id, zone_id), `by_place` the beacon offers of
    (store_id, place), `scheduled` the `at` offers with their stores.
    """

    version: int
    stores: Mapping[str, Store]
    rules: Mapping[tuple[str, str], StayRules]
    index: ZoneIndex
    neighbours: Neighbours
    beacons: Mapping[tuple[str, int, int], tuple[Store, Beacon]]
    campaigns: Mapping[str, LiveCampaign]
    by_zone: Mapping[tuple[str, str], tuple[LiveOffer, ...]]
    by_place: Mapping[tuple[str, str], tuple[LiveOffer, ...]]
    scheduled: tuple[tuple[LiveOffer, tuple[Store, ...]], ...]


def read_applied(row: CampaignRow) -> Campaign:
    """The campaign of a row; it was checked when it was applied."""
    return _read(row.yaml)


@lru_cache(maxsize=4096)
def _read(text: str) -> Campaign:
    return read_campaign(text)


def stores_of(campaign: Campaign, stores: Iterable[Store]) -> tuple[Store, ...]:
    """Those of the stores that take part in a campaign."""
    return tuple(store for store in stores if campaign.stores.matches(store))


def build_catalog(
    version: int,
    stores: Iterable[Store],
    campaign_rows: Iterable[CampaignRow],
    *,
    before: Catalog | None = None,
) -> Catalog:
    """A snapshot of the given stores and of every campaign that is not stopped.

    With `before`, its stores stay, but for the given ones, which are added or replace those of the same id.
    """
    changed = {store.id: store for store in stores}
    by_id = _all(changed, before)
    live = {row.id: _live(row) for row in campaign_rows if row.state != "stopped"}
    by_zone: dict[tuple[str, str], list[LiveOffer]] = defaultdict(list)
    by_place: dict[tuple[str, str], list[LiveOffer]] = defaultdict(list)
    scheduled = []
    for campaign in live.values():
        taking_part = stores_of(campaign.campaign, by_id.values())
        for offer in campaign.campaign.offers:
            entry = LiveOffer(campaign, offer, offer_version(campaign.campaign, offer))
            match offer.trigger:
                case Near(zone) | Enter(zone) | Dwell(zone):
                    for store in taking_part:
                        by_zone[store.id, zone].append(entry)
                case BeaconSeen(place):
                    for store in taking_part:
                        by_place[store.id, place].append(entry)
                case At():
                    scheduled.append((entry, taking_part))
    if before and not changed:
        index, neighbours = before.index, before.neighbours
    else:
        index = ZoneIndex.build(by_id.values(), before.index if before else None)
        neighbours = neighbours_of(index, changed=changed, before=before.neighbours if before else None)
    return Catalog(
        version=version,
        stores=by_id,
        rules=_rules(changed, before),
        index=index,
        neighbours=neighbours,
        beacons=_beacons(changed, before),
        campaigns=live,
        by_zone={key: tuple(offers) for key, offers in by_zone.items()},
        by_place={key: tuple(offers) for key, offers in by_place.items()},
        scheduled=tuple(scheduled),
    )


def _all(changed: Mapping[str, Store], before: Catalog | None) -> Mapping[str, Store]:
    if before is None:
        return changed
    if not changed:
        return before.stores
    stores = {**before.stores, **changed}
    return stores if stores.keys() == before.stores.keys() else dict(sorted(stores.items()))


def _live(row: CampaignRow) -> LiveCampaign:
    campaign = read_applied(row)
    return LiveCampaign(campaign, version_of(campaign), row.state == "paused", row.salt)


def _rules(changed: Mapping[str, Store], before: Catalog | None) -> Mapping[tuple[str, str], StayRules]:
    if before and not changed:
        return before.rules
    rules = dict(before.rules) if before else {}
    for gone in _replaced(changed, before):
        for zone in gone.zones:
            del rules[gone.id, zone.id]
    for store in changed.values():
        for zone in store.zones:
            rules[store.id, zone.id] = _stay_rules(store.visit, zone.margin_m)
    return rules


def _beacons(
    changed: Mapping[str, Store], before: Catalog | None
) -> Mapping[tuple[str, int, int], tuple[Store, Beacon]]:
    if before and not changed:
        return before.beacons
    beacons = dict(before.beacons) if before else {}
    for gone in _replaced(changed, before):
        for beacon in gone.beacons:
            del beacons[beacon.uuid, beacon.major, beacon.minor]
    for store in changed.values():
        for beacon in store.beacons:
            beacons[beacon.uuid, beacon.major, beacon.minor] = (store, beacon)
    return beacons


def _replaced(changed: Mapping[str, Store], before: Catalog | None) -> list[Store]:
    return [before.stores[store_id] for store_id in changed if store_id in before.stores] if before else []


@lru_cache(maxsize=4096)
def _stay_rules(visit: VisitRules, leave_margin_m: float) -> StayRules:
    """One for all zones with the same: there are many, and few differ."""
    return StayRules(
        dwell_min_s=visit.dwell_min_s,
        beacon_dwell_min_s=visit.beacon_dwell_min_s,
        dwell_max_s=visit.dwell_max_s,
        gap_merge_s=visit.gap_merge_s,
        max_accuracy_m=visit.max_accuracy_m,
        leave_margin_m=leave_margin_m,
    )
