"""What follows from a group of sightings? One transaction: de-duplicate, match, visits, presence, decide, outbox."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import structlog

from campaigns.facts import Decision
from campaigns.model import Exit
from m2s.app.catalog import Catalog
from m2s.app.crossings import Crossings
from m2s.app.dead_letters import MOST_LETTERS, letters_of
from m2s.app.deciding import House
from m2s.app.dedupe import SeenIds
from m2s.app.firing import Fired
from m2s.app.groups import GroupResult
from m2s.app.matching import (
    ACCURACY_M,
    AT_MS,
    DEVICE,
    ID,
    OUT_OF_RANGE,
    TOO_NEW,
    TOO_OLD,
    Matched,
    Row,
    match_group,
)
from m2s.app.observer import Observer
from m2s.app.occasions import decide_fired
from m2s.app.ports import Records
from m2s.app.presences import Presences, Step
from m2s.app.sighting import Answer, Batch, Rejected
from m2s.app.visit_events import VisitEvent, event_fields
from m2s.app.visits import close_visits, refresh_visits
from m2s.core.base.instants import Clock, to_ms
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.quality import OLDEST_MS

MOST_REMEMBERED_IDS = 10_000_000
_LONGEST_WAY_S = 600.0
"""No request is on its way for longer from when its shopper is looked up to its turn."""
_NEVER_MS = 2**62
_at_ms = itemgetter(AT_MS)
_log = structlog.get_logger()
# By so much this machine's clock may be set, forward or back, without a repeat being taken for new.
_DEDUPE_MARGIN_MS = 24 * 3_600_000


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
        observer: Observer,
        most_ids: int = MOST_REMEMBERED_IDS,
    ) -> None:
        """`most_ids` is how many sightings can be remembered to tell repeats; past it none are taken."""
        self._catalog = catalog
        self._clock = clock
        self._house = house
        self._observer = observer
        self._most_ids = most_ids
        self._seen = self._nothing_seen()
        self._presences = Presences()
        self._crossings = Crossings()
        self._merged: dict[str, tuple[str, float]] = {}

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

    def joined(self, merged: Mapping[str, str]) -> None:
        """Takes notice of shoppers that have become others, by who they were; on the writer, right after the commit."""
        for shopper_id, now in merged.items():
            self._presences.move(shopper_id, to=now)
        now_s = self._clock.monotonic_s()
        on_their_way = {
            was: (merged.get(now, now), joined_s)
            for was, (now, joined_s) in self._merged.items()
            if now_s - joined_s <= _LONGEST_WAY_S
        }
        self._merged = on_their_way | {was: (now, now_s) for was, now in merged.items()}

    def _renamed(self, items: Sequence[Batch]) -> None:
        """Has what was on its way while shoppers were joined arrive at who they are now."""
        if self._merged:
            for item in items:
                for device_id, shopper_id in item.shoppers.items():
                    if shopper_id in self._merged:
                        item.shoppers[device_id] = self._merged[shopper_id][0]

    def _nothing_seen(self) -> SeenIds:
        return SeenIds(OLDEST_MS + _DEDUPE_MARGIN_MS, most=self._most_ids)

    def weight(self, item: Batch) -> int:
        """The number of sightings in a request."""
        return max(1, len(item.items))

    def process(self, records: Records, items: Sequence[Batch]) -> GroupResult[Answer]:
        """Judges, keeps and follows up the sightings of many requests in the current transaction."""
        catalog, now, began_s = self._catalog(), self._clock.now(), self._clock.monotonic_s()
        self._renamed(items)
        matched = match_group(items, catalog, self._seen)
        self._seen.check_room(matched.keys.shape[1], received_at_ms=to_ms(now))
        step = Step(self._presences)
        records.sightings.add_sightings(matched.fixes)
        records.sightings.add_sightings(matched.reported)
        crossed, remember = self._crossings.fired(matched, catalog)
        told, decisions = self._follow(records, matched, step=step, crossed=crossed, catalog=catalog, now=now)
        records.sightings.add_evidence(matched.evidence, zone_version=catalog.version)
        step.keep(records)

        def publish() -> None:
            self._seen.add(matched.keys, received_at_ms=to_ms(now))
            step.publish()
            remember()
            observer = self._observer
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

    def refuse(self, records: Records, item: Batch, error: Exception) -> GroupResult[Answer]:
        """The answer for a sighting that cannot be processed; it is kept as a dead letter with the cause."""
        letters = letters_of(item, error, at=self._clock.now())
        for letter in letters:
            records.dead_letters.keep(letter, most=MOST_LETTERS)

        def publish() -> None:
            for letter in letters:
                self._observer.dead_letter()
                _log.error("sighting.unprocessable", error=repr(error), dead_letter=letter.id)

        detail = "this sighting could not be processed and was set aside; the others of its batch were taken"
        rejected = [Rejected(index, one.id, "unprocessable", detail) for index, one in item.items]
        return GroupResult([Answer(0, 0, 0, [*item.rejected, *rejected], [])], publish)

    def close(self, records: Records) -> Callable[[], None]:
        """Closes visits and presences that silence has ended; returns what to call after the commit."""
        catalog, now = self._catalog(), self._clock.now()
        close_visits(records, catalog=catalog, now=now)
        step = self._presences.over(to_ms(now), catalog)
        step.keep(records)

        def publish() -> None:
            step.publish()
            self._crossings.forget(to_ms(now))

        return publish

    def looked_up(self, records: Records, shopper_ids: Iterable[str]) -> list[Decision]:
        """Decides what shoppers are offered who looked something up where they are, in the current transaction."""
        catalog, now = self._catalog(), self._clock.now()
        fired = self._presences.researching(shopper_ids, catalog, at_ms=to_ms(now))
        return decide_fired(
            records, fired, inside=self._presences.inside, house=self._house, catalog=catalog, now=now
        )

    def _follow(
        self,
        records: Records,
        matched: Matched,
        *,
        step: Step,
        crossed: Sequence[Fired],
        catalog: Catalog,
        now: datetime,
    ) -> tuple[list[VisitEvent], list[Decision]]:
        number_of: dict[str, int] = {}
        fresh: dict[tuple[str, str], list[Evidence]] = {}
        for number, found in matched.told:
            for evidence in found:
                number_of[evidence.shopper_id] = number
                if evidence.zone_id == PREMISES:
                    fresh.setdefault((evidence.shopper_id, evidence.store_id), []).append(evidence)
        touched = {pair: min([one.at_ms for one in new]) for pair, new in fresh.items()}
        told = refresh_visits(records, touched, fresh=fresh, catalog=catalog, now=now)
        for event in told:
            matched.tallies[number_of[event.visit.shopper_id]].events.append(event_fields(event))
        fired = [*_moved(step, matched, catalog), *crossed]
        decisions = decide_fired(
            records, fired, inside=step.inside, house=self._house, catalog=catalog, now=now
        )
        if decisions:
            number_of = _numbers(matched) | number_of
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


def _count_out_of_range(matched: Matched, observer: Observer) -> None:
    why = [one.detail for tally in matched.tallies for one in tally.rejected if one.code == OUT_OF_RANGE]
    if why:
        observer.out_of_range(too_old=why.count(TOO_OLD), too_new=why.count(TOO_NEW))


def _numbers(matched: Matched) -> dict[str, int]:
    """For each shopper of a group a request of hers."""
    return {
        shopper_id: number
        for number, batch in enumerate(matched.batches)
        for shopper_id in batch.shoppers.values()
    }


def _moved(step: Step, matched: Matched, catalog: Catalog) -> list[Fired]:
    """What fires as each shopper comes and goes, in order of event time.

    A shopper's moves are her sightings: evidence moves presence on, and a fix ends what it is outside of.
    """
    told: dict[str, list[list[Evidence]]] = {}
    for _, found in matched.told:
        if found:
            told.setdefault(found[0].shopper_id, []).append(found)
    outside = _outside(step, matched, told)
    fired: list[Fired] = []
    for shopper_id in {**told, **outside}:
        moves = sorted(told.get(shopper_id, ()), key=lambda found: found[0].at_ms)
        fixes = _Fixes(step, shopper_id, outside.get(shopper_id, ()), catalog=catalog, fired=fired)
        zones = step.own(shopper_id)
        for found in moves:
            first = found[0]
            fixes.until(first.at_ms)
            touched = {(one.store_id, one.zone_id) for one in found}
            if first.accuracy_m is not None and not first.mocked and not zones.keys() <= touched:
                gone = step.leave(
                    shopper_id, first.at_ms, accuracy_m=first.accuracy_m, but=touched, catalog=catalog
                )
                if gone:
                    fix = first.device_id, first.sighting_id, first.at_ms
                    fired += _departed(gone, shopper_id, fix, catalog)
            for one in found:
                step.advance(one, catalog, fired)
        fixes.until(_NEVER_MS)
    return fired


class _Fixes:
    """A shopper's fixes outside every zone, by event time; only those are looked at that may end something."""

    def __init__(
        self, step: Step, shopper_id: str, rows: Sequence[Row], *, catalog: Catalog, fired: list[Fired]
    ) -> None:
        self._step = step
        self._shopper_id = shopper_id
        self._rows = sorted(rows, key=_at_ms)
        self._next = 0
        self._catalog = catalog
        self._fired = fired

    def until(self, at_ms: int) -> None:
        """Has the fixes before an instant end what they are outside of."""
        rows = self._rows
        while self._next < len(rows) and rows[self._next][AT_MS] < at_ms:
            since_ms = self._step.leavable_since(self._shopper_id)
            if since_ms is None:
                self._next = bisect_left(rows, at_ms, key=_at_ms)
                return
            if rows[self._next][AT_MS] < since_ms:
                self._next = bisect_left(rows, min(since_ms, at_ms), key=_at_ms)
                continue
            self._end(rows[self._next])
            self._next += 1

    def _end(self, row: Row) -> None:
        gone = self._step.leave(
            self._shopper_id, row[AT_MS], accuracy_m=row[ACCURACY_M], but=(), catalog=self._catalog
        )
        if gone:
            self._fired += _departed(
                gone, self._shopper_id, (row[DEVICE], row[ID], row[AT_MS]), self._catalog
            )


def _departed(
    gone: Sequence[tuple[tuple[str, str], int]], shopper_id: str, fix: tuple[str, str, int], catalog: Catalog
) -> list[Fired]:
    """The exit offers of zones that a fix (device, id, time) showed her to be outside of, with when she had come in."""
    device_id, sighting_id, at_ms = fix
    return [
        Fired(live, "exit", shopper_id, device_id, *zone, sighting_id, at_ms, since_ms)
        for zone, since_ms in gone
        for live in catalog.by_zone[zone]
        if isinstance(live.offer.trigger, Exit)
    ]


def _outside(step: Step, matched: Matched, told: Collection[str]) -> dict[str, list[Row]]:
    """The fixes outside every zone, of the shoppers for whom they may end something."""
    outside: dict[str, list[Row]] = {}
    for number, batch in enumerate(matched.batches):
        shoppers = batch.shoppers
        if not any(one in told or step.leavable_since(one) is not None for one in shoppers.values()):
            continue
        if len(shoppers) == 1:
            rows = list(matched.outside(number))
            if rows:
                (shopper_id,) = shoppers.values()
                outside.setdefault(shopper_id, []).extend(rows)
            continue
        for device_id, rows_of in groupby(matched.outside(number), key=itemgetter(DEVICE)):
            outside.setdefault(shoppers[device_id], []).extend(rows_of)
    return outside
