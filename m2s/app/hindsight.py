"""What was known at an earlier time? Today's rows as of then, and what a run that plays them again decided itself."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from campaigns.facts import Decision, Outcome, PastOffer
from campaigns.history import PastPurchase, PastRedemption, PastResearch
from campaigns.model import Offer, Research
from m2s.app.deciding import occasion_of
from m2s.app.histories import Reach, reach_of
from m2s.app.past import PastStay
from m2s.app.ports import Pair, Records
from m2s.app.rows import ConsentRow, DeviceRow, RegularRow, ShopperRow
from m2s.app.spending import Paced, Place, Used

T = TypeVar("T", PastPurchase, PastRedemption, PastResearch)
V = TypeVar("V")
_STAYS_LATELY = timedelta(hours=1)
"""Deciding always asks who left a store within this time."""


class Hindsight:
    """What deciding reads, as of `now`: move it on, and load the shoppers of the next decisions before they are made.

    Consents and addresses are today's. Sends, ghosts and budgets used up are what was kept before `since`, and from
    then on what is remembered here.
    """

    def __init__(self, records: Records, offers: Collection[Offer], *, since: datetime) -> None:
        self._records = records
        self._offers = offers
        self._since = since
        self.devices = _People()
        self.decisions = _Decided()
        self.regulars = _Regulars()
        self.histories = _Histories(since)
        self.sightings = self.histories
        self.purchases = _Base()
        self.spending = _Spending()

    @property
    def now(self) -> datetime:
        """The time as of which things are known."""
        return self.histories.now

    @now.setter
    def now(self, now: datetime) -> None:
        self.histories.now = now

    def load(self, pairs: Collection[Pair], first: datetime, *, past: timedelta) -> None:
        """Has ready what deciding asks of these shoppers and stores from an instant on; forgets who else was.

        `past` is how far back past offers can matter.
        """
        records, ids = self._records, sorted({shopper_id for shopper_id, _ in pairs})
        reach = reach_of(self._offers, first)
        self.devices.load(records, ids)
        self.decisions.load(records, ids, since=self._since - past, until=self._since)
        self.regulars.rows = records.regulars.of(pairs)
        self.histories.load(
            records, ids, reach=reach, lately=first - _STAYS_LATELY, research=self._asked(first)
        )
        self.purchases.since = records.purchases.customers_since(ids) if reach.customers else {}

    def remember(self, decisions: Iterable[Decision]) -> None:
        """Takes decisions for made."""
        self.decisions.remember(decisions)

    def _asked(self, first: datetime) -> datetime | None:
        """Since when triggers ask what was looked up."""
        within = [one.trigger.within for one in self._offers if isinstance(one.trigger, Research)]
        return first - max(within) if within else None


class _People:
    """Who the shoppers are today."""

    def __init__(self) -> None:
        self._shoppers: Mapping[str, ShopperRow] = {}
        self._devices: Mapping[str, list[DeviceRow]] = {}
        self._consents: Mapping[str, list[ConsentRow]] = {}

    def load(self, records: Records, shopper_ids: Sequence[str]) -> None:
        self._shoppers = records.devices.shoppers(shopper_ids)
        self._devices = records.devices.devices_of(shopper_ids)
        self._consents = records.devices.consents(shopper_ids)

    def shoppers(self, shopper_ids: Iterable[str]) -> dict[str, ShopperRow]:
        return _of(self._shoppers, shopper_ids)

    def devices_of(self, shopper_ids: Iterable[str]) -> dict[str, list[DeviceRow]]:
        return _of(self._devices, shopper_ids)

    def consents(self, shopper_ids: Iterable[str]) -> dict[str, list[ConsentRow]]:
        return _of(self._consents, shopper_ids)


class _Decided:
    """What was decided before the run, and in it; occasions only in it, as it decides those of the time again."""

    def __init__(self) -> None:
        self._before: Mapping[str, list[PastOffer]] = {}
        self._recorded: Mapping[str, dict[str, str]] = {}
        self._own: dict[str, list[PastOffer]] = {}
        self._arms: dict[str, dict[str, str]] = {}
        self._occasions: set[int] = set()

    def load(self, records: Records, shopper_ids: Sequence[str], *, since: datetime, until: datetime) -> None:
        past = records.decisions.past(shopper_ids, since)
        self._before = {name: [one for one in offers if one.at < until] for name, offers in past.items()}
        self._recorded = records.decisions.arms(shopper_ids)

    def remember(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            candidate = decision.candidate
            # Occasions are many and their names long.
            self._occasions.add(hash(occasion_of(candidate)))
            if decision.outcome is Outcome.SUPPRESSED:
                continue
            shopper_id, campaign = candidate.occasion.shopper_id, candidate.campaign
            self._own.setdefault(shopper_id, []).append(
                PastOffer(
                    decision.decided_at,
                    campaign.id,
                    candidate.offer.id,
                    channel=decision.channel,
                    tags=campaign.tags,
                )
            )
            arms = self._arms.setdefault(shopper_id, {})
            arms |= {name: arm for name, arm in decision.arms.items() if name not in arms}

    def past(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastOffer]]:
        return {
            one: [
                offered
                for offered in (*self._before.get(one, ()), *self._own.get(one, ()))
                if offered.at >= since
            ]
            for one in shopper_ids
        }

    def arms(self, shopper_ids: Iterable[str]) -> dict[str, dict[str, str]]:
        return {one: {**self._arms.get(one, {}), **self._recorded.get(one, {})} for one in shopper_ids}

    def known_occasions(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        return {key for key in keys if hash(key) in self._occasions}


class _Regulars:
    """Who is taken for staff, and when."""

    def __init__(self) -> None:
        self.rows: Mapping[Pair, Sequence[RegularRow]] = {}

    def of(self, pairs: Iterable[Pair]) -> dict[Pair, Sequence[RegularRow]]:
        return {pair: self.rows[pair] for pair in pairs if pair in self.rows}


class _Histories:
    """What had happened by `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._stays: Mapping[str, list[PastStay]] = {}
        self._purchases: Mapping[str, list[PastPurchase]] = {}
        self._redemptions: Mapping[str, list[PastRedemption]] = {}
        self._research: Mapping[str, list[PastResearch]] = {}

    def load(
        self,
        records: Records,
        shopper_ids: Sequence[str],
        *,
        reach: Reach,
        lately: datetime,
        research: datetime | None,
    ) -> None:
        kept = records.histories
        self._stays = kept.stays(shopper_ids, min(lately, reach.stays or lately))
        self._purchases = kept.purchases(shopper_ids, reach.purchases) if reach.purchases else {}
        self._redemptions = kept.redemptions(shopper_ids, reach.redemptions) if reach.redemptions else {}
        asked = [at for at in (reach.research, research) if at is not None]
        self._research = kept.research(shopper_ids, min(asked)) if asked else {}

    def stays(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastStay]]:
        return {
            one: [stay for stay in stays if since <= stay.end_at <= self.now]
            for one, stays in _of(self._stays, shopper_ids).items()
        }

    def purchases(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastPurchase]]:
        return _between(self._purchases, shopper_ids, since=since, until=self.now)

    def redemptions(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastRedemption]]:
        return _between(self._redemptions, shopper_ids, since=since, until=self.now)

    def research(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastResearch]]:
        return _between(self._research, shopper_ids, since=since, until=self.now)

    def last_visits(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, dict[str, datetime]]:
        found: dict[str, dict[str, datetime]] = {}
        for shopper_id, stays in _of(self._stays, shopper_ids).items():
            for stay in stays:
                if stay.counted and since <= stay.end_at <= self.now:
                    # They come in order of their ends.
                    found.setdefault(shopper_id, {})[stay.store_id] = stay.end_at
        return found


class _Base:
    """The retailer's own base."""

    def __init__(self) -> None:
        self.since: Mapping[str, datetime] = {}

    def customers_since(self, shopper_ids: Iterable[str]) -> dict[str, datetime]:
        return _of(self.since, shopper_ids)


class _Spending:
    """What the run's sends used up; it begins with nothing used."""

    def __init__(self) -> None:
        self.kept: dict[Place, Used] = {}
        self._paced: dict[Place, list[datetime]] = {}

    def used(self, places: Iterable[Place]) -> dict[Place, Used]:
        return {place: self.kept[place] for place in places if place in self.kept}

    def add(self, used: Mapping[Place, Used]) -> None:
        for place, one in used.items():
            self.kept[place] = self.kept.get(place, Used()) + one

    def paced_since(self, place: Place, since: datetime) -> list[datetime]:
        kept = [at for at in self._paced.get(place, ()) if at > since]
        if kept:
            self._paced[place] = kept
        return kept

    def add_paced(self, rows: Sequence[Paced]) -> None:
        for row in rows:
            self._paced.setdefault(row.place, []).append(row.at)


def _of(rows: Mapping[str, V], shopper_ids: Iterable[str]) -> dict[str, V]:
    return {one: rows[one] for one in shopper_ids if one in rows}


def _between(
    rows: Mapping[str, list[T]], shopper_ids: Iterable[str], *, since: datetime, until: datetime
) -> dict[str, list[T]]:
    return {
        one: [row for row in kept if since <= row.at <= until] for one, kept in _of(rows, shopper_ids).items()
    }
