"""What happened before that the live audiences ask for? Read only where an offer asks, and only as far back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.audience import Audience, Fact, Predicate
from campaigns.history import (
    FAVOURITE_WITHIN,
    HOME_WITHIN,
    REGULAR_WITHIN,
    History,
    PastVisit,
    home_region,
    is_evening,
)
from campaigns.model import Offer
from m2s.app.catalog import Catalog
from m2s.app.known import Known
from m2s.app.past import PastStay

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_OWN_WINDOWS = {
    Fact.FAVOURITE_STORE: FAVOURITE_WITHIN,
    Fact.REGULAR: REGULAR_WITHIN,
    Fact.HOME_REGION: HOME_WITHIN,
}
_VISITS = (Fact.VISITS, Fact.DWELL, Fact.LAST_VISIT, Fact.FAVOURITE_STORE, Fact.REGULAR)
_PURCHASES = (Fact.PURCHASES, Fact.BOUGHT)


@dataclass(frozen=True, slots=True)
class Reach:
    """Since when each kind of history is asked for; None where it is not."""

    stays: datetime | None = None
    home: datetime | None = None
    purchases: datetime | None = None
    redemptions: datetime | None = None
    research: datetime | None = None
    customers: bool = False


_NOTHING = Reach()


def reach_of(offers: Iterable[Offer], now: datetime) -> Reach:
    """How far back the audiences of these offers look from an instant on."""
    since = _since(offers, now)
    return Reach(
        stays=min((since[fact] for fact in (*_VISITS, Fact.HOME_REGION) if fact in since), default=None),
        home=since.get(Fact.HOME_REGION),
        purchases=min((since[fact] for fact in _PURCHASES if fact in since), default=None),
        redemptions=since.get(Fact.REDEMPTIONS),
        research=since.get(Fact.RESEARCHED),
        customers=Fact.CUSTOMERS in since,
    )


def load_histories(
    records: Known, shopper_ids: Sequence[str], *, offers: Iterable[Offer], catalog: Catalog, now: datetime
) -> dict[str, History]:
    """The histories of shoppers as far as the audiences of these offers ask; empty where none asks."""
    reach = reach_of(offers, now)
    if reach == _NOTHING:
        return {}
    kept = records.histories
    stays = {} if reach.stays is None else kept.stays(shopper_ids, reach.stays)
    purchases = {} if reach.purchases is None else kept.purchases(shopper_ids, reach.purchases)
    redemptions = {} if reach.redemptions is None else kept.redemptions(shopper_ids, reach.redemptions)
    research = {} if reach.research is None else kept.research(shopper_ids, reach.research)
    existing = records.purchases.customers_since(shopper_ids) if reach.customers else {}
    return {
        shopper_id: History(
            visits=tuple(
                PastVisit(stay.store_id, stay.start_at, stay.end_at)
                for stay in stays.get(shopper_id, ())
                if stay.counted
            ),
            purchases=tuple(purchases.get(shopper_id, ())),
            redemptions=tuple(redemptions.get(shopper_id, ())),
            research=tuple(research.get(shopper_id, ())),
            existing=shopper_id in existing and existing[shopper_id] <= now,
            home_region=frozenset()
            if reach.home is None
            else _home(stays.get(shopper_id, ()), catalog, since=reach.home),
        )
        for shopper_id in shopper_ids
    }


def _since(offers: Iterable[Offer], now: datetime) -> dict[Fact, datetime]:
    """How far back each fact that is asked for goes."""
    since: dict[Fact, datetime] = {}
    for offer in offers:
        for predicate in _predicates(offer.audience):
            window = _OWN_WINDOWS.get(predicate.fact, predicate.within)
            at = _BEGINNING if window is None else now - window
            since[predicate.fact] = min(at, since.get(predicate.fact, at))
    return since


def _predicates(audience: Audience) -> list[Predicate]:
    of_segments = [
        one for segment in (*audience.segments, *audience.not_segments) for one in segment.predicates
    ]
    return [*audience.predicates, *of_segments]


def _home(stays: Iterable[PastStay], catalog: Catalog, *, since: datetime) -> frozenset[str]:
    evenings = []
    for stay in stays:
        store = catalog.stores.get(stay.store_id)
        if store is None or stay.end_at < since:
            continue
        local = stay.start_at.astimezone(ZoneInfo(store.timezone))
        if is_evening(local):
            # After midnight it is still the evening of the day before.
            evenings.append(((local - timedelta(hours=6)).date(), store.country, store.subdivision))
    return home_region(evenings)
