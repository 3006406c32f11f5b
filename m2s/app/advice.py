"""What does the evidence of the last weeks say about how the stores are drawn? Findings for the check of stores."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from m2s.app.catalog import Catalog
from m2s.app.ports import Pair, Records
from m2s.core.base.instants import to_ms
from m2s.core.places.check import Finding
from m2s.core.places.zone import PREMISES
from m2s.core.presence.tuning import LEAST, Tally, advice, tally, too_few

LOOKED_BACK = timedelta(days=28)
MOST_SHOPPERS = 200
"""Of how many shoppers of each store the evidence is looked at: the first by id, which says nothing else of them."""

_PAIRS = 500


def advise(
    records: Records,
    catalog: Catalog,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _shoppers: None,
) -> list[Finding]:
    """The findings by store, then that some stores have too little evidence; `progress` is told how many are read."""
    since = now - LOOKED_BACK
    tallies: dict[str, Tally] = {}
    shoppers: Counter[str] = Counter()
    for pairs in _batches(records.sightings.seen_at(catalog.stores, since)):
        wanted = [pair for pair in pairs if shoppers[pair[1]] < MOST_SHOPPERS]
        evidence_of = records.sightings.evidence_of(dict.fromkeys(wanted, to_ms(since)))
        for (_, store_id), evidence in evidence_of.items():
            premises = [one for one in evidence if one.zone_id == PREMISES]
            if premises and shoppers[store_id] < MOST_SHOPPERS:
                shoppers[store_id] += 1
                seen = tallies.setdefault(store_id, Tally())
                tally(seen, premises, catalog.stores[store_id], rules=catalog.rules[store_id, PREMISES])
        progress(shoppers.total())
    found = [
        one for store_id in sorted(tallies) for one in advice(catalog.stores[store_id], tallies[store_id])
    ]
    few = sum(0 < seen.stays < LEAST for seen in tallies.values())
    return [*found, too_few(few)] if few else found


def _batches(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    for first in range(0, len(pairs), _PAIRS):
        yield pairs[first : first + _PAIRS]
