"""What have campaigns used up, and what does a decision add to it? Exact, because one transaction reads and counts on.

Sends count, ghosts do not, and nothing is given back: a message that is never delivered was planned all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from campaigns.eligibility import cost_of
from campaigns.facts import Candidate, Case, Decision, Outcome, Policy, ShopperFacts, Spent

MICRO = 1_000_000
Place = tuple[str, str, str]
"""Campaign, offer and store; an empty id stands for all of them."""


@dataclass(frozen=True, slots=True)
class Used:
    """Sends, what they cost (millionths of the campaign's currency), and the coupons issued with them."""

    messages: int = 0
    cost_micro: int = 0
    coupons: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.messages + other.messages,
            self.cost_micro + other.cost_micro,
            self.coupons + other.coupons,
        )


@dataclass(frozen=True, slots=True)
class Paced:
    """A send of an offer that has a pace."""

    place: Place
    at: datetime
    decision_id: str


class Counters(Protocol):
    """Counters of sends, and when paced offers were sent where."""

    def used(self, places: Iterable[Place]) -> dict[Place, Used]:
        """What was used up at each place; where nothing was, it is absent."""
        ...

    def add(self, used: Mapping[Place, Used]) -> None:
        """Counts on."""
        ...

    def paced_since(self, place: Place, since: datetime) -> list[datetime]:
        """When the offer was sent at the store after an instant, oldest first."""
        ...

    def add_paced(self, rows: Sequence[Paced]) -> None: ...


class SpendingRecords(Counters, Protocol):
    """The same as they are kept."""

    def drop_paced(self, before: datetime) -> None:
        """Forgets sends that no pace looks back to any more."""
        ...


class Spending:
    """What the candidates of one transaction find used up, counted on with each decision."""

    def __init__(
        self,
        records: Counters,
        moments: Iterable[Sequence[Candidate]],
        *,
        now: datetime,
        policy: Policy,
    ) -> None:
        """Reads what these candidates need; `moments` are those that compete with each other."""
        self._now = now
        self._policy = policy
        self._wanted: set[Place] = set()
        self._paced: dict[Place, list[datetime]] = {}
        for together in moments:
            for candidate in together:
                whole, offer, store = _places(candidate)
                self._wanted |= {whole} if _has_budget(candidate) else set()
                self._wanted |= {offer} if _has_stock(candidate) else set()
                self._wanted |= {store} if len(together) > 1 else set()
                pace, place = candidate.offer.store_pace, _pace_place(candidate)
                if pace is not None and place not in self._paced:
                    self._paced[place] = records.paced_since(place, now - pace.window)
        self._used = records.used(self._wanted) if self._wanted else {}
        self._added: dict[Place, Used] = {}

    def standing(self, candidate: Candidate) -> Candidate:
        """The candidate with what is used up so far."""
        pace = candidate.offer.store_pace
        if pace is None and self._wanted.isdisjoint(_places(candidate)):
            return candidate
        whole, offer, store = (self._so_far(place) for place in _places(candidate))
        paced = self._paced.get(_pace_place(candidate), ())
        return replace(
            candidate,
            spent=Spent(
                messages=whole.messages,
                cost=Decimal(whole.cost_micro) / MICRO,
                coupons=whole.coupons,
                stock=offer.coupons,
                paced=0 if pace is None else sum(at > self._now - pace.window for at in paced),
                at_store=store.messages,
            ),
        )

    def count(self, decisions: Iterable[Decision], shopper: ShopperFacts) -> None:
        """Counts the sends among the decisions on."""
        for decision in decisions:
            if decision.outcome is not Outcome.SEND:
                continue
            candidate = decision.candidate
            cost = cost_of(Case(candidate, shopper, now=decision.decided_at, policy=self._policy))
            one = Used(1, int(cost * MICRO), int(candidate.offer.coupon is not None))
            for place in _places(candidate):
                self._added[place] = self._added.get(place, Used()) + one
            if candidate.offer.store_pace is not None:
                self._paced.setdefault(_pace_place(candidate), []).append(decision.decided_at)

    def keep(self, records: Counters, kept: Iterable[tuple[Decision, str]]) -> None:
        """Writes what the decisions added, each given with its id."""
        if self._added:
            records.add(self._added)
        records.add_paced(
            [
                Paced(_pace_place(decision.candidate), decision.decided_at, decision_id)
                for decision, decision_id in kept
                if decision.outcome is Outcome.SEND and decision.candidate.offer.store_pace is not None
            ]
        )

    def _so_far(self, place: Place) -> Used:
        """What nobody asks for stays 0: it was not read."""
        if place not in self._wanted:
            return Used()
        return self._used.get(place, Used()) + self._added.get(place, Used())


def _places(candidate: Candidate) -> tuple[Place, Place, Place]:
    """The counters of a send: of the campaign, of the offer, of the campaign at the store."""
    campaign_id = candidate.campaign.id
    return (
        (campaign_id, "", ""),
        (campaign_id, candidate.offer.id, ""),
        (campaign_id, "", candidate.store.store_id),
    )


def _pace_place(candidate: Candidate) -> Place:
    return candidate.campaign.id, candidate.offer.id, candidate.store.store_id


def _has_budget(candidate: Candidate) -> bool:
    budget = candidate.campaign.budget
    return any(limit is not None for limit in (budget.messages, budget.cost, budget.coupons))


def _has_stock(candidate: Candidate) -> bool:
    coupon = candidate.offer.coupon
    return coupon is not None and coupon.stock is not None
