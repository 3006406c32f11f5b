"""What is in force right now? Stores, zones, beacons and offers as one immutable snapshot, swapped between groups."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from campaigns.identity import offer_version, version_of
from campaigns.model import (
    AfterRedemption,
    AfterVisit,
    At,
    BeaconSeen,
    Campaign,
    Crossing,
    Dwell,
    Enter,
    Exit,
    Near,
    Offer,
    Proximity,
    Research,
)
from campaigns.reader import read_campaign
from m2s.app.rows import CampaignRow
from m2s.core.places.crossing import CrossingIndex
from m2s.core.places.neighbours import Neighbours, neighbours_of
from m2s.core.places.store import Beacon, Store
from m2s.core.places.zone_index import ZoneIndex
from m2s.core.presence.rules import StayRules, stay_rules


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

    `by_zone` holds the offers that a presence in (store_id, zone_id) can fire, `by_place` the beacon offers of
    (store_id, place), `by_crossing` the crossing offers of (store_id, zone_id), whose zones `crossing` finds,
    `scheduled` the `at` offers with their stores, `following` those after a visit or redemption. `apart` has by store
    the beacons, by major/minor, among which one that is heard from afar has to be told from the others.
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
    apart: Mapping[str, Mapping[str, Beacon]]
    by_crossing: Mapping[tuple[str, str], tuple[LiveOffer, ...]]
    crossing: CrossingIndex
    scheduled: tuple[tuple[LiveOffer, tuple[Store, ...]], ...]
    following: tuple[LiveOffer, ...]


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
    watched = _watched(live, by_id)
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
        by_zone=_frozen(watched.by_zone),
        by_place=_frozen(watched.by_place),
        apart=watched.apart,
        by_crossing=_frozen(watched.by_crossing),
        crossing=_crossing(watched.by_crossing, by_id),
        scheduled=tuple(watched.scheduled),
        following=tuple(watched.following),
    )


def with_campaigns(before: Catalog, campaigns: Mapping[str, LiveCampaign]) -> Catalog:
    """The same stores with other campaigns."""
    watched = _watched(campaigns, before.stores)
    return replace(
        before,
        campaigns=campaigns,
        by_zone=_frozen(watched.by_zone),
        by_place=_frozen(watched.by_place),
        apart=watched.apart,
        by_crossing=_frozen(watched.by_crossing),
        crossing=_crossing(watched.by_crossing, before.stores),
        scheduled=tuple(watched.scheduled),
        following=tuple(watched.following),
    )


def _watched(campaigns: Mapping[str, LiveCampaign], stores: Mapping[str, Store]) -> "_Watched":
    watched = _Watched()
    for live in campaigns.values():
        taking_part = stores_of(live.campaign, stores.values())
        for offer in live.campaign.offers:
            watched.add(LiveOffer(live, offer, offer_version(live.campaign, offer)), taking_part)
    return watched


class _Watched:
    """Which offers watch what; see Catalog."""

    def __init__(self) -> None:
        self.by_zone: dict[tuple[str, str], list[LiveOffer]] = defaultdict(list)
        self.by_place: dict[tuple[str, str], list[LiveOffer]] = defaultdict(list)
        self.apart: dict[str, Mapping[str, Beacon]] = {}
        self.by_crossing: dict[tuple[str, str], list[LiveOffer]] = defaultdict(list)
        self.scheduled: list[tuple[LiveOffer, tuple[Store, ...]]] = []
        self.following: list[LiveOffer] = []

    def add(self, entry: LiveOffer, stores: tuple[Store, ...]) -> None:
        """Has an offer watch what its trigger names at its stores."""
        match entry.offer.trigger:
            case Near(zone) | Enter(zone) | Dwell(zone) | Exit(zone):
                self._add(self.by_zone, entry, [(store.id, zone) for store in stores])
            case Research():
                self._add(
                    self.by_zone, entry, [(store.id, zone.id) for store in stores for zone in store.zones]
                )
            case Crossing(zone):
                self._add(self.by_crossing, entry, [(store.id, zone) for store in stores])
            case BeaconSeen(place, proximity):
                self._add(self.by_place, entry, [(store.id, place) for store in stores])
                if proximity is Proximity.FAR:
                    self._tell_apart(stores)
            case At():
                self.scheduled.append((entry, stores))
            case AfterVisit() | AfterRedemption():
                self.following.append(entry)

    def _tell_apart(self, stores: Iterable[Store]) -> None:
        for store in stores:
            if store.id not in self.apart and len({beacon.place for beacon in store.beacons}) > 1:
                self.apart[store.id] = {f"{one.major}/{one.minor}": one for one in store.beacons}

    def _add(
        self,
        watched: dict[tuple[str, str], list[LiveOffer]],
        entry: LiveOffer,
        keys: Iterable[tuple[str, str]],
    ) -> None:
        for key in keys:
            watched[key].append(entry)


def _frozen(
    watched: Mapping[tuple[str, str], list[LiveOffer]],
) -> dict[tuple[str, str], tuple[LiveOffer, ...]]:
    return {key: tuple(offers) for key, offers in watched.items()}


def _crossing(keys: Iterable[tuple[str, str]], stores: Mapping[str, Store]) -> CrossingIndex:
    return CrossingIndex(
        ((store_id, zone.id), zone)
        for store_id, zone_id in sorted(keys)
        for zone in stores[store_id].zones
        if zone.id == zone_id
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
            rules[store.id, zone.id] = stay_rules(store.visit, zone)
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
