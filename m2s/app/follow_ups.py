"""Which visits and redemptions are to be followed by an offer now? Each once, some time after it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import Event

import structlog

from campaigns.facts import Candidate, Decision, Occasion
from campaigns.model import AfterRedemption, AfterVisit
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.deciding import Deciding, House, make_candidate, occasion_of
from m2s.app.facts import store_facts
from m2s.app.observer import Observer
from m2s.app.past import Past
from m2s.app.ports import Database, Records
from m2s.core.base.errors import Unavailable

_TOGETHER = 500
"""How many shoppers are decided in one transaction."""

_log = structlog.get_logger()
_Moments = Mapping[str, Sequence[Candidate]]


class FollowUps:
    """Decides the offers that come due after a visit or a redemption."""

    def __init__(
        self, database: Database, catalog: Callable[[], Catalog], *, house: House, observer: Observer
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._house = house
        self._observer = observer
        self._stopping = Event()

    def stop(self) -> None:
        """Ends the run that is on after the transaction that is on; the next run makes up for the rest."""
        self._stopping.set()

    def run(self, now: datetime) -> int:
        """Decides what is due; returns the number of decisions.

        What came due longer ago than its offer is valid, while nobody ran, is passed over.
        """
        catalog = self._catalog()
        if not catalog.following:
            return 0
        with self._database.read() as records:
            moments = _due(records, catalog, now)
        shoppers = sorted(moments)
        made = 0
        for first in range(0, len(shoppers), _TOGETHER):
            part = {shopper_id: moments[shopper_id] for shopper_id in shoppers[first : first + _TOGETHER]}
            made += self._decide(part, catalog, now=now)
        return made

    def _decide(self, moments: _Moments, catalog: Catalog, *, now: datetime) -> int:
        """In one transaction; where that fails, in one for each shopper, so that only the culprit is left."""

        def work(records: Records) -> list[Decision]:
            deciding = Deciding(
                records, list(moments.values()), house=self._house, catalog=catalog, inside={}, now=now
            )
            for together in moments.values():
                deciding.decide_scheduled(together, now=now)
            return deciding.keep(records)

        if self._stopping.is_set():
            return 0
        try:
            decisions = self._database.write(work)
        except Unavailable:
            raise
        except Exception as error:
            if len(moments) == 1:
                _log.error("follow_up.failed", shopper_id=next(iter(moments)), error=repr(error))
                return 0
            return sum(self._decide({one: moments[one]}, catalog, now=now) for one in moments)
        for decision in decisions:
            self._observer.decision(decision.outcome.value)
        return len(decisions)


def _due(records: Records, catalog: Catalog, now: datetime) -> dict[str, list[Candidate]]:
    """What is due and not decided yet, by shopper."""
    candidates = [
        follow_up(entry, trigger, past, catalog=catalog, now=now)
        for entry in catalog.following
        for trigger in [entry.offer.trigger]
        if isinstance(trigger, AfterVisit | AfterRedemption)
        for past in _past(records, entry, trigger, now)
        if past.store_id in catalog.stores and takes_part(entry, trigger, past, catalog)
    ]
    known = records.decisions.known_occasions([occasion_of(candidate) for candidate in candidates])
    due: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if occasion_of(candidate) not in known:
            due.setdefault(candidate.occasion.shopper_id, []).append(candidate)
    return due


def _past(
    records: Records, entry: LiveOffer, trigger: AfterVisit | AfterRedemption, now: datetime
) -> Iterable[Past]:
    until = now - trigger.delay
    since = until - entry.offer.valid_for
    if isinstance(trigger, AfterVisit):
        return records.histories.visits_ended(since, until)
    return records.histories.redeemed(since, until)


def takes_part(entry: LiveOffer, trigger: AfterVisit | AfterRedemption, past: Past, catalog: Catalog) -> bool:
    """Whether an offer follows that visit or redemption."""
    campaign = entry.live.campaign
    if isinstance(trigger, AfterRedemption):
        return past.campaign_id == campaign.id
    return campaign.stores.matches(catalog.stores[past.store_id])


def follow_up(
    entry: LiveOffer,
    trigger: AfterVisit | AfterRedemption,
    past: Past,
    *,
    catalog: Catalog,
    now: datetime,
) -> Candidate:
    """What could be offered after a visit or redemption."""
    name = "after_visit" if isinstance(trigger, AfterVisit) else "after_redemption"
    occasion = Occasion(
        key=f"{name}:{past.id}",
        shopper_id=past.shopper_id,
        device_id=None,
        trigger=name,
        at=past.at + trigger.delay,
        scheduled=True,
    )
    return make_candidate(entry, occasion, store_facts(catalog.stores[past.store_id], now))
