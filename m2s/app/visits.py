"""Which visits does new evidence make, change or take back? Each touched stay is folded again from its evidence.

The fold is pure and free of order, so what is kept is always what the sorted evidence says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from m2s.app.catalog import Catalog
from m2s.app.ports import Records
from m2s.app.rows import VisitRow
from m2s.app.visit_events import VisitEvent, tell
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.places.hours import hours_of
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.marks import LONGEST_BRIDGE_MS, REACH_MS, context_ms
from m2s.core.presence.visit import (
    LONGEST_STAY_MS,
    RULE_VERSION,
    Stay,
    StayRules,
    classify,
    stays,
    visit_id,
)

_LOOK_BACK = timedelta(milliseconds=LONGEST_BRIDGE_MS + REACH_MS)
"""New evidence changes no stay that ended earlier than this before it."""
_PROOF_BEFORE_END = timedelta(milliseconds=LONGEST_STAY_MS) + timedelta(days=1)
"""How far before the end of a stay its redemption can be: the longest stay, and a gap before it, which is no day."""


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
    since = from_ms(min(touched.values(), default=0)) - _LOOK_BACK - _PROOF_BEFORE_END
    proofs = records.coupons.redemption_times({shopper_id for shopper_id, _ in touched}, since)
    end_since = {pair: from_ms(at_ms) - _LOOK_BACK for pair, at_ms in touched.items()}
    before = records.sightings.visits_of(end_since)
    since_ms = {
        pair: _fold_since(at_ms, before.get(pair, ()), rules=catalog.rules[pair[1], PREMISES])
        for pair, at_ms in touched.items()
    }
    stored = records.sightings.evidence_of(
        {
            pair: at_ms - context_ms(_gap_ms(catalog.rules[pair[1], PREMISES]))
            for pair, at_ms in since_ms.items()
        }
    )
    changes = [
        _change(
            before.get(pair, ()),
            fold_stays(
                (pair[0], catalog.stores[pair[1]]),
                [*stored.get(pair, ()), *fresh.get(pair, ())],
                proofs=proofs.get(pair, ()),
                since_ms=since_ms[pair],
                catalog=catalog,
                now=now,
            ),
            end_since=end_since[pair],
        )
        for pair in touched
    ]
    records.sightings.drop_visits([row for change in changes for row in change.gone])
    records.sightings.put_visits([row for change in changes for row in change.changed])
    return [event for change in changes for event in change.events]


def close_visits(records: Records, *, catalog: Catalog, now: datetime) -> None:
    """Closes the stays that can no longer go on: no evidence for longer than their store merges over."""
    shortest = min((store.visit.gap_merge_s for store in catalog.stores.values()), default=0)
    done = []
    for row in records.sightings.open_visits(now - timedelta(seconds=shortest)):
        store = catalog.stores.get(row.store_id)
        if store is None or not _may_go_on(row.end_at, store, now):
            done.append(replace(row, status="closed"))
    records.sightings.put_visits(done)


@dataclass(frozen=True, slots=True)
class _Change:
    """What new evidence changes among the stays of one shopper at one store."""

    gone: Sequence[VisitRow]
    changed: Sequence[VisitRow]
    events: Sequence[VisitEvent]


def _gap_ms(rules: StayRules) -> int:
    return int(rules.gap_merge_s * 1000)


def _fold_since(earliest_ms: int, before: Sequence[VisitRow], *, rules: StayRules) -> int:
    """From when the stays are to be folded that new evidence since `earliest_ms` may change."""
    return min([earliest_ms - REACH_MS - _gap_ms(rules), *(to_ms(row.start_at) for row in before)])


def _change(before: Sequence[VisitRow], folded: Sequence[VisitRow], *, end_since: datetime) -> _Change:
    was = {row.id: row for row in before}
    after, events = tell(was, (row for row in folded if row.end_at >= end_since))
    return _Change(
        gone=[row for row in before if row.id not in after],
        changed=[row for row in after.values() if was.get(row.id) != row],
        events=events,
    )


def fold_stays(
    pair: tuple[str, Store],
    evidence: Sequence[Evidence],
    *,
    proofs: Sequence[datetime],
    since_ms: int,
    catalog: Catalog,
    now: datetime,
) -> list[VisitRow]:
    """The stays of a shopper at a store since an instant, oldest first, as its evidence and redemptions tell them."""
    shopper_id, store = pair
    rules = catalog.rules[store.id, PREMISES]
    found = stays(evidence, rules, proofs_ms=[to_ms(at) for at in proofs], since_ms=since_ms)
    return [_row(shopper_id, store, stay, rules=rules, now=now) for stay in found]


def _row(shopper_id: str, store: Store, stay: Stay, *, rules: StayRules, now: datetime) -> VisitRow:
    start, end = from_ms(stay.start_ms), from_ms(stay.end_ms)
    hours = hours_of(store.opening_hours, store.timezone, store.country)
    open_share = hours.open_share(start, end) if stay.dwell_s >= rules.beacon_dwell_min_s else None
    kind = classify(stay, rules, open_share=open_share)
    return VisitRow(
        id=visit_id(shopper_id, store.id, stay=stay),
        shopper_id=shopper_id,
        store_id=store.id,
        start_at=start,
        end_at=end,
        dwell_s=stay.dwell_s,
        kind=kind.value,
        confidence=stay.confidence.value,
        status="open" if _may_go_on(end, store, now) else "closed",
        sources=",".join(stay.sources),
        replaces=None,
        rule_version=RULE_VERSION,
    )


def _may_go_on(end: datetime, store: Store, now: datetime) -> bool:
    return now - end <= timedelta(seconds=store.visit.gap_merge_s)
