"""Which stores are so close that one fix can be evidence of both? For each of them the others."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from m2s.core.places.geo import each
from m2s.core.places.nearness import Ints
from m2s.core.places.zone_index import ZoneIndex

Neighbours = Mapping[str, frozenset[str]]
"""By store those whose padded premises, taken as circles, meet its own; a store without any is absent."""

_AT_ONCE = 1_000_000


def neighbours_of(
    index: ZoneIndex, *, changed: Collection[str] | None = None, before: Neighbours | None = None
) -> Neighbours:
    """The neighbours of all stores of an index; with `before`, only those of the `changed` stores are looked for."""
    ids = [store.id for store in index.stores]
    found: dict[str, set[str]] = {}
    for first, second in _pairs(index, None if before is None or changed is None else changed):
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            found.setdefault(ids[one], set()).add(ids[other])
            found.setdefault(ids[other], set()).add(ids[one])
    if before is None or changed is None:
        return {store_id: frozenset(others) for store_id, others in found.items()}
    gone = set(changed)
    touched = gone.union(found, *(before.get(store_id, ()) for store_id in gone))
    kept = {store_id: others for store_id, others in before.items() if store_id not in touched}
    for store_id in touched:
        old = before.get(store_id, frozenset()) - gone if store_id not in gone else frozenset()
        if others := old | found.get(store_id, set()):
            kept[store_id] = frozenset(others)
    return kept


def _pairs(index: ZoneIndex, wanted: Collection[str] | None) -> Iterator[tuple[Ints, Ints]]:
    """Places of stores of which the first is wanted, and whose padded premises meet; some come more than once."""
    zones = np.array([len(store.zones) for store in index.stores], dtype=np.int64)
    premises = zones.cumsum() - zones
    owner = np.full(len(index.zones), -1)
    owner[premises] = np.arange(zones.size)
    rows = index.rows[premises]
    is_wanted = np.ones(zones.size, dtype=np.bool_)
    if wanted is not None:
        is_wanted[:] = [store.id in wanted for store in index.stores]

    def met(first: Ints, second: Ints) -> tuple[Ints, Ints]:
        offsets = rows[first, :3] - rows[second, :3]
        meet = np.sqrt(np.vecdot(offsets, offsets)) < rows[first, 5] + rows[second, 5]
        meet &= first != second
        return first[meet], second[meet]

    # Premises that meet have a cell in common, but for those that are too large for the table.
    cell = np.arange(index.table.starts.size - 1).repeat(np.diff(index.table.starts))
    store = owner[index.table.zones]
    kept = store >= 0
    cell, store = cell[kept], store[kept]
    counts = np.bincount(cell, minlength=index.table.starts.size)
    starts = counts.cumsum() - counts
    left = is_wanted[store].nonzero()[0]
    sizes = counts[cell[left]].cumsum()
    for part in np.split(left, np.searchsorted(sizes, np.arange(_AT_ONCE, sizes[-1:].sum(), _AT_ONCE))):
        one, step = each(counts[cell[part]])
        yield met(store[part[one]], store[starts[cell[part[one]]] + step])
    for zone in index.everywhere[owner[index.everywhere] >= 0].tolist():
        others = np.arange(zones.size)
        mine = np.full(zones.size, owner[zone])
        yield met(mine, others) if is_wanted[owner[zone]] else met(others[is_wanted], mine[is_wanted])
