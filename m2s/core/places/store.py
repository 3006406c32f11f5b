"""What is a store? The shop, its zones and beacons, and the numbers by which a stay there becomes a visit."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from m2s.core.places.zone import PREMISES, Zone


class StoreType(StrEnum):
    """The kind of shop; it decides how long a stay has to be."""

    CONVENIENCE = "convenience"
    SUPERMARKET = "supermarket"
    FASHION = "fashion"
    RETAIL_PARK = "retail_park"


@dataclass(frozen=True, slots=True)
class VisitRules:
    """When a stay at one store is a visit: seconds, and the largest accuracy (68 % radius) of a fix.

    `beacon_dwell_min_s` holds in place of `dwell_min_s` when beacons heard the stay; longer than
    `dwell_max_s` is staff or a neighbour; stays less than `gap_merge_s` apart are one; visits less than
    `revisit_cooldown_s` apart count as one.
    """

    dwell_min_s: int
    beacon_dwell_min_s: int
    dwell_max_s: int
    gap_merge_s: int
    max_accuracy_m: float
    revisit_cooldown_s: int


@dataclass(frozen=True, slots=True)
class VisitDefaults:
    """The rules of a store type, and the radius of its premises where only a point is known."""

    rules: VisitRules
    premises_radius_m: float


VISIT_DEFAULTS: Mapping[StoreType, VisitDefaults] = {
    StoreType.CONVENIENCE: VisitDefaults(VisitRules(300, 60, 7_200, 600, 50.0, 3_600), 60.0),
    StoreType.SUPERMARKET: VisitDefaults(VisitRules(360, 120, 10_800, 900, 65.0, 3_600), 100.0),
    StoreType.FASHION: VisitDefaults(VisitRules(360, 90, 14_400, 900, 50.0, 3_600), 60.0),
    StoreType.RETAIL_PARK: VisitDefaults(VisitRules(360, 120, 14_400, 900, 100.0, 3_600), 150.0),
}

VICINITY_RADIUS_M = 300.0
"""Radius of the approach zone of a store that names none."""

_TYPE_BY_SHOP = {
    StoreType.SUPERMARKET: "supermarket wholesale",
    StoreType.FASHION: "clothes shoes fashion fashion_accessories jewelry department_store mall boutique bag",
    StoreType.RETAIL_PARK: "doityourself hardware furniture garden_centre car car_parts trade kitchen",
}
_SHOPS = {shop: kind for kind, shops in _TYPE_BY_SHOP.items() for shop in shops.split()}


def store_type_of_shop(shop: str | None) -> StoreType:
    """The store type that an OpenStreetMap `shop` tag means; convenience when it says nothing."""
    return _SHOPS.get(shop or "", StoreType.CONVENIENCE)


@dataclass(frozen=True, slots=True)
class Beacon:
    """An iBeacon of a store: its identity (`uuid` lower-case with dashes), power at 1 m, and place label."""

    uuid: str
    major: int
    minor: int
    measured_power_dbm: int
    place: str | None


@dataclass(frozen=True, slots=True)
class Store:
    """A shop. `country` is ISO 3166-1 alpha-2; `opening_hours` is OpenStreetMap syntax in its own `timezone`.

    The first zone is `premises`; `latitude`, `longitude` are the store's point, or the middle of its
    premises.
    """

    id: str
    name: str
    latitude: float
    longitude: float
    timezone: str
    country: str
    subdivision: str | None
    currency: str | None
    brand: str | None
    address: str | None
    phone: str | None
    opening_hours: str | None
    tags: frozenset[str]
    store_type: StoreType
    visit: VisitRules
    zones: tuple[Zone, ...]
    beacons: tuple[Beacon, ...]

    @property
    def premises(self) -> Zone:
        """The zone in which a stay can be a visit."""
        return next(zone for zone in self.zones if zone.id == PREMISES)

    @property
    def zone_ids(self) -> list[str]:
        """The names of its zones."""
        return [zone.id for zone in self.zones]

    @property
    def places(self) -> list[str]:
        """Where its beacons hang, of those that say so."""
        return [beacon.place for beacon in self.beacons if beacon.place]
