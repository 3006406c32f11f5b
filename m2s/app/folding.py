"""Which stays does the evidence of a shopper at a store tell, as rows? Each as if there were no other store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from m2s.app.catalog import Catalog
from m2s.app.rows import VisitRow
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.places.hours import hours_of
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.marks import LONGEST_BRIDGE_MS, REACH_MS
from m2s.core.presence.rules import StayRules
from m2s.core.presence.visit import RULE_VERSION, Stay, StayKind, classify, stays, visit_id

LOOK_BACK = timedelta(milliseconds=LONGEST_BRIDGE_MS + REACH_MS)
"""New evidence changes no stay that ended earlier than this before it."""


class Folded(msgspec.Struct, gc=False):
    """A stay as a row, with what it brings to a contest with stays next door."""

    row: VisitRow
    score: float
    proven: bool


def fold_stays(
    pair: tuple[str, Store],
    evidence: Sequence[Evidence],
    *,
    proofs: Sequence[datetime],
    since_ms: int,
    catalog: Catalog,
    now: datetime,
) -> list[Folded]:
    """The stays of a shopper at a store since an instant, oldest first, as its evidence and redemptions tell them."""
    shopper_id, store = pair
    rules = catalog.rules[store.id, PREMISES]
    found = stays(evidence, rules, proofs_ms=[to_ms(at) for at in proofs], since_ms=since_ms)
    return [
        Folded(_row(shopper_id, store, stay, rules=rules, now=now), stay.score, stay.proven) for stay in found
    ]


def fold_since(earliest_ms: int, before: Sequence[VisitRow], *, gap_ms: int) -> int:
    """From when the stays are to be folded that evidence since `earliest_ms` may change.

    `before` are those that ended at most LOOK_BACK before it.
    """
    return min([earliest_ms - REACH_MS - gap_ms, *(to_ms(row.start_at) for row in before)])


def gap_ms_of(catalog: Catalog, store_id: str) -> int:
    """The gap up to which stays at a store are one."""
    return int(catalog.rules[store_id, PREMISES].gap_merge_s * 1000)


def may_go_on(end: datetime, store: Store, now: datetime) -> bool:
    """Whether evidence of now would still belong to a stay that ended then."""
    return now - end <= timedelta(seconds=store.visit.gap_merge_s)


def _row(shopper_id: str, store: Store, stay: Stay, *, rules: StayRules, now: datetime) -> VisitRow:
    start, end = from_ms(stay.start_ms), from_ms(stay.end_ms)
    open_share = None
    if stay.dwell_s >= rules.beacon_dwell_min_s:
        hours = hours_of(store.opening_hours, store.timezone, store.country, subdivision=store.subdivision)
        open_share = hours.open_share(start, end)
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
        # Nobody is told of a passer-by: nothing of her has to be closed later.
        status="open" if kind is not StayKind.PASSER_BY and may_go_on(end, store, now) else "closed",
        sources=",".join(stay.sources),
        replaces=None,
        rule_version=RULE_VERSION,
    )
