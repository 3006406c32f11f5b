"""What follows from a group of sightings? One transaction: de-duplicate, match, visits, presence, decide, outbox."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

import structlog

from campaigns.decision import decide
from campaigns.facts import Candidate, Decision, Occasion, Outcome, PastOffer, Policy, ShopperFacts
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.dead_letters import MOST_LETTERS, letters_of
from m2s.app.decide import settle
from m2s.app.dedupe import SeenIds
from m2s.app.facts import load_shoppers, store_facts
from m2s.app.groups import GroupResult
from m2s.app.matching import (
    ACCURACY_M,
    AT_MS,
    DEVICE,
    OUT_OF_RANGE,
    TOO_NEW,
    TOO_OLD,
    Matched,
    Row,
    match_group,
)
from m2s.app.observer import Observer
from m2s.app.ports import Records
from m2s.app.presences import Fired, Presences, Step
from m2s.app.sighting import Answer, Batch, Rejected
from m2s.app.visit_events import VisitEvent, event_fields
from m2s.app.visits import close_visits, refresh_visits
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, from_ms, to_ms
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.quality import OLDEST_MS

MOST_REMEMBERED_IDS = 10_000_000
_log = structlog.get_logger()
# By so much this machine's clock may be set, forward or back, without a repeat being taken for new.
_DEDUPE_MARGIN_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class House:
    """What deciding needs beside the facts: the policy, the sender's STOP number, the source of ids, who counts."""

    policy: Policy
    stop_number: str
    ids: Ids
    observer: Observer


class Intake:
    """Takes groups of sighting requests; the group handler of the writer.

    Its memory (de-duplication window and presences) is a cache of what is stored: it is loaded at start and
    changed only after a commit.
    """

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog],
        clock: Clock,
        house: House,
        most_ids: int = MOST_REMEMBERED_IDS,
    ) -> None:
        """`most_ids` is how many sightings can be remembered to tell repeats; past it none are taken."""
        self._catalog = catalog
        self._clock = clock
        self._house = house
        self._most_ids = most_ids
        self._seen = self._nothing_seen()
        self._presences = Presences()

    def load(self, records: Records) -> None:
        """Takes up the de-duplication window and the open presences from storage."""
        self._seen = self._nothing_seen()
        since_ms = to_ms(self._clock.now()) - OLDEST_MS - _DEDUPE_MARGIN_MS
        self._seen.load(records.sightings.recent_ids(since_ms), received_at_ms=to_ms(self._clock.now()))
        self._presences.load(records)

    def remembered(self) -> int:
        """How many sightings are remembered to tell repeats."""
        return len(self._seen)

    def check_room(self) -> None:
        """Raises Unavailable while no sighting is taken because too many are remembered."""
        self._seen.check_full(to_ms(self._clock.now()))

    def _nothing_seen(self) -> SeenIds:
        return SeenIds(OLDEST_MS + _DEDUPE_MARGIN_MS, most=self._most_ids)

    def inside(self, shopper_ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """The stores whose premises each shopper is in now."""
        return self._presences.inside(shopper_ids)

    def weight(self, item: Batch) -> int:
        """The number of sightings in a request."""
        return max(1, len(item.items))

    def process(self, records: Records, items: Sequence[Batch]) -> GroupResult[Answer]:
        """Judges, keeps and follows up the sightings of many requests in the current transaction."""
        catalog, now, began_s = self._catalog(), self._clock.now(), self._clock.monotonic_s()
        matched = match_group(items, catalog, self._seen)
        self._seen.check_room(matched.keys.shape[1], received_at_ms=to_ms(now))
        step = Step(self._presences)
        records.sightings.add_sightings(matched.fixes)
        records.sightings.add_sightings(matched.reported)
        told, decisions = self._follow(records, matched, step=step, catalog=catalog, now=now)
        records.sightings.add_evidence(
            [evidence for _, evidence in matched.evidence], zone_version=catalog.version
        )
        step.keep(records)

        def publish() -> None:
            self._seen.add(matched.keys, received_at_ms=to_ms(now))
            step.publish()
            observer = self._house.observer
            for event in told:
                observer.visit(event.type)
            for decision in decisions:
                observer.decision(decision.outcome.value)
            _count_out_of_range(matched, observer)
            observer.commit(self._clock.monotonic_s() - began_s, sightings=matched.keys.shape[1])

        return GroupResult([tally.answer() for tally in matched.tallies], publish)

    def split(self, item: Batch) -> list[Batch]:
        """A request as one request per sighting."""
        return [
            Batch(item.device_id, item.shoppers, item.received_at_ms, item.sent_at_ms, [one], [])
            for one in item.items
        ]

    def join(self, item: Batch, answers: Sequence[Answer]) -> Answer:
        """The answer of a request that was taken sighting by sighting."""
        return Answer(
            accepted=sum(answer.accepted for answer in answers),
            away=sum(answer.away for answer in answers),
            duplicates=sum(answer.duplicates for answer in answers),
            rejected=[*item.rejected, *(one for answer in answers for one in answer.rejected)],
            events=[event for answer in answers for event in answer.events],
        )

    def refuse(self, records: Records, item: Batch, error: Exception) -> Answer:
        """The answer for a sighting that cannot be processed; it is kept as a dead letter with the cause."""
        for letter in letters_of(item, error, at=self._clock.now()):
            records.dead_letters.keep(letter, most=MOST_LETTERS)
            self._house.observer.dead_letter()
            _log.error("sighting.unprocessable", error=repr(error), dead_letter=letter.id)
        detail = "this sighting could not be processed and was set aside; the others of its batch were taken"
        rejected = [Rejected(index, one.id, "unprocessable", detail) for index, one in item.items]
        return Answer(0, 0, 0, [*item.rejected, *rejected], [])

    def close(self, records: Records) -> Callable[[], None]:
        """Closes visits and presences that silence has ended; returns what to call after the commit."""
        catalog, now = self._catalog(), self._clock.now()
        close_visits(records, catalog=catalog, now=now)
        step = self._presences.over(to_ms(now), catalog)
        step.keep(records)
        return step.publish

    def _follow(
        self, records: Records, matched: Matched, *, step: Step, catalog: Catalog, now: datetime
    ) -> tuple[list[VisitEvent], list[Decision]]:
        number_of: dict[str, int] = {}
        fresh: dict[tuple[str, str], list[Evidence]] = {}
        for number, evidence in matched.evidence:
            number_of[evidence.shopper_id] = number
            if evidence.zone_id == PREMISES:
                fresh.setdefault((evidence.shopper_id, evidence.store_id), []).append(evidence)
        touched = {pair: min(one.at_ms for one in new) for pair, new in fresh.items()}
        told = refresh_visits(records, touched, fresh=fresh, catalog=catalog, now=now)
        for event in told:
            matched.tallies[number_of[event.visit.shopper_id]].events.append(event_fields(event))
        fired = _moved(step, matched, catalog)
        decisions = self._decide(records, fired, step=step, catalog=catalog, now=now)
        for decision in decisions:
            candidate = decision.candidate
            matched.tallies[number_of[candidate.occasion.shopper_id]].events.append(
                {
                    "type": "offer.decided",
                    "offer_id": candidate.offer.id,
                    "campaign_id": candidate.campaign.id,
                    "store_id": candidate.store.store_id,
                    "outcome": decision.outcome.value,
                }
            )
        return told, decisions

    def _decide(
        self, records: Records, fired: Sequence[Fired], *, step: Step, catalog: Catalog, now: datetime
    ) -> list[Decision]:
        """Decides the occasions of a group, those that one sighting brought up together."""
        if not fired:
            return []
        moments: dict[tuple[str, str], list[Candidate]] = {}
        candidates = [_candidate(one, catalog=catalog, now=now) for one in fired]
        known = records.decisions.known_occasions([occasion_of(candidate) for candidate in candidates])
        for one, candidate in zip(fired, candidates, strict=True):
            if occasion_of(candidate) not in known:
                known.add(occasion_of(candidate))
                moments.setdefault((one.evidence.shopper_id, one.evidence.sighting_id), []).append(candidate)
        wanted = [shopper_id for shopper_id, _ in moments]
        facts = load_shoppers(
            records,
            wanted,
            now=now,
            inside=step.inside(wanted),
            history=history_of(self._house.policy, catalog),
        )
        decisions: list[Decision] = []
        for (shopper_id, _), together in moments.items():
            made = decide(together, facts[shopper_id], now=now, policy=self._house.policy)
            facts[shopper_id] = remember(facts[shopper_id], made)
            decisions += made
        settle(records, decisions, ids=self._house.ids, stop_number=self._house.stop_number)
        return decisions


def _count_out_of_range(matched: Matched, observer: Observer) -> None:
    why = [one.detail for tally in matched.tallies for one in tally.rejected if one.code == OUT_OF_RANGE]
    if why:
        observer.out_of_range(too_old=why.count(TOO_OLD), too_new=why.count(TOO_NEW))


def _moved(step: Step, matched: Matched, catalog: Catalog) -> list[Fired]:
    """What fires as each shopper comes and goes, in order of event time.

    A shopper's moves are her sightings: evidence moves presence on, and a fix ends what it is outside of.
    """
    told: dict[str, list[tuple[int, Row | list[Evidence]]]] = {}
    for _, found in matched.told:
        if found:
            told.setdefault(found[0].shopper_id, []).append((found[0].at_ms, found))
    outside = _outside(step, matched, told)
    fired: list[Fired] = []
    for shopper_id in {**told, **outside}:
        zones, moves = step.own(shopper_id), told.get(shopper_id, [])
        # Where nothing is open, nothing ends before the first evidence.
        since_ms = 0 if zones or not moves else min(at_ms for at_ms, _ in moves)
        moves += [(row[AT_MS], row) for row in outside.get(shopper_id, ()) if row[AT_MS] >= since_ms]
        moves.sort(key=itemgetter(0))
        for at_ms, move in moves:
            if isinstance(move, tuple):
                if zones:
                    step.leave(shopper_id, at_ms, accuracy_m=move[ACCURACY_M], but=(), catalog=catalog)
                continue
            first = move[0]
            if zones and first.accuracy_m is not None and not first.mocked:
                touched = [(one.store_id, one.zone_id) for one in move]
                step.leave(shopper_id, at_ms, accuracy_m=first.accuracy_m, but=touched, catalog=catalog)
            for one in move:
                step.advance(one, catalog, fired)
    return fired


def _outside(step: Step, matched: Matched, told: Collection[str]) -> dict[str, list[Row]]:
    """The fixes outside every zone, of the shoppers for whom they may end something."""
    outside: dict[str, list[Row]] = {}
    for number, batch in enumerate(matched.batches):
        shoppers = batch.shoppers
        if any(shopper_id in told or step.zones(shopper_id) for shopper_id in shoppers.values()):
            for device_id, rows in groupby(matched.outside(number), key=itemgetter(DEVICE)):
                outside.setdefault(shoppers[device_id], []).extend(rows)
    return outside


def occasion_of(candidate: Candidate) -> tuple[str, str, str]:
    """What makes a decision unique: campaign, offer, occasion."""
    return candidate.campaign.id, candidate.offer.id, candidate.occasion.key


def remember(shopper: ShopperFacts, decisions: Sequence[Decision]) -> ShopperFacts:
    """The facts after decisions: sends and ghosts alike weigh on what may follow, and arms are fixed."""
    past = [
        PastOffer(decision.decided_at, decision.candidate.campaign.id, decision.candidate.offer.id)
        for decision in decisions
        if decision.outcome is not Outcome.SUPPRESSED
    ]
    arms: Mapping[str, str] = {arm: value for decision in decisions for arm, value in decision.arms.items()}
    return replace(shopper, past=(*shopper.past, *past), arms={**arms, **shopper.arms})


def history_of(policy: Policy, catalog: Catalog) -> timedelta:
    """How far back past offers can matter: the longest window of pressure and of any offer's own limit."""
    windows = [rate.window for rate in policy.pressure]
    windows += [
        offer.per_shopper.window
        for live in catalog.campaigns.values()
        for offer in live.campaign.offers
        if offer.per_shopper is not None
    ]
    return max(windows, default=timedelta(0))


def make_candidate(
    live: LiveOffer, occasion: Occasion, *, store_id: str, catalog: Catalog, now: datetime
) -> Candidate:
    """An offer at a store for an occasion, with the facts of the moment."""
    return Candidate(
        campaign=live.live.campaign,
        offer=live.offer,
        offer_version=live.version,
        salt=live.live.salt,
        paused=live.live.paused,
        occasion=occasion,
        store=store_facts(catalog.stores[store_id], now),
    )


def _candidate(fired: Fired, *, catalog: Catalog, now: datetime) -> Candidate:
    evidence = fired.evidence
    zone = next(zone for zone in catalog.stores[evidence.store_id].zones if zone.id == evidence.zone_id)
    # Evidence holds no position: the way to the zone's edge and from there to its middle is the best there is.
    distance_m = zone.shape.reach_m + (evidence.boundary_distance_m or 0.0)
    occasion = Occasion(
        key=f"{evidence.shopper_id}:{evidence.store_id}/{evidence.zone_id}:{fired.trigger}@{fired.since_ms}",
        shopper_id=evidence.shopper_id,
        device_id=evidence.device_id,
        trigger=fired.trigger,
        at=from_ms(evidence.at_ms),
        scheduled=False,
        distance_m=max(0.0, distance_m),
    )
    return make_candidate(fired.offer, occasion, store_id=evidence.store_id, catalog=catalog, now=now)
