"""Is this beacon in a region? A region names some of a beacon's ids in their order; what it leaves open fits any."""

from collections.abc import Sequence
from dataclasses import dataclass

Id = str | int


@dataclass(frozen=True, slots=True)
class Region:
    """`ids` as uuid, major, minor, None for any; `address` is a sender's own, which phones seldom tell."""

    ids: tuple[Id | None, ...] = ()
    address: str | None = None

    def holds(self, ids: Sequence[Id], address: str | None = None) -> bool:
        """Whether a beacon with these ids is in the region. An id that the beacon does not have fits None only."""
        if self.address is not None and (address or "").lower() != self.address.lower():
            return False
        found = (*ids, *[None] * len(self.ids))
        return all(wanted in (None, has) for wanted, has in zip(self.ids, found, strict=False))
