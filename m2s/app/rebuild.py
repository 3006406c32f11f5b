"""Do the visits still say what the evidence says? All of them folded anew, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice

from msgspec.structs import replace

from m2s.app.catalog import Catalog
from m2s.app.folding import Folded, fold_stays
from m2s.app.ports import Database, Records
from m2s.app.regulars import refresh_regulars
from m2s.app.retention import evidence_kept_since
from m2s.app.rivals import competes, contenders
from m2s.app.rows import VisitRow
from m2s.app.visit_events import with_names
from m2s.app.visits import close_visits
from m2s.core.base.instants import to_ms
from m2s.core.places.neighbours import Neighbours
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.marks import LONGEST_BRIDGE_MS, context_ms
from m2s.core.presence.rivals import outcomes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOPPERS = 100
"""Shoppers whose redemptions are asked for, and whose differences are written, together."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How much evidence was read, how many stays it tells, and how many were written or dropped to make it so."""

    evidence: int
    stays: int
    changed: int
    dropped: int


def rebuild_visits(
    database: Database,
    catalog: Catalog,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _evidence: None,
) -> Rebuilt:
    """Folds every stay anew from its evidence by the rules in force; `progress` is told how much evidence is read.

    Nobody is told of differences. Stays as they are: the names that a stay replaces, whose store is not in the
    catalog, and whose evidence is too old to be kept.
    """

    def work(records: Records) -> Rebuilt:
        close_visits(records, catalog=catalog, now=now)
        rebuild = _Rebuild(records, catalog, now=now)
        for shoppers in _batches(_shoppers(records.sightings.every_evidence(PREMISES))):
            rebuild.fold(shoppers)
            progress(rebuild.evidence)
        return Rebuilt(rebuild.evidence, rebuild.stays, changed=rebuild.changed, dropped=rebuild.dropped)

    return database.write(work)


def refold_shopper(records: Records, shopper_id: str, *, catalog: Catalog, now: datetime) -> None:
    """Folds the stays of one shopper anew as a rebuild would, in the transaction that is on."""
    stores = sorted(records.identities.earliest_evidence(shopper_id))
    pairs = [
        (
            store_id,
            [one for one in records.sightings.evidence(shopper_id, store_id, 0) if one.zone_id == PREMISES],
        )
        for store_id in stores
    ]
    _Rebuild(records, catalog, now=now).fold([(shopper_id, [pair for pair in pairs if pair[1]])])


_Pair = tuple[str, Sequence[Evidence]]
"""A store, and all evidence of one shopper there, oldest first."""


@dataclass(slots=True)
class _Again:
    """The stays of a pair that can be folded again, as they are and as evidence tells them; and those that cannot."""

    before: dict[str, VisitRow]
    after: list[Folded]
    older: Sequence[VisitRow]


class _Rebuild:
    """One rebuild under way, and its counts."""

    def __init__(self, records: Records, catalog: Catalog, *, now: datetime) -> None:
        self._records = records
        self._catalog = catalog
        self._now = now
        self._kept_since = evidence_kept_since(records)
        self.evidence = self.stays = self.changed = self.dropped = 0

    def fold(self, shoppers: Sequence[tuple[str, Sequence[_Pair]]]) -> None:
        """Folds the stays of some shoppers and keeps the difference."""
        proofs = self._records.coupons.redemption_times({shopper_id for shopper_id, _ in shoppers}, _EPOCH)
        gone: list[VisitRow] = []
        changed: list[VisitRow] = []
        pairs = []
        for shopper_id, stores in shoppers:
            again = []
            for store_id, evidence in stores:
                self.evidence += len(evidence)
                store = self._catalog.stores.get(store_id)
                if store is None or (store_id, PREMISES) not in self._catalog.rules:
                    continue
                pairs.append((shopper_id, store_id))
                times = proofs.get((shopper_id, store_id), ())
                again.append(self._fold((shopper_id, store), evidence, proofs=times))
            _settle(again, self._catalog.neighbours)
            for stays in again:
                after = {one.row.id: one.row for one in stays.after}
                for row in stays.before.values():
                    if row.replaces is not None and row.id in after:
                        after[row.id] = with_names(after[row.id], row, replaced=(), beside=after)
                self.stays += len(after)
                gone += [row for row in stays.before.values() if row.id not in after]
                changed += [row for row in after.values() if stays.before.get(row.id) != row]
        self.changed += len(changed)
        self.dropped += len(gone)
        self._records.sightings.drop_visits(gone)
        self._records.sightings.put_visits(changed)
        refresh_regulars(self._records, pairs, self._catalog)

    def _fold(
        self, pair: tuple[str, Store], evidence: Sequence[Evidence], *, proofs: Sequence[datetime]
    ) -> _Again:
        shopper_id, store = pair
        rows = self._records.sightings.visits_since(shopper_id, store.id, _EPOCH)
        since_ms = 0
        older: Sequence[VisitRow] = ()
        if self._kept_since is not None:
            gap_ms = int(store.visit.gap_merge_s * 1000)
            since_ms = to_ms(self._kept_since) + context_ms(gap_ms) + LONGEST_BRIDGE_MS
            older = [row for row in rows if to_ms(row.start_at) < since_ms]
            since_ms = max([since_ms, *(to_ms(row.end_at) + 1 for row in older)])
            rows = rows[len(older) :]
        folded = fold_stays(
            pair, evidence, proofs=proofs, since_ms=since_ms, catalog=self._catalog, now=self._now
        )
        return _Again({row.id: row for row in rows}, folded, older)


def _settle(again: Sequence[_Again], neighbours: Neighbours) -> None:
    """Gives one shopper's stays the kinds that rivals leave them; next to one that cannot be folded none changes."""
    kinds = outcomes(contenders(one for stays in again for one in stays.after), neighbours)
    older = [row for stays in again for row in stays.older if competes(row)]
    for stays in again:
        for one in stays.after:
            known = stays.before.get(one.row.id)
            beside = (row for row in older if row.store_id in neighbours.get(one.row.store_id, ()))
            if one.row.id not in kinds:
                continue
            if known is not None and any(row.end_at >= one.row.start_at for row in beside):
                one.row = replace(one.row, kind=known.kind)
            else:
                one.row = replace(one.row, kind=kinds[one.row.id].value)


def _shoppers(evidence: Iterable[Evidence]) -> Iterator[tuple[str, Sequence[_Pair]]]:
    for shopper_id, of_shopper in groupby(evidence, key=lambda one: one.shopper_id):
        by_store = groupby(of_shopper, key=lambda one: one.store_id)
        yield shopper_id, [(store_id, list(group)) for store_id, group in by_store]


def _batches(
    shoppers: Iterator[tuple[str, Sequence[_Pair]]],
) -> Iterator[Sequence[tuple[str, Sequence[_Pair]]]]:
    while batch := list(islice(shoppers, _SHOPPERS)):
        yield batch
