"""What is decided for the shoppers of one transaction, one moment after the other, and kept together?

Each decision weighs on those that follow it: on pressure and limits, on budgets and stock, and on the arms.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from campaigns.decision import decide, deferral
from campaigns.facts import (
    Candidate,
    Decision,
    Occasion,
    Outcome,
    PastOffer,
    Policy,
    ShopperFacts,
    StoreFacts,
)
from campaigns.model import Offer
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.decide import settle
from m2s.app.facts import load_shoppers, store_facts
from m2s.app.histories import load_histories
from m2s.app.known import Known
from m2s.app.ports import Database, Records
from m2s.app.spending import Counters, Spending
from m2s.core.base.ids import Ids
from m2s.core.presence.regulars import Reason

UNIVERSAL_SALT = "universal_salt"
"""The setting that holds what the universal holdout is drawn with."""


@dataclass(frozen=True, slots=True)
class House:
    """What deciding needs beside the facts: the policy, the sender's STOP number, the source of ids."""

    policy: Policy
    stop_number: str
    ids: Ids


def universal_salt(database: Database, ids: Ids) -> str:
    """What the universal holdout is drawn with: made once, and kept with the database."""

    def keep(records: Records) -> str:
        salt = records.catalog.setting(UNIVERSAL_SALT)
        if salt is None:
            salt = ids.secret(16).hex()
            records.catalog.keep_setting(UNIVERSAL_SALT, salt)
        return salt

    return database.write(keep)


def published_salt(database: Database) -> str | None:
    """What the universal holdout is drawn with; None before a service ran on the database."""
    with database.read() as records:
        return records.catalog.setting(UNIVERSAL_SALT)


class Deciding:
    """Decides for shoppers by what is known of them; `keep` writes it."""

    def __init__(
        self,
        known: Known,
        moments: Sequence[Sequence[Candidate]],
        *,
        house: House,
        catalog: Catalog,
        inside: Mapping[str, frozenset[str]],
        now: datetime,
    ) -> None:
        """Reads at once what all the moments need; each is what could be offered to one shopper at one instant.

        `inside` names the stores whose premises a shopper is in now.
        """
        self._house = house
        self._catalog = catalog
        candidates = [candidate for together in moments for candidate in together]
        self._facts = _facts(known, candidates, house=house, catalog=catalog, inside=inside, now=now)
        self._spending = Spending(known.spending, moments, now=now, policy=house.policy)
        self._made: list[Decision] = []

    def facts(self, shopper_id: str) -> ShopperFacts | None:
        """What is known of a shopper, the decisions made so far included; None of who is not there any more."""
        return self._facts.get(shopper_id)

    def decide(
        self, together: Sequence[Candidate], *, now: datetime, latest: datetime | None = None
    ) -> Sequence[Decision]:
        """Decides one moment; what it sends is valid until `latest` at most. Nothing for a shopper who is gone."""
        shopper_id = together[0].occasion.shopper_id
        shopper = self._facts.get(shopper_id)
        if shopper is None:
            return ()
        standing = [self._spending.standing(candidate) for candidate in together]
        made = decide(standing, shopper, now=now, policy=self._house.policy)
        if latest is not None:
            made = tuple(replace(one, valid_until=min(one.valid_until, latest)) for one in made)
        self._spending.count(made, shopper)
        self._facts[shopper_id] = _remember(shopper, made)
        self._made += made
        return made

    def decide_scheduled(self, together: Sequence[Candidate], *, now: datetime) -> Sequence[Decision]:
        """As `decide`, what the send law makes wait, and may wait, as of the law's next opening or soon after it.

        What waits for the same opening is decided together. Pressure counts it from now on.
        """
        shopper = self._facts.get(together[0].occasion.shopper_id)
        if shopper is None:
            return ()
        made: list[Decision] = []
        by_opening: dict[datetime, list[tuple[datetime, Candidate]]] = {}
        for one in together:
            waits = deferral(one, shopper, now=now, policy=self._house.policy)
            opening, at = (now, now) if waits is None else (waits.opening, waits.at)
            by_opening.setdefault(opening, []).append((at, one))
        for opening, due in sorted(by_opening.items()):
            at = min(at for at, _ in due)
            candidates = [one if opening == now else self._as_of(one, at, opening) for _, one in due]
            latest = min(one.occasion.at + one.offer.valid_for for one in candidates)
            made += self.decide(candidates, now=at, latest=latest)
        return made

    def _as_of(self, candidate: Candidate, at: datetime, opening: datetime) -> Candidate:
        store = self._catalog.stores[candidate.store.store_id]
        return replace(candidate, store=store_facts(store, at), waited_for=opening)

    def keep(self, records: Records) -> list[Decision]:
        """Writes what was decided, with its coupons and messages, in the current transaction, and returns it."""
        rows = settle(records, self._made, ids=self._house.ids, stop_number=self._house.stop_number)
        ids = [row.id for row in rows]
        self._spending.keep(records.spending, zip(self._made, ids, strict=True))
        return self._made

    def count_on(self, spending: Counters) -> list[Decision]:
        """Counts what was decided on and returns it; writes nothing else."""
        self._spending.keep(spending, [(decision, "") for decision in self._made])
        return self._made


def occasion_of(candidate: Candidate) -> tuple[str, str, str]:
    """What makes a decision unique: campaign, offer, occasion."""
    return candidate.campaign.id, candidate.offer.id, candidate.occasion.key


def make_candidate(live: LiveOffer, occasion: Occasion, store: StoreFacts) -> Candidate:
    """An offer at a store for an occasion."""
    return Candidate(
        campaign=live.live.campaign,
        offer=live.offer,
        offer_version=live.version,
        salt=live.live.salt,
        paused=live.live.paused,
        occasion=occasion,
        store=store,
    )


def _facts(
    records: Known,
    candidates: Sequence[Candidate],
    *,
    house: House,
    catalog: Catalog,
    inside: Mapping[str, frozenset[str]],
    now: datetime,
) -> dict[str, ShopperFacts]:
    shopper_ids = sorted({candidate.occasion.shopper_id for candidate in candidates})
    offers = list({id(candidate.offer): candidate.offer for candidate in candidates}.values())
    facts = load_shoppers(
        records, shopper_ids, now=now, inside=inside, history=look_back(house.policy, offers)
    )
    pairs = {(candidate.occasion.shopper_id, candidate.store.store_id) for candidate in candidates}
    staff: dict[str, set[str]] = {}
    for pair, spans in records.regulars.of(pairs).items():
        if any(span.reason == Reason.STAFF and span.since <= now < span.until for span in spans):
            staff.setdefault(pair[0], set()).add(pair[1])
    histories = load_histories(records, shopper_ids, offers=offers, catalog=catalog, now=now)
    for shopper_id in staff.keys() | histories.keys():
        if shopper_id in facts:
            known = facts[shopper_id]
            facts[shopper_id] = replace(
                known,
                staff_at=frozenset(staff.get(shopper_id, ())),
                history=histories.get(shopper_id, known.history),
            )
    return facts


def look_back(policy: Policy, offers: Iterable[Offer]) -> timedelta:
    """How far back past offers can matter: the longest window of pressure and of any offer's own limit."""
    windows = [rule.window for rule in policy.pressure]
    windows += [offer.per_shopper.window for offer in offers if offer.per_shopper is not None]
    return max(windows, default=timedelta(0))


def _remember(shopper: ShopperFacts, decisions: Sequence[Decision]) -> ShopperFacts:
    """The facts after decisions: sends and ghosts alike weigh on what may follow, and arms are fixed."""
    past = [
        PastOffer(
            decision.decided_at,
            decision.candidate.campaign.id,
            decision.candidate.offer.id,
            channel=decision.channel,
            tags=decision.candidate.campaign.tags,
        )
        for decision in decisions
        if decision.outcome is not Outcome.SUPPRESSED
    ]
    if not past:
        return shopper
    arms: Mapping[str, str] = {arm: value for decision in decisions for arm, value in decision.arms.items()}
    return replace(shopper, past=(*shopper.past, *past), arms={**arms, **shopper.arms})
