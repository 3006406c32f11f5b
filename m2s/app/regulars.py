"""Whose stays at which store are set aside over several days? Found again when new evidence comes of a pair.

The spans are a projection of the stays, as visits are one of evidence: this job and a rebuild find the same.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from threading import Event
from zoneinfo import ZoneInfo

from m2s.app.catalog import Catalog
from m2s.app.ports import Database, Pair, Records
from m2s.app.retention import evidence_kept_since
from m2s.app.rows import RegularRow, VisitRow
from m2s.core.base.instants import Clock, to_ms
from m2s.core.places.hours import hours_of
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence, Kind
from m2s.core.presence.regulars import (
    REACH_DAYS,
    PastStay,
    Reason,
    Regular,
    comes_often,
    merged,
    regular_spans,
)
from m2s.core.presence.visit import StayKind

MOST_S = 120.0
"""How long one run takes at most; the next one goes on where it ended."""

_PIECE = 20_000
"""Rows of evidence whose shoppers are looked at together."""
_REST = 1
"""For how many times the length of a piece nothing is looked at after it: sightings come first."""
_AFTER = "regulars_after_seq"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REACH = timedelta(days=REACH_DAYS)


class Regulars:
    """Recognises staff and residents among those of whom there is new evidence."""

    def __init__(self, database: Database, clock: Clock, *, catalog: Callable[[], Catalog]) -> None:
        self._database = database
        self._clock = clock
        self._catalog = catalog
        self._stopped = Event()

    def stop(self) -> None:
        """Ends the run that is on after the piece that is on; for a process that is about to end."""
        self._stopped.set()

    def run(self, _now: datetime) -> None:
        """Goes through the evidence that came since the last run, for MOST_S seconds at most."""
        began_s = self._clock.monotonic_s()
        until_s = began_s + MOST_S
        while began_s < until_s and not self._stopped.is_set() and self._piece():
            self._stopped.wait(_REST * (self._clock.monotonic_s() - began_s))
            began_s = self._clock.monotonic_s()

    def _piece(self) -> bool:
        """Whether there was anything left to look at."""
        with self._database.read() as records:
            after_seq = int(records.catalog.setting(_AFTER) or 0)
            pairs, last_seq = records.regulars.pairs_after(after_seq, zone_id=PREMISES, limit=_PIECE)
            found = _changes(records, pairs, self._catalog())
        if last_seq == after_seq:
            return False

        def work(records: Records) -> None:
            records.regulars.replace(found)
            records.catalog.keep_setting(_AFTER, str(last_seq))

        self._database.write(work)
        return True


def refresh_regulars(records: Records, pairs: Collection[Pair], catalog: Catalog) -> None:
    """Finds anew when the shoppers were regulars of the stores, and keeps the difference."""
    records.regulars.replace(_changes(records, pairs, catalog))


def _changes(records: Records, pairs: Collection[Pair], catalog: Catalog) -> dict[Pair, Sequence[RegularRow]]:
    """What there is to be kept of the pairs for which it is not what is kept."""
    # What is new at one store can change what stays next door are.
    known = {
        (shopper_id, store_id)
        for shopper_id, here in pairs
        for store_id in (here, *catalog.neighbours.get(here, ()))
        if store_id in catalog.stores
    }
    kept_since = evidence_kept_since(records) or _EPOCH
    stays = records.sightings.visits_of(dict.fromkeys(known, max(_EPOCH, kept_since - _REACH)))
    kept = records.regulars.of(known)
    changes: dict[Pair, Sequence[RegularRow]] = {}
    for pair in known:
        before = kept.get(pair, [])
        spans = _spans(records, pair, stays.get(pair, ()), store=catalog.stores[pair[1]])
        # Stays of before are complete no more, and what they told is final.
        final = kept_since + _REACH
        older = [
            Regular(Reason(row.reason), row.since, min(row.until, final))
            for row in before
            if row.since < kept_since
        ]
        after = [
            RegularRow(*pair, span.reason.value, span.since, span.until) for span in merged([*older, *spans])
        ]
        if after != before:
            changes[pair] = after
    return changes


def _spans(records: Records, pair: Pair, stays: Sequence[VisitRow], *, store: Store) -> list[Regular]:
    stays = [row for row in stays if row.kind != StayKind.ELSEWHERE]
    if not stays or stays[-1].end_at - stays[0].start_at < timedelta(days=1):
        return []
    zone = ZoneInfo(store.timezone)
    visits = [row for row in stays if row.kind == StayKind.VISIT]
    medians: Mapping[str, float] = {}
    if comes_often((row.start_at for row in visits), zone):
        since_ms = to_ms(visits[0].start_at)
        medians = _medians(visits, records.sightings.evidence(*pair, since_ms), store=store)
    hours = hours_of(store.opening_hours, store.timezone, store.country, subdivision=store.subdivision)
    past = (
        PastStay(
            row.start_at,
            row.end_at,
            closed=hours.closed_parts(row.start_at, row.end_at),
            inside_probability=medians.get(row.id),
        )
        for row in stays
    )
    return regular_spans(past, zone)


def _medians(visits: Iterable[VisitRow], evidence: Iterable[Evidence], *, store: Store) -> dict[str, float]:
    """The median inside-probability of the positions of each visit that has any."""
    fixes = [
        one
        for one in evidence
        if one.kind is Kind.LOCATION
        and one.zone_id == PREMISES
        and not one.mocked
        and (one.accuracy_m or 0) <= store.visit.max_accuracy_m
    ]
    times = [one.at_ms for one in fixes]
    found = {}
    for row in visits:
        first, end = bisect_left(times, to_ms(row.start_at)), bisect_right(times, to_ms(row.end_at))
        if first < end:
            found[row.id] = median(one.inside_probability for one in fixes[first:end])
    return found
