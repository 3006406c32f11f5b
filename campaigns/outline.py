"""Does what a campaign names exist among the stores? Store ids, tags, brands, zones, beacon places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from campaigns.model import Selectable, StoreSelector
from campaigns.problems import Report, shown, suggestion


class StoreOutline(Selectable, Protocol):
    """What a campaign can name of one store. `zone_ids` include `premises`; `places` are its beacons'."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    @property
    def phone(self) -> str | None: ...
    @property
    def zone_ids(self) -> Iterable[str]: ...
    @property
    def places(self) -> Iterable[str]: ...


class Named(StrEnum):
    """What a name in a campaign file stands for."""

    STORE = "store"
    TAG = "tag"
    BRAND = "brand"
    ZONE = "zone"
    PLACE = "beacon place"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a campaign file uses, and the character index at which it stands."""

    kind: Named
    name: str
    at: int


def check_references(
    references: Iterable[Reference],
    selector: StoreSelector | None,
    *,
    stores: Sequence[StoreOutline],
    report: Report,
) -> None:
    """Report every name that no store has; a zone or place must exist at a selected store."""
    taking_part = [store for store in stores if selector is None or selector.matches(store)]
    if not stores:
        report.add(0, "no_stores", detail="there are no stores yet", hint="import stores first")
        return
    for reference in references:
        among = taking_part if reference.kind in (Named.ZONE, Named.PLACE) else stores
        known = {name for store in among for name in _names(store, reference.kind)}
        if not among or reference.name in known:
            continue
        whose = "no store" if among is stores else f"none of the {len(among)} stores of the campaign"
        detail = f"{whose} has the {reference.kind} {shown(reference.name)}"
        if reference.kind is Named.STORE:
            detail = f"there is no store {shown(reference.name)}"
        hint = suggestion(reference.name, known) or _some(known)
        report.add(reference.at, f"unknown_{reference.kind.name.lower()}", detail=detail, hint=hint)


def _names(store: StoreOutline, kind: Named) -> Iterable[str]:
    if kind is Named.STORE:
        return (store.id,)
    if kind is Named.BRAND:
        return (store.brand,) if store.brand else ()
    if kind is Named.TAG:
        return store.tags
    return store.zone_ids if kind is Named.ZONE else store.places


def _some(known: set[str]) -> str:
    if not known:
        return "none exist yet"
    listed = ", ".join(sorted(known)[:8])
    return f"known: {listed}{', …' if len(known) > 8 else ''}"
