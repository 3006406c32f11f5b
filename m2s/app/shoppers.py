"""Whose is this? Finds the shopper of pivot ids, and makes one of two shoppers that turn out to be one person.

What the retailer says joins; what only a device says joins nobody, because anybody can type a number. Whoever is known
longer stays, so that the order in which things are told does not matter. `docs/shoppers.md` has the rules.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from m2s.app.catalog import Catalog
from m2s.app.inputs import Held, PivotId
from m2s.app.pivots import REPLACEABLE, contradict, default_country, pivot_key
from m2s.app.ports import Database, Records
from m2s.app.rebuild import refold_shopper
from m2s.app.regulars import refresh_regulars
from m2s.app.retention import evidence_kept_since
from m2s.app.rows import DeviceRow
from m2s.app.visits import refresh_visits
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, to_ms

_INCOMPLETE = timedelta(days=3)
"""So long after the instant from which evidence is complete, a stay may lack some: it stays as it is."""


@dataclass(slots=True)
class Moves:
    """What has another shopper now: shoppers that became others, those of them with a device again, and devices."""

    merged: dict[str, str] = field(default_factory=dict)
    with_device: dict[str, str] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)

    def now(self, shopper_id: str) -> str:
        """Who a shopper is by now."""
        while shopper_id in self.merged:
            shopper_id = self.merged[shopper_id]
        return shopper_id


@dataclass(frozen=True, slots=True)
class Ground:
    """What every use case stands on that takes what is told of shoppers.

    `moved` tells those who remember whose a device is, right after the commit; `timezone` is that of the settings.
    """

    database: Database
    ids: Ids
    clock: Clock
    catalog: Callable[[], Catalog]
    moved: Callable[[Moves], object]
    timezone: str | None = None

    def country(self) -> str | None:
        """In which country phone numbers are that do not say."""
        return default_country((store.country for store in self.catalog().stores.values()), self.timezone)

    def key(self, records: Records) -> bytes:
        """The key of the digests of pivot ids."""
        return pivot_key(records)

    def shoppers(self, records: Records, *, source: str) -> "Shoppers":
        """Whose pivot ids are, in this transaction."""
        return Shoppers(records, self.ids, catalog=self.catalog(), now=self.clock.now(), source=source)


@dataclass(frozen=True, slots=True)
class Found:
    """The shopper of pivot ids, and the kinds of those that are somebody else's beyond doubt."""

    shopper_id: str
    left_out: tuple[str, ...]


class Shoppers:
    """Whose pivot ids are, in one transaction; `close` writes what is new."""

    def __init__(
        self,
        records: Records,
        ids: Ids,
        *,
        catalog: Catalog,
        now: datetime,
        source: str,
    ) -> None:
        self._records = records
        self._ids = ids
        self._catalog = catalog
        self._now = now
        self._source = source
        self._holders: dict[PivotId, Held] = {}
        self._held: dict[str, dict[str, frozenset[str]]] = {}
        self._claimed: dict[str, dict[str, frozenset[str]]] = {}
        self._added: list[str] = []
        self._new: dict[PivotId, Held] = {}
        self.moves = Moves()

    def look_up(self, pivots: Iterable[PivotId], shopper_ids: Iterable[str] = ()) -> None:
        """Reads whose the pivot ids are, and what else these have; once for everything that is asked then."""
        self._holders |= self._records.identities.holders(pivots)
        wanted = {*shopper_ids, *(held.shopper_id for held in self._holders.values())}
        for held in self._records.identities.held_by(wanted).values():
            for one in held:
                self._note(one)

    def of_row(self, pivots: Sequence[PivotId]) -> Found:
        """The shopper of what the retailer tells together, a new one where none is known.

        Where only a device's own word leads there, what is told with it is no more than that.
        """
        whose, left_out = self._joined(None, pivots)
        if whose is None:
            claimed = self._claimant(pivots, left_out)
            if claimed is not None:
                for one in pivots:
                    if one[0] not in left_out and one not in self._holders:
                        self._hold(Held(one, claimed, vouched=False))
                return Found(claimed, tuple(left_out))
            whose = self._someone()
        self._vouch(whose, pivots, left_out=left_out)
        return Found(whose, tuple(left_out))

    def of_device(self, device: DeviceRow, pivots: Sequence[PivotId]) -> Found:
        """The shopper of a device of which the retailer's server says whose it is.

        A device of another customer, or whose shopper has other ids than these of somebody known, has changed
        hands: it moves alone. Else its shopper is the one of the pivot ids, with everything.
        """
        mine = device.shopper_id
        moves = self._changed_hands(mine, pivots)
        whose, left_out = self._joined(None if moves else mine, pivots)
        if whose is None:
            whose = self._someone()
        for one in pivots:
            held = self._holders.get(one)
            if one[0] not in left_out and held is not None and not held.vouched and held.shopper_id != whose:
                self._take_from(held, whose)
        self._vouch(whose, pivots, left_out=left_out)
        if moves:
            self._write()
            self._records.devices.move_device(device.id, whose, at=self._now)
            self.moves.devices.add(device.id)
        return Found(whose, tuple(left_out))

    def claim(self, device: DeviceRow, pivots: Sequence[PivotId]) -> set[str]:
        """Keeps what a device says of itself and nobody has; returns the kinds that its shopper has as it says."""
        mine = device.shopper_id
        own = _union(self._held.get(mine, {}), self._claimed.get(mine, {}))
        kept = set()
        for one in pivots:
            held = self._holders.get(one)
            if held is None and not contradict(own, _by_kind([one])):
                self._hold(Held(one, mine, vouched=False))
                kept.add(one[0])
            elif held is not None and held.shopper_id == mine:
                kept.add(one[0])
        return kept

    def close(self) -> Moves:
        """Writes what is new, and returns who is somebody else now."""
        self._write()
        return self.moves

    def _joined(self, whose: str | None, pivots: Sequence[PivotId]) -> tuple[str | None, list[str]]:
        """All those that the retailer vouches for as one; and the kinds that would make one of two customers."""
        given, left_out = _by_kind(pivots), []
        for one in pivots:
            held = self._holders.get(one)
            if held is None or not held.vouched or held.shopper_id == whose:
                continue
            together = _union(given, self._held.get(whose, {}) if whose else {})
            if self._contradicts(held.shopper_id, together):
                left_out.append(one[0])
            else:
                whose = held.shopper_id if whose is None else self._merge(whose, held.shopper_id)
        return whose, left_out

    def _changed_hands(self, mine: str, pivots: Sequence[PivotId]) -> bool:
        """Whether these are somebody else's than who had the device so far; a new number alone does not say so."""
        given = _by_kind(pivots)
        if self._contradicts(mine, given):
            return True
        held = (self._holders.get(one) for one in pivots)
        if not any(one is not None and one.vouched and one.shopper_id != mine for one in held):
            return False
        own = _union(self._held.get(mine, {}), self._claimed.get(mine, {}))
        if any(values & own.get(kind, frozenset()) for kind, values in given.items()):
            return False
        return any(kind in own for kind in given if kind in REPLACEABLE)

    def _claimant(self, pivots: Sequence[PivotId], left_out: Collection[str]) -> str | None:
        """Who says of herself what is told here, and contradicts nothing of it."""
        given = _by_kind(pivots)
        held = (self._holders[one] for one in pivots if one in self._holders and one[0] not in left_out)
        return next((one.shopper_id for one in held if not self._contradicts(one.shopper_id, given)), None)

    def _someone(self) -> str:
        self._added.append(self._ids.new("shp"))
        return self._added[-1]

    def _vouch(self, whose: str, pivots: Sequence[PivotId], *, left_out: Collection[str]) -> None:
        for one in pivots:
            held = self._holders.get(one)
            if one[0] not in left_out and (held is None or not held.vouched):
                self._hold(Held(one, whose, vouched=True))

    def _contradicts(self, shopper_id: str, given: Mapping[str, frozenset[str]]) -> bool:
        return contradict(self._held.get(shopper_id, {}), given)

    def _merge(self, one: str, other: str) -> str:
        """Makes one of two shoppers: the one that is known longer."""
        self._write()
        records = self._records
        stays = records.identities.elder((one, other))
        goes = other if stays == one else one
        if devices := records.devices.devices_of([goes]).get(goes, ()):
            self.moves.devices |= {row.id for row in devices}
            self.moves.with_device[goes] = stays
        seen = records.identities.earliest_evidence(goes)
        records.identities.merge(goes, into=stays, source=self._source, at=self._now)
        self.moves.merged[goes] = stays
        self._holders = {
            pivot: Held(pivot, stays, held.vouched) if held.shopper_id == goes else held
            for pivot, held in self._holders.items()
        }
        for known in (self._held, self._claimed):
            known[stays] = _union(known.get(stays, {}), known.pop(goes, {}))
        self._fold_again(stays, seen)
        return stays

    def _fold_again(self, shopper_id: str, seen: Mapping[str, int]) -> None:
        """Visits are told anew from all evidence that is one shopper's now; older ones stay as they are."""
        kept_since = evidence_kept_since(self._records)
        since_ms = 0 if kept_since is None else to_ms(kept_since + _INCOMPLETE)
        touched = {(shopper_id, store_id): max(at_ms, since_ms) for store_id, at_ms in seen.items()}
        refresh_visits(self._records, touched, catalog=self._catalog, now=self._now)
        refresh_regulars(self._records, list(touched), self._catalog)
        if kept_since is not None:
            # Where evidence begins to be complete, only a rebuild knows which stays can be told anew.
            refold_shopper(self._records, shopper_id, catalog=self._catalog, now=self._now)

    def _take_from(self, held: Held, shopper_id: str) -> None:
        """A pivot id that somebody only claimed: SMS go there no more for her, and an opposition goes along."""
        if held.pivot[0] == "phone":
            self._write()
            self._records.devices.set_phone(held.shopper_id, None, country=None)
            self._records.identities.oppose(held.shopper_id, to=shopper_id)

    def _hold(self, held: Held) -> None:
        self._holders[held.pivot] = self._new[held.pivot] = held
        self._note(held)

    def _note(self, held: Held) -> None:
        kind, value = held.pivot
        own = (self._held if held.vouched else self._claimed).setdefault(held.shopper_id, {})
        own[kind] = own.get(kind, frozenset()) | {value}

    def _write(self) -> None:
        identities = self._records.identities
        identities.add_shoppers(self._added, at=self._now)
        identities.hold(list(self._new.values()), source=self._source, at=self._now)
        self._added, self._new = [], {}


def _by_kind(pivots: Iterable[PivotId]) -> dict[str, frozenset[str]]:
    return {kind: frozenset({value}) for kind, value in pivots}


def _union(
    some: Mapping[str, frozenset[str]], others: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    return {kind: some.get(kind, frozenset()) | others.get(kind, frozenset()) for kind in {*some, *others}}
