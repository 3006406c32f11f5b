"""Which stays count in the figures, and why do the others not?"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from m2s.app.catalog import Catalog
from m2s.app.ports import Pair, Records
from m2s.app.rows import RegularRow, VisitRow
from m2s.core.presence.regulars import Reason
from m2s.core.presence.visit import LONGEST_STAY_MS, StayKind

REVISIT = "revisit"
_EARLIER = timedelta(milliseconds=LONGEST_STAY_MS) + timedelta(hours=4)
"""How long before a visit another one can begin that it is one with: the longest stay and the longest cooldown."""
_COUNTED = (StayKind.VISIT, StayKind.PASSER_BY)


@dataclass(frozen=True, slots=True)
class Counted:
    """The stays that start in a span: visits and passers-by, and those set aside, each with the reason."""

    stays: Sequence[VisitRow]
    aside: Sequence[tuple[VisitRow, str]]

    @property
    def visits(self) -> list[VisitRow]:
        """The visits."""
        return [stay for stay in self.stays if stay.kind == StayKind.VISIT]


def counted_stays(
    records: Records,
    catalog: Catalog,
    since: datetime,
    *,
    until: datetime,
    store_id: str | None = None,
    kinds: Collection[str] | None = None,
) -> Counted:
    """What counts of the stays that start in [since, until).

    Staff and residents do not count (staff before resident), nor does a visit soon after another one, nor do stays that
    are of another kind than visits and passers-by. Only stays of these `kinds` are looked at, where they are named.
    """
    earlier = since - _EARLIER
    stays = records.reports.visits(earlier, until, store_id=store_id, kinds=kinds)
    regulars = _by_pair(records.regulars.between(earlier, until, store_id=store_id))
    cooldowns = {
        store.id: timedelta(seconds=store.visit.revisit_cooldown_s) for store in catalog.stores.values()
    }
    last: dict[Pair, datetime] = {}
    counted, aside = [], []
    for stay in stays:
        pair = (stay.shopper_id, stay.store_id)
        reason = _regular(stay, regulars.get(pair, ()))
        if reason is None and stay.kind == StayKind.VISIT:
            soon = pair in last and stay.start_at - last[pair] < cooldowns.get(stay.store_id, timedelta(0))
            reason = REVISIT if soon else None
            last[pair] = stay.end_at
        elif reason is None and stay.kind not in _COUNTED:
            reason = stay.kind
        if stay.start_at >= since:
            if reason is None:
                counted.append(stay)
            else:
                aside.append((stay, reason))
    return Counted(counted, aside)


def _by_pair(regulars: Iterable[RegularRow]) -> Mapping[Pair, Sequence[RegularRow]]:
    spans: dict[Pair, list[RegularRow]] = {}
    for row in regulars:
        spans.setdefault((row.shopper_id, row.store_id), []).append(row)
    return spans


def _regular(stay: VisitRow, spans: Iterable[RegularRow]) -> str | None:
    reasons = {row.reason for row in spans if row.since <= stay.start_at < row.until}
    return next((reason.value for reason in (Reason.STAFF, Reason.RESIDENT) if reason in reasons), None)
