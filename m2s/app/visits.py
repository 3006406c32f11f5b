"""Which visits does new evidence make, change or take back? Each touched stay is folded again from its evidence.

The fold is pure and free of order, and so is the contest with stays next door: what is kept is always what the sorted
evidence says.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from msgspec.structs import replace

from m2s.app.catalog import Catalog
from m2s.app.folding import LOOK_BACK, fold_since, fold_stays, gap_ms_of, may_go_on
from m2s.app.ports import Pair, Records
from m2s.app.rivals import Refolded, settle
from m2s.app.rows import VisitRow
from m2s.app.telling import tell_visits
from m2s.app.visit_events import VisitEvent, has_ended, tell
from m2s.core.base.instants import from_ms
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.marks import REACH_MS, context_ms
from m2s.core.presence.visit import LONGEST_STAY_MS

_PROOF_BEFORE_END = timedelta(milliseconds=LONGEST_STAY_MS) + timedelta(days=1)
"""How far before the end of a stay its redemption can be: the longest stay, and a gap before it, which is no day."""
_NEXT_DOOR = 2 * timedelta(milliseconds=LONGEST_STAY_MS)
"""How much earlier than a touched stay one can end that competes with one that competes with it."""


def refresh_visits(
    records: Records,
    touched: Mapping[tuple[str, str], int],
    *,
    fresh: Mapping[tuple[str, str], Sequence[Evidence]] = MappingProxyType({}),
    catalog: Catalog,
    now: datetime,
) -> list[VisitEvent]:
    """Folds the stays that new evidence can have changed, keeps the difference and returns what is to be told of it.

    `touched` gives for each (shopper_id, store_id) the earliest event time (ms) of what is new; `fresh` the new
    evidence that is not stored yet.
    """
    if not touched:
        return []
    touched = {pair: at_ms for pair, at_ms in touched.items() if pair[1] in catalog.stores}
    since = from_ms(min(touched.values(), default=0)) - LOOK_BACK - _PROOF_BEFORE_END - _NEXT_DOOR
    proofs = records.coupons.redemption_times({shopper_id for shopper_id, _ in touched}, since)
    refolded = _refold(records, touched, fresh=fresh, proofs=proofs, catalog=catalog, now=now)
    beside = settle(refolded, records, proofs=proofs, catalog=catalog, now=now)
    gone: list[VisitRow] = []
    changed: list[VisitRow] = []
    told: list[VisitEvent] = []
    ended: list[VisitRow] = []
    for pair in {**refolded, **beside}:
        before, now_there = beside.get(pair, ((), ()))
        stays = refolded.get(pair)
        if stays is not None:
            before, now_there = [*before, *stays.before], [*now_there, *(one.row for one in stays.after)]
        if not before and not now_there:
            continue
        was = {row.id: row for row in before}
        after, events = tell(was, now_there)
        gone += [row for row in was.values() if row.id not in after]
        changed += [row for row in after.values() if was.get(row.id) != row]
        ended += [row for row in after.values() if has_ended(row, was.get(row.id))]
        told += events
    records.sightings.drop_visits(gone)
    records.sightings.put_visits(changed)
    tell_visits(records, told, ended, at=now)
    return told


def _refold(
    records: Records,
    touched: Mapping[Pair, int],
    *,
    fresh: Mapping[Pair, Sequence[Evidence]],
    proofs: Mapping[Pair, Sequence[datetime]],
    catalog: Catalog,
    now: datetime,
) -> dict[Pair, Refolded]:
    """The touched stays as they were and as they are, each as if there were no store next door."""
    end_since = {pair: from_ms(at_ms) - LOOK_BACK for pair, at_ms in touched.items()}
    before = records.sightings.visits_of(end_since)
    gaps_ms = {pair: gap_ms_of(catalog, pair[1]) for pair in touched}
    since_ms = {
        pair: fold_since(at_ms, before.get(pair, ()), gap_ms=gaps_ms[pair]) for pair, at_ms in touched.items()
    }
    stored = records.sightings.evidence_of(
        {pair: at_ms - context_ms(gaps_ms[pair]) for pair, at_ms in since_ms.items()}
    )
    refolded = {}
    for pair, at_ms in touched.items():
        after = fold_stays(
            (pair[0], catalog.stores[pair[1]]),
            [*stored.get(pair, ()), *fresh.get(pair, ())],
            proofs=proofs.get(pair, ()),
            since_ms=since_ms[pair],
            catalog=catalog,
            now=now,
        )
        refolded[pair] = Refolded(
            before.get(pair, ()),
            [one for one in after if one.row.end_at >= end_since[pair]],
            from_ms(at_ms - REACH_MS - gaps_ms[pair]),
        )
    return refolded


def close_visits(records: Records, *, catalog: Catalog, now: datetime) -> None:
    """Closes the stays that can no longer go on: no evidence for longer than their store merges over.

    Whoever wants to be told of visits is told that these are over.
    """
    shortest = min((store.visit.gap_merge_s for store in catalog.stores.values()), default=0)
    done = []
    for row in records.sightings.open_visits(now - timedelta(seconds=shortest)):
        store = catalog.stores.get(row.store_id)
        if store is None or not may_go_on(row.end_at, store, now):
            done.append(replace(row, status="closed"))
    records.sightings.put_visits(done)
    tell_visits(records, (), [row for row in done if has_ended(row, None)], at=now)
