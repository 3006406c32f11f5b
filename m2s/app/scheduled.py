"""When is a scheduled offer due at which stores, and for whom? Each shopper at one store, the nearest."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from campaigns.facts import Occasion
from campaigns.model import At
from campaigns.schedule import occurrences
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.ports import Records
from m2s.core.base.instants import rfc3339
from m2s.core.places.geo import earth_centred
from m2s.core.places.store import Store


@dataclass(frozen=True, slots=True)
class Send:
    """One due time of an offer with the stores that share it."""

    entry: LiveOffer
    trigger: At
    due: datetime
    key: str
    stores: tuple[Store, ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """How far a target store is from a store where the shopper was seen; ordered by distance, then id."""

    distance_m: float
    store_id: str

    def rank(self) -> tuple[float, str]:
        """What orders them."""
        return self.distance_m, self.store_id


Audience = Mapping[str, Mapping[str, Nearest]]
"""By target store the shoppers for whom it is the nearest of the send's stores."""


def due_sends(catalog: Catalog, since: datetime, now: datetime) -> list[Send]:
    """The sends due in (since, now], earliest first; of the same instant the highest priority first."""
    sends: list[Send] = []
    for entry, stores in catalog.scheduled:
        if isinstance(entry.offer.trigger, At) and not entry.live.paused:
            sends += _sends(entry, entry.offer.trigger, stores=stores, since=since, now=now)
    return sorted(
        sends,
        key=lambda send: (send.due, -send.entry.offer.priority, send.entry.live.campaign.id, send.key),
    )


def _sends(
    entry: LiveOffer, trigger: At, *, stores: Sequence[Store], since: datetime, now: datetime
) -> Iterable[Send]:
    by_zone: dict[str, list[Store]] = defaultdict(list)
    for store in stores:
        by_zone[entry.live.campaign.timezone or store.timezone].append(store)
    by_due: dict[tuple[datetime, str], list[Store]] = defaultdict(list)
    for zone, its_stores in by_zone.items():
        for occurrence in occurrences(trigger.moment, zone, start=since, end=now):
            # One instant reads differently in each zone but is one occasion.
            once = isinstance(trigger.moment, datetime)
            by_due[occurrence.due, rfc3339(occurrence.due) if once else occurrence.key] += its_stores
    for (due, key), its_stores in by_due.items():
        yield Send(entry, trigger, due, key, tuple(sorted(its_stores, key=lambda store: store.id)))


def audience_of(records: Records, send: Send, catalog: Catalog, *, until: datetime | None = None) -> Audience:
    """By target store the shoppers for whom it is the nearest of the send's stores, seen `until` then."""
    near = _nearest_targets(send, list(catalog.stores.values()))
    since = send.due - send.trigger.audience_near.seen_within
    best: dict[str, Nearest] = {}
    for shopper_id, seen_id in records.sightings.seen_at(near, since, until=until):
        target = near[seen_id]
        best[shopper_id] = min(best.get(shopper_id, target), target, key=Nearest.rank)
    audience: dict[str, dict[str, Nearest]] = defaultdict(dict)
    for shopper_id, target in sorted(best.items()):
        audience[target.store_id][shopper_id] = target
    return audience


def _nearest_targets(send: Send, stores: Sequence[Store]) -> dict[str, Nearest]:
    """For each store within reach of one of the send's stores, the nearest of these."""
    points = earth_centred(
        np.array([store.latitude for store in stores]), np.array([store.longitude for store in stores])
    )
    within_m = send.trigger.audience_near.within_m
    nearest: dict[str, Nearest] = {}
    for target in send.stores:
        away_m = np.linalg.norm(points - earth_centred(target.latitude, target.longitude), axis=1)
        for index in np.flatnonzero(away_m <= within_m).tolist():
            found = Nearest(float(away_m[index]), target.id)
            known = nearest.get(stores[index].id, found)
            nearest[stores[index].id] = min(known, found, key=Nearest.rank)
    return nearest


def occasion_of_send(send: Send, shopper_id: str, near: Nearest) -> Occasion:
    """The occasion of a send for one shopper."""
    return Occasion(
        key=f"at:{send.key}:{shopper_id}",
        shopper_id=shopper_id,
        device_id=None,
        trigger="at",
        at=send.due,
        scheduled=True,
        distance_m=near.distance_m,
    )
