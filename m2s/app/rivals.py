"""Which visits does new evidence make or unmake next door? Stays at neighbouring stores compete, see the core's rivals.

Kinds of rows say which stays compete, but not how they score: only where rows do compete, their evidence is folded
again. New evidence reaches stays next door, and for their rivals one store farther, but no more.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from m2s.app.catalog import Catalog
from m2s.app.folding import LOOK_BACK, Folded, fold_since, fold_stays, gap_ms_of
from m2s.app.ports import Pair, Records
from m2s.app.rows import VisitRow
from m2s.core.base.instants import to_ms
from m2s.core.presence.marks import context_ms
from m2s.core.presence.rivals import Contender, outcomes
from m2s.core.presence.visit import StayKind

_CONTESTED = (StayKind.VISIT, StayKind.ELSEWHERE, StayKind.AMBIGUOUS)
"""The kinds of stays that would be visits if there were no store next door."""
_COMPETING = (*_CONTESTED, StayKind.TOO_LONG)

_Rows = dict[Pair, list[VisitRow]]


# Made for every pair that is touched: frozen would take three times as long. Nobody changes one.
@dataclass(slots=True)
class Refolded:
    """The stays of a pair that were folded again: as they were, as they are, and since when evidence is new.

    Stays that ended before `new_since` and are as they were have their kind already.
    """

    before: Sequence[VisitRow]
    after: list[Folded]
    new_since: datetime


def competes(row: VisitRow) -> bool:
    """Whether a stay is a rival of those next door: it would be a visit, or is too long to be one."""
    return row.kind in _COMPETING


def settle(
    refolded: Mapping[Pair, Refolded],
    records: Records,
    *,
    proofs: Mapping[Pair, Sequence[datetime]],
    catalog: Catalog,
    now: datetime,
) -> dict[Pair, tuple[list[VisitRow], list[VisitRow]]]:
    """Gives the folded stays the kinds that their rivals leave them.

    Returns where more stays change their kind next door, with all others there that such a change can concern: as they
    were, and as they are.
    """
    if not any(store_id in catalog.neighbours for _, store_id in refolded):
        return {}
    moved = {
        pair: rows
        for pair, stays in refolded.items()
        if pair[1] in catalog.neighbours and (rows := _moved(stays))
    }
    if not moved:
        return {}
    contest = _Contest(records, catalog, refolded=refolded, proofs=proofs, now=now)
    beside = contest.beside(moved)
    kinds = contest.outcomes({shopper_id for shopper_id, _ in moved}, (beside, contest.beside(beside)))
    _judge(refolded, kinds, {row.id for rows in (*moved.values(), *beside.values()) for row in rows})
    return contest.changed(beside, kinds)


def _judge(
    refolded: Mapping[Pair, Refolded], kinds: Mapping[str, StayKind], targets: Collection[str]
) -> None:
    for stays in refolded.values():
        for one in stays.after:
            if one.row.id in targets and one.row.id in kinds:
                one.row = replace(one.row, kind=kinds[one.row.id].value)


def contenders(stays: Iterable[Folded]) -> list[Contender]:
    """Those of the stays that compete."""
    return [
        Contender(
            one.row.id,
            one.row.store_id,
            to_ms(one.row.start_at),
            to_ms(one.row.end_at),
            one.score,
            one.proven,
            one.row.kind in _CONTESTED,
        )
        for one in stays
        if competes(one.row)
    ]


def _moved(stays: Refolded) -> list[VisitRow]:
    """The rows that compete, as they were and as they are, where anything may be otherwise; others get their kind."""
    was = {row.id: row for row in stays.before}
    moved = []
    for one in stays.after:
        old = was.pop(one.row.id, None)
        if not competes(one.row):
            moved += [old] if old is not None and competes(old) else []
        elif old is None or not _same(old, one.row) or one.row.end_at >= stays.new_since:
            moved += [one.row] if old is None else [one.row, old]
        else:
            one.row = replace(one.row, kind=old.kind)
    return moved + [old for old in was.values() if competes(old)]


def _same(old: VisitRow, row: VisitRow) -> bool:
    """Whether a stay is as it was, whatever its rivals made of it."""
    kind = StayKind.VISIT if old.kind in _CONTESTED else old.kind
    return (kind, old.start_at, old.end_at, old.confidence) == (
        row.kind,
        row.start_at,
        row.end_at,
        row.confidence,
    )


class _Contest:
    """One look at who competes with whom."""

    def __init__(
        self,
        records: Records,
        catalog: Catalog,
        *,
        refolded: Mapping[Pair, Refolded],
        proofs: Mapping[Pair, Sequence[datetime]],
        now: datetime,
    ) -> None:
        self._records = records
        self._catalog = catalog
        self._refolded = refolded
        self._proofs = proofs
        self._now = now
        self._of: dict[str, list[Folded]] = {}
        for (shopper_id, _), stays in refolded.items():
            self._of.setdefault(shopper_id, []).extend(stays.after)
        self._folded = {one.row.id for mine in self._of.values() for one in mine}

    def beside(self, rows: _Rows) -> _Rows:
        """The stays next door that overlap any of these in time and could be a visit, but none of these."""
        near: dict[Pair, list[VisitRow]] = {}
        for (shopper_id, store_id), mine in rows.items():
            for other in self._catalog.neighbours.get(store_id, ()):
                near.setdefault((shopper_id, other), []).extend(mine)
        since = {pair: min(row.start_at for row in others) for pair, others in near.items()}
        kept = self._records.sightings.visits_of(since)
        beside: _Rows = {}
        for pair, others in near.items():
            known = {row.id for row in rows.get(pair, ())}
            drawn = [
                row
                for row in self._now_at(pair, kept.get(pair, ()))
                if row.id not in known and competes(row) and _overlaps(row, others)
            ]
            if drawn:
                beside[pair] = drawn
        return beside

    def _now_at(self, pair: Pair, kept: Sequence[VisitRow]) -> list[VisitRow]:
        """The stays of a pair, those that were folded again as they are now."""
        stays = self._refolded.get(pair)
        if stays is None:
            return list(kept)
        gone = {row.id for row in stays.before}
        return [row for row in kept if row.id not in gone] + [one.row for one in stays.after]

    def outcomes(self, shopper_ids: Iterable[str], beside: Iterable[_Rows]) -> dict[str, StayKind]:
        """What each of these shoppers' stays is, by its id."""
        drawn: dict[Pair, dict[str, VisitRow]] = {}
        for found in beside:
            for pair, rows in found.items():
                fresh = {row.id: row for row in rows if row.id not in self._folded}
                if fresh:
                    drawn.setdefault(pair, {}).update(fresh)
        stays = {shopper_id: contenders(self._of[shopper_id]) for shopper_id in shopper_ids}
        for (shopper_id, _), again in self._fold(drawn).items():
            stays[shopper_id] += contenders(again)
        kinds: dict[str, StayKind] = {}
        for mine in stays.values():
            kinds |= outcomes(mine, self._catalog.neighbours)
        return kinds

    def changed(
        self, beside: _Rows, kinds: Mapping[str, StayKind]
    ) -> dict[Pair, tuple[list[VisitRow], list[VisitRow]]]:
        """See `settle`; what was folded again is not among them."""
        other = {
            pair: min(row.start_at for row in rows) - LOOK_BACK
            for pair, rows in beside.items()
            if any(kinds.get(row.id, row.kind) != row.kind for row in rows)
        }
        found = {}
        for pair, kept in self._records.sightings.visits_of(other).items():
            stays = self._refolded.get(pair)
            known = set() if stays is None else {row.id for row in stays.before}
            drawn = {row.id for row in beside[pair]}
            was = [row for row in kept if row.id not in known]
            now = [
                replace(row, kind=kinds[row.id].value) if row.id in drawn and row.id in kinds else row
                for row in was
            ]
            found[pair] = (was, now)
        return found

    def _fold(self, drawn: Mapping[Pair, Mapping[str, VisitRow]]) -> dict[Pair, list[Folded]]:
        """These stays with their scores; one that its evidence tells otherwise, by newer rules, is absent."""
        first = {pair: min(row.start_at for row in rows.values()) for pair, rows in drawn.items()}
        known = self._records.sightings.visits_of({pair: at - LOOK_BACK for pair, at in first.items()})
        gaps_ms = {pair: gap_ms_of(self._catalog, pair[1]) for pair in drawn}
        since_ms = {
            pair: fold_since(to_ms(at), known.get(pair, ()), gap_ms=gaps_ms[pair])
            for pair, at in first.items()
        }
        evidence = self._records.sightings.evidence_of(
            {pair: ms - context_ms(gaps_ms[pair]) for pair, ms in since_ms.items()}
        )
        folded = {
            pair: fold_stays(
                (pair[0], self._catalog.stores[pair[1]]),
                evidence.get(pair, ()),
                proofs=self._proofs.get(pair, ()),
                since_ms=since_ms[pair],
                catalog=self._catalog,
                now=self._now,
            )
            for pair in drawn
        }
        return {pair: [one for one in again if one.row.id in drawn[pair]] for pair, again in folded.items()}


def _overlaps(row: VisitRow, others: Iterable[VisitRow]) -> bool:
    return any(row.start_at <= other.end_at and other.start_at <= row.end_at for other in others)
