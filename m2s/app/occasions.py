"""What could be offered for what fired, and what is decided of it? Occasions that are not decided yet, by moment."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from campaigns.facts import Candidate, Decision, Occasion
from campaigns.history import PastResearch
from campaigns.model import Research
from m2s.app.catalog import Catalog
from m2s.app.deciding import Deciding, House, make_candidate, occasion_of
from m2s.app.facts import store_facts
from m2s.app.firing import Fired
from m2s.app.known import Known
from m2s.app.ports import Records
from m2s.core.base.instants import from_ms, to_ms


class Inside(Protocol):
    """The stores whose premises each of some shoppers is in at an instant."""

    def __call__(
        self, shopper_ids: Iterable[str], catalog: Catalog, *, at_ms: int
    ) -> Mapping[str, frozenset[str]]: ...


def decide_fired(
    records: Records, fired: Sequence[Fired], *, inside: Inside, house: House, catalog: Catalog, now: datetime
) -> list[Decision]:
    """Decides what fired and was not decided before; what one moment brought up for a shopper competes."""
    if not fired:
        return []
    moments = moments_of(records, fired, catalog=catalog, now=now)
    deciding = Deciding(
        records,
        list(moments.values()),
        house=house,
        catalog=catalog,
        inside=inside([shopper_id for shopper_id, _ in moments], catalog, at_ms=to_ms(now)),
        now=now,
    )
    for together in moments.values():
        deciding.decide(together, now=now)
    return deciding.keep(records)


def moments_of(
    records: Known, fired: Sequence[Fired], *, catalog: Catalog, now: datetime
) -> dict[tuple[str, str], list[Candidate]]:
    """What could be offered for what fired and was not decided before, by shopper and moment."""
    looked_up = _looked_up(records, fired, now)
    pairs = [
        (one, _candidate(one, key, catalog=catalog, now=now))
        for one in fired
        if (key := _key(one, looked_up.get(one.shopper_id, ()))) is not None
    ]
    known = records.decisions.known_occasions([occasion_of(candidate) for _, candidate in pairs])
    moments: dict[tuple[str, str], list[Candidate]] = {}
    for one, candidate in pairs:
        if occasion_of(candidate) not in known:
            known.add(occasion_of(candidate))
            moments.setdefault((one.shopper_id, one.moment), []).append(candidate)
    return moments


def _looked_up(
    records: Known, fired: Collection[Fired], now: datetime
) -> Mapping[str, Sequence[PastResearch]]:
    """What the shoppers looked up for whom an offer asks that, oldest first."""
    within = [
        one.offer.offer.trigger.within for one in fired if isinstance(one.offer.offer.trigger, Research)
    ]
    if not within:
        return {}
    shopper_ids = {one.shopper_id for one in fired if isinstance(one.offer.offer.trigger, Research)}
    return records.histories.research(shopper_ids, now - max(within))


def _key(fired: Fired, looked_up: Sequence[PastResearch]) -> str | None:
    """The name of the occasion; None where she looked nothing up that the offer answers.

    What was looked up is answered once at a store, however often she comes.
    """
    trigger = fired.offer.offer.trigger
    if not isinstance(trigger, Research):
        zone = f"{fired.store_id}/{fired.zone_id}"
        return f"{fired.shopper_id}:{zone}:{fired.trigger}@{fired.since_ms}"
    since = from_ms(fired.at_ms) - trigger.within
    asked = [
        one.at
        for one in looked_up
        if one.topic in trigger.topics and one.at > since and one.store_id in (None, fired.store_id)
    ]
    return f"{fired.shopper_id}:{fired.store_id}:research@{max(asked).isoformat()}" if asked else None


def _candidate(fired: Fired, key: str, *, catalog: Catalog, now: datetime) -> Candidate:
    store = catalog.stores[fired.store_id]
    zone = next(zone for zone in store.zones if zone.id == fired.zone_id)
    # Evidence holds no position: the way to the zone's edge and from there to its middle is the best there is.
    distance_m = zone.shape.reach_m + (fired.beyond_m or 0.0)
    occasion = Occasion(
        key=key,
        shopper_id=fired.shopper_id,
        device_id=fired.device_id,
        trigger=fired.trigger,
        at=from_ms(fired.at_ms),
        scheduled=False,
        distance_m=max(0.0, distance_m),
        speed_mps=fired.speed_mps,
    )
    return make_candidate(fired.offer, occasion, store_facts(store, now))
