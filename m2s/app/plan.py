"""Which scheduled sends have come due, and to whom do they go? Each is made once, for each shopper at one store."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from threading import Event

import structlog

from campaigns.facts import Decision
from m2s.app.catalog import Catalog
from m2s.app.deciding import Deciding, House, make_candidate
from m2s.app.facts import store_facts
from m2s.app.observer import Observer
from m2s.app.ports import Database, Records
from m2s.app.scheduled import Audience, Send, audience_of, due_sends, occasion_of_send
from m2s.core.base.errors import Unavailable
from m2s.core.base.instants import parse_rfc3339, rfc3339
from m2s.core.places.store import Store

_PLANNED_UNTIL = "planned_until"
_TOGETHER = 500
"""How many shoppers are decided in one transaction; a store is never split."""
_INSTANT = timedelta(milliseconds=1)

_log = structlog.get_logger()


class PlanSends:
    """Turns scheduled offers into decisions when they come due."""

    def __init__(
        self,
        database: Database,
        catalog: Callable[[], Catalog],
        *,
        house: House,
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._database = database
        self._catalog = catalog
        self._house = house
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
        for send in due_sends(catalog, since, now):
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

    def _make(self, send: Send, catalog: Catalog, *, now: datetime) -> tuple[int, bool]:
        """The number of decisions, and whether the send is now made at all of its stores."""
        if self._stopping.is_set():
            return 0, False
        campaign_id, offer_id = send.entry.live.campaign.id, send.entry.offer.id
        with self._database.read() as records:
            claimed = records.decisions.claimed(campaign_id, offer_id, key=send.key)
        stores = [store for store in send.stores if store.id not in claimed]
        if not stores:
            return 0, True
        audience: Audience = {}
        if send.due + send.entry.offer.valid_for > now:
            with self._database.read() as records:
                audience = audience_of(records, send, catalog)
        else:
            _log.warning("plan.skipped", offer_id=offer_id, due=rfc3339(send.due))
        made = [self._make_at(send, some, audience=audience, now=now) for some in _batches(stores, audience)]
        return sum(here for here, _ in made), all(whole for _, whole in made)

    def _make_at(
        self, send: Send, stores: Sequence[Store], *, audience: Audience, now: datetime
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

    def _decide_at(
        self,
        records: Records,
        send: Send,
        *,
        stores: Sequence[Store],
        audience: Audience,
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
            shopper_id: (occasion_of_send(send, shopper_id, near), store)
            for store in stores
            if store.id in claimed
            for shopper_id, near in audience.get(store.id, {}).items()
        }
        if not occasions:
            return []
        known = records.decisions.known_occasions(
            [(campaign.id, offer.id, occasion.key) for occasion, _ in occasions.values()]
        )
        moments = {
            shopper_id: [make_candidate(send.entry, occasion, there[store.id])]
            for shopper_id, (occasion, store) in occasions.items()
            if (campaign.id, offer.id, occasion.key) not in known
        }
        deciding = Deciding(
            records, list(moments.values()), house=self._house, catalog=self._catalog(), inside={}, now=now
        )
        for shopper_id, together in moments.items():
            try:
                deciding.decide_scheduled(together, now=now)
            except Exception as error:
                _log.error("plan.undecided", offer_id=offer.id, shopper_id=shopper_id, error=repr(error))
        return deciding.keep(records)


def _batches(stores: Sequence[Store], audience: Audience) -> Iterable[list[Store]]:
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
