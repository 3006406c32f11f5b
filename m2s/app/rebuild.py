"""Do the visits still say what the evidence says? All of them folded anew, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice

from m2s.app.catalog import Catalog
from m2s.app.ports import Database, Records
from m2s.app.retention import evidence_kept_since
from m2s.app.rows import VisitRow
from m2s.app.visits import close_visits, fold_stays
from m2s.core.base.instants import to_ms
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.marks import LONGEST_BRIDGE_MS, context_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAIRS = 500
"""Shoppers at stores whose redemptions are asked for, and whose differences are written, together."""


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
        for pairs in _batches(_pairs(records.sightings.every_evidence(PREMISES))):
            rebuild.fold(pairs)
            progress(rebuild.evidence)
        return Rebuilt(rebuild.evidence, rebuild.stays, changed=rebuild.changed, dropped=rebuild.dropped)

    return database.write(work)


_Pair = tuple[tuple[str, str], Sequence[Evidence]]
"""A shopper and a store, and all evidence of her there, oldest first."""


class _Rebuild:
    """One rebuild under way, and its counts."""

    def __init__(self, records: Records, catalog: Catalog, *, now: datetime) -> None:
        self._records = records
        self._catalog = catalog
        self._now = now
        self._kept_since = evidence_kept_since(records)
        self.evidence = self.stays = self.changed = self.dropped = 0

    def fold(self, pairs: Sequence[_Pair]) -> None:
        """Folds the stays of some pairs and keeps the difference."""
        shopper_ids = {shopper_id for (shopper_id, _), _ in pairs}
        proofs = self._records.coupons.redemption_times(shopper_ids, _EPOCH)
        gone: list[VisitRow] = []
        changed: list[VisitRow] = []
        for (shopper_id, store_id), evidence in pairs:
            self.evidence += len(evidence)
            store = self._catalog.stores.get(store_id)
            if store is None or (store_id, PREMISES) not in self._catalog.rules:
                continue
            times = proofs.get((shopper_id, store_id), ())
            before, after = self._fold((shopper_id, store), evidence, proofs=times)
            self.stays += len(after)
            gone += [row for row in before.values() if row.id not in after]
            changed += [row for row in after.values() if before.get(row.id) != row]
        self.changed += len(changed)
        self.dropped += len(gone)
        self._records.sightings.drop_visits(gone)
        self._records.sightings.put_visits(changed)

    def _fold(
        self, pair: tuple[str, Store], evidence: Sequence[Evidence], *, proofs: Sequence[datetime]
    ) -> tuple[dict[str, VisitRow], dict[str, VisitRow]]:
        """The stays of a pair that can be folded again: as they are, and as the evidence tells them."""
        shopper_id, store = pair
        rows = self._records.sightings.visits_since(shopper_id, store.id, _EPOCH)
        since_ms = 0
        if self._kept_since is not None:
            gap_ms = int(store.visit.gap_merge_s * 1000)
            since_ms = to_ms(self._kept_since) + context_ms(gap_ms) + LONGEST_BRIDGE_MS
            older = [row for row in rows if to_ms(row.start_at) < since_ms]
            since_ms = max([since_ms, *(to_ms(row.end_at) + 1 for row in older)])
            rows = rows[len(older) :]
        before = {row.id: row for row in rows}
        folded = fold_stays(
            pair, evidence, proofs=proofs, since_ms=since_ms, catalog=self._catalog, now=self._now
        )
        after = {row.id: row for row in folded}
        for row in before.values():
            if row.replaces is not None and row.id in after:
                after[row.id] = replace(after[row.id], replaces=row.replaces)
        return before, after


def _pairs(evidence: Iterable[Evidence]) -> Iterator[_Pair]:
    for pair, group in groupby(evidence, key=lambda one: (one.shopper_id, one.store_id)):
        yield pair, list(group)


def _batches(pairs: Iterator[_Pair]) -> Iterator[Sequence[_Pair]]:
    while batch := list(islice(pairs, _PAIRS)):
        yield batch
