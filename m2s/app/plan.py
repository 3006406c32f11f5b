"""Which scheduled sends have come due, and to whom do they go? Each is made once, for each shopper at one store."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event

import numpy as np
import structlog

from campaigns.decision import decide, deferred_until
from campaigns.facts import Candidate, Decision, Occasion, Policy, ShopperFacts, StoreFacts
from campaigns.model import At
from campaigns.schedule import occurrences
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.decide import settle
from m2s.app.facts import load_shoppers, store_facts
from m2s.app.observer import Observer
from m2s.app.ports import Database, Records
from m2s.core.base.errors import Unavailable
from m2s.core.base.ids import Ids
from m2s.core.base.instants import parse_rfc3339, rfc3339
from m2s.core.places.geo import earth_centred
from m2s.core.places.store import Store

_PLANNED_UNTIL = "planned_until"
_TOGETHER = 500
"""How many shoppers are decided in one transaction; a store is never split."""
_INSTANT = timedelta(milliseconds=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Send:
    """One due time of an offer with the stores that share it."""

    entry: LiveOffer
    trigger: At
    due: datetime
    key: str
    stores: tuple[Store, ...]


@dataclass(frozen=True, slots=True)
class _Nearest:
    """How far a target store is from a store where the shopper was seen; ordered by distance, then id."""

    distance_m: float
    store_id: str

    def rank(self) -> tuple[float, str]:
        return self.distance_m, self.store_id


_Audience = Mapping[str, Mapping[str, _Nearest]]
"""By target store the shoppers for whom it is the nearest of the send's stores."""


class PlanSends:
    """Turns scheduled offers into decisions when they come due. `stop_number` is where an SMS answers STOP to."""

    def __init__(
        self,
        database: Database,
        catalog: Callable[[], Catalog],
        *,
        policy: Policy,
        ids: Ids,
        stop_number: str,
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._database = database
        self._catalog = catalog
        self._policy = policy
        self._ids = ids
        self._stop_number = stop_number
        self._stopping = Event()

    def stop(self) -> None:
        """Ends the run that is on after the transaction that is on: the rest is as if it had failed."""
        self._stopping.set()

    def catch_up(self, now: datetime) -> int:
        """Plans everything due since the last time this finished; the first time ever only remembers `now`.

        A send that fails somewhere is made up for by the next call, and does not hold the others back.
        """
        with self._database.read() as records:
            planned_until = records.catalog.setting(_PLANNED_UNTIL)
        # A clock that was set back repeats a span; the claims keep its sends from being made again.
        since = now if planned_until is None else min(now, parse_rfc3339(planned_until))
        made, failed = self._run(since, now)
        until = min((due - _INSTANT for due in failed), default=now)

        def remember(records: Records) -> None:
            records.catalog.keep_setting(_PLANNED_UNTIL, rfc3339(until))

        self._database.write(remember)
        return made

    def run(self, since: datetime, now: datetime) -> int:
        """Makes every send due in (since, now]; returns the number of decisions.

        A send that is older than its offer's `valid_for` is claimed and not made.
        """
        return self._run(since, now)[0]

    def _run(self, since: datetime, now: datetime) -> tuple[int, list[datetime]]:
        """The number of decisions, and when the sends were due that failed at some store."""
        catalog = self._catalog()
        made, failed = 0, []
        for send in _due(catalog, since, now):
            try:
                here, whole = self._make(send, catalog, now=now)
            except Unavailable:
                raise
            except Exception as error:
                here, whole = 0, False
                _log.error("plan.failed", offer_id=send.entry.offer.id, error=repr(error))
            made += here
            if not whole:
                failed.append(send.due)
        return made, failed

    def _make(self, send: _Send, catalog: Catalog, *, now: datetime) -> tuple[int, bool]:
        """The number of decisions, and whether the send is now made at all of its stores."""
        if self._stopping.is_set():
            return 0, False
        campaign_id, offer_id = send.entry.live.campaign.id, send.entry.offer.id
        with self._database.read() as records:
            claimed = records.decisions.claimed(campaign_id, offer_id, key=send.key)
        stores = [store for store in send.stores if store.id not in claimed]
        if not stores:
            return 0, True
        audience: _Audience = {}
        if send.due + send.entry.offer.valid_for > now:
            audience = self._audience(send, catalog)
        else:
            _log.warning("plan.skipped", offer_id=offer_id, due=rfc3339(send.due))
        made = [self._make_at(send, some, audience=audience, now=now) for some in _batches(stores, audience)]
        return sum(here for here, _ in made), all(whole for _, whole in made)

    def _make_at(
        self, send: _Send, stores: Sequence[Store], *, audience: _Audience, now: datetime
    ) -> tuple[int, bool]:
        """As `_make`, in one transaction; where that fails, in one for each store, so that only the culprit is left."""

        def work(records: Records) -> list[Decision]:
            return self._decide_at(records, send, stores=stores, audience=audience, now=now)

        if self._stopping.is_set():
            return 0, False
        try:
            decisions = self._database.write(work)
            for decision in decisions:
                self._observer.decision(decision.outcome.value)
            return len(decisions), True
        except Unavailable:
            raise
        except Exception as error:
            if len(stores) == 1:
                offer_id, store_id = send.entry.offer.id, stores[0].id
                _log.error("plan.failed", offer_id=offer_id, store_id=store_id, error=repr(error))
                return 0, False
        made = [self._make_at(send, [store], audience=audience, now=now) for store in stores]
        return sum(here for here, _ in made), all(whole for _, whole in made)

    def _audience(self, send: _Send, catalog: Catalog) -> _Audience:
        """By target store the shoppers for whom it is the nearest of the send's stores."""
        near = _nearest_targets(send, list(catalog.stores.values()))
        since = send.due - send.trigger.audience_near.seen_within
        best: dict[str, _Nearest] = {}
        with self._database.read() as records:
            for shopper_id, seen_id in records.sightings.seen_at(near, since):
                target = near[seen_id]
                best[shopper_id] = min(best.get(shopper_id, target), target, key=_Nearest.rank)
        audience: dict[str, dict[str, _Nearest]] = defaultdict(dict)
        for shopper_id, target in sorted(best.items()):
            audience[target.store_id][shopper_id] = target
        return audience

    def _decide_at(
        self,
        records: Records,
        send: _Send,
        *,
        stores: Sequence[Store],
        audience: _Audience,
        now: datetime,
    ) -> list[Decision]:
        campaign, offer = send.entry.live.campaign, send.entry.offer
        claimed = records.decisions.claim(
            campaign.id,
            offer.id,
            store_ids=[store.id for store in stores],
            key=send.key,
            due=send.due,
            at=now,
        )
        there = {store.id: store_facts(store, now) for store in stores if store.id in claimed}
        occasions = {
            shopper_id: (_occasion(send, shopper_id, near), store)
            for store in stores
            if store.id in claimed
            for shopper_id, near in audience.get(store.id, {}).items()
        }
        if not occasions:
            return []
        known = records.decisions.known_occasions(
            [(campaign.id, offer.id, occasion.key) for occasion, _ in occasions.values()]
        )
        facts = load_shoppers(records, occasions, now=now, inside={}, history=self._history(send))
        decisions = []
        for shopper_id, (occasion, store) in occasions.items():
            if shopper_id not in facts or (campaign.id, offer.id, occasion.key) in known:
                continue
            candidate = _candidate(send, occasion, there[store.id])
            try:
                decisions.append(self._decide(candidate, store, facts[shopper_id], now=now))
            except Exception as error:
                _log.error("plan.undecided", offer_id=offer.id, shopper_id=shopper_id, error=repr(error))
        settle(records, decisions, ids=self._ids, stop_number=self._stop_number)
        return decisions

    def _decide(
        self, candidate: Candidate, store: Store, shopper: ShopperFacts, *, now: datetime
    ) -> Decision:
        """The decision, as of the send law's opening where the message has to wait for it.

        Until then nothing else can be sent to this shopper, so pressure sees the message when it is sent.
        """
        opening = deferred_until(candidate, shopper, now=now, policy=self._policy)
        at = opening or now
        if opening is not None:
            candidate = replace(candidate, store=store_facts(store, opening))
        (decision,) = decide([candidate], shopper, now=at, policy=self._policy)
        latest = candidate.occasion.at + candidate.offer.valid_for
        return replace(decision, valid_until=min(decision.valid_until, latest))

    def _history(self, send: _Send) -> timedelta:
        windows = [rate.window for rate in self._policy.pressure]
        if send.entry.offer.per_shopper is not None:
            windows.append(send.entry.offer.per_shopper.window)
        return max(windows, default=timedelta(0))


def _due(catalog: Catalog, since: datetime, now: datetime) -> list[_Send]:
    """The sends due in (since, now], earliest first; of the same instant the highest priority first."""
    sends: list[_Send] = []
    for entry, stores in catalog.scheduled:
        if isinstance(entry.offer.trigger, At) and not entry.live.paused:
            sends += _sends(entry, entry.offer.trigger, stores=stores, since=since, now=now)
    return sorted(
        sends,
        key=lambda send: (send.due, -send.entry.offer.priority, send.entry.live.campaign.id, send.key),
    )


def _sends(
    entry: LiveOffer, trigger: At, *, stores: Sequence[Store], since: datetime, now: datetime
) -> Iterable[_Send]:
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
        yield _Send(entry, trigger, due, key, tuple(sorted(its_stores, key=lambda store: store.id)))


def _batches(stores: Sequence[Store], audience: _Audience) -> Iterable[list[Store]]:
    """The stores in runs of at most `_TOGETHER` shoppers, so that those without any cost no transaction."""
    batch: list[Store] = []
    shoppers = 0
    for store in stores:
        here = len(audience.get(store.id, ()))
        if batch and shoppers + here > _TOGETHER:
            yield batch
            batch, shoppers = [], 0
        batch.append(store)
        shoppers += here
    yield batch


def _nearest_targets(send: _Send, stores: Sequence[Store]) -> dict[str, _Nearest]:
    """For each store within reach of one of the send's stores, the nearest of these."""
    points = earth_centred(
        np.array([store.latitude for store in stores]), np.array([store.longitude for store in stores])
    )
    within_m = send.trigger.audience_near.within_m
    nearest: dict[str, _Nearest] = {}
    for target in send.stores:
        away_m = np.linalg.norm(points - earth_centred(target.latitude, target.longitude), axis=1)
        for index in np.flatnonzero(away_m <= within_m).tolist():
            found = _Nearest(float(away_m[index]), target.id)
            known = nearest.get(stores[index].id, found)
            nearest[stores[index].id] = min(known, found, key=_Nearest.rank)
    return nearest


def _occasion(send: _Send, shopper_id: str, near: _Nearest) -> Occasion:
    return Occasion(
        key=f"at:{send.key}:{shopper_id}",
        shopper_id=shopper_id,
        device_id=None,
        trigger="at",
        at=send.due,
        scheduled=True,
        distance_m=near.distance_m,
    )


def _candidate(send: _Send, occasion: Occasion, store: StoreFacts) -> Candidate:
    live = send.entry.live
    return Candidate(
        campaign=live.campaign,
        offer=send.entry.offer,
        offer_version=send.entry.version,
        salt=live.salt,
        paused=live.paused,
        occasion=occasion,
        store=store,
    )
