"""Which regions should a phone watch, by the stores and campaigns in force? Their triggers say what is needed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.model import Campaign, Offer
from campaigns.schedule import on_dates
from m2s.app.catalog import Catalog, LiveOffer
from m2s.core.places.regions import MOST_REGIONS, REFRESH_AFTER_S, Plan, plan_regions


@dataclass(frozen=True, slots=True)
class RunningTriggers:
    """Where a trigger may fire while a plan that is made now holds."""

    catalog: Catalog
    now: datetime

    def zone(self, store_id: str, zone_id: str) -> bool:
        """Whether a running offer waits for a shopper in the zone."""
        return self._any_runs(self.catalog.by_zone.get((store_id, zone_id), ()), store_id)

    def place(self, store_id: str, place: str) -> bool:
        """Whether a running offer waits for a shopper by the beacons of the place."""
        return self._any_runs(self.catalog.by_place.get((store_id, place), ()), store_id)

    def _any_runs(self, offers: tuple[LiveOffer, ...], store_id: str) -> bool:
        instants = (self.now, self.now + timedelta(seconds=REFRESH_AFTER_S))
        return any(
            not offer.live.paused
            and any(
                all(
                    on_dates(dated, self._zone_of(offer, store_id), instant=instant)
                    for dated in _dated(offer)
                )
                for instant in instants
            )
            for offer in offers
        )

    def _zone_of(self, offer: LiveOffer, store_id: str) -> str:
        return offer.live.campaign.timezone or self.catalog.stores[store_id].timezone


def _dated(offer: LiveOffer) -> tuple[Campaign, Offer]:
    return offer.live.campaign, offer.offer


def regions_for(
    catalog: Catalog, now: datetime, *, latitude: float, longitude: float, platform: str, limit: int | None
) -> Plan:
    """The plan for a phone; all that its system lets an app watch, or fewer where it says so."""
    most = MOST_REGIONS[platform]
    return plan_regions(
        catalog.index,
        catalog.stores,
        RunningTriggers(catalog, now),
        latitude=latitude,
        longitude=longitude,
        slots=most if limit is None else min(limit, most),
    )
