"""Which towns can be simulated without a store file? Five of them, made up and always the same."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from beacons.sim.world import METRES_PER_DEGREE, Point, Shop, World

TIMEZONE = "Europe/Paris"
_NORTH, _EAST = 48.2, 1.8
"""In the fields of the Beauce, where no shop is."""

_UUID = "6d327373-696d-4d6f-8000-746f776e0001"
_POWER_DBM = -59
_HOURS = "Mo-Su 08:00-20:00"
_FROM_M = (360.0, 480.0, 590.0)
_FROM_EACH = 7

Places = tuple[tuple[str, Point], ...]
"""Where beacons hang, by their labels, in metres from the middle of their shop."""


@dataclass(frozen=True, slots=True)
class Town:
    """A city to walk in, and the same stores as the file that the service reads."""

    world: World
    stores: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A shop: a box of `size_m` (east, north) around its middle, or, without one, a circle of `radius_m`."""

    name: str
    at: Point
    store_type: str
    places: Places = ()
    size_m: Point | None = None
    radius_m: float = 50.0
    vicinity_m: float = 200.0


def town(layout: str, shops: int | None = None) -> Town:
    """The town of a layout of `LAYOUTS`, with so many shops, or as many as it usually has."""
    build, usual = LAYOUTS[layout]
    units = list(build(shops or usual))
    features = [_feature(layout, number, unit) for number, unit in enumerate(units, start=1)]
    stores = {"type": "FeatureCollection", "features": features}
    scenery = {"features": [{"geometry": _point(place)} for unit in units for place in _from(unit.at)]}
    flat = World.from_geojson(stores, scenery)
    hung = {feature["id"]: unit for feature, unit in zip(features, units, strict=True)}
    shops_of = {store_id: _hang(shop, hung[store_id]) for store_id, shop in flat.shops.items()}
    return Town(replace(flat, shops=shops_of), stores)


def _high_street(shops: int) -> Iterator[_Unit]:
    """Shops on both sides of a street, 140 m apart; every second one has beacons."""
    for number in range(shops):
        side = 14.0 if number % 2 else -14.0
        places = (("entrance", (0.0, -side / 2)), ("till", (2.0, side / 4)))
        at = (140.0 * number, side)
        yield _Unit(f"High Street {number + 1}", at, "convenience", places if number % 2 else ())


def _mall(shops: int) -> Iterator[_Unit]:
    """Two rows of units on an indoor aisle of 10 m, wall to wall; beacons in each."""
    for number in range(shops):
        row = 1.0 if number % 2 else -1.0
        at = (16.0 * (number // 2), row * 15.0)
        places = (("entrance", (0.0, -row * 8.0)), ("till", (4.0, row * 7.0)))
        yield _Unit(f"Mall unit {number + 1}", at, "fashion", places, size_m=(16.0, 20.0), vicinity_m=150.0)


def _retail_park(shops: int) -> Iterator[_Unit]:
    """Big boxes round a car park, known by their positions; beacons in the first."""
    for number in range(shops):
        bearing = math.tau * number / shops
        around_m = max(90.0, 110.0 * shops / math.tau)
        at = (around_m * math.sin(bearing), around_m * math.cos(bearing))
        places = (("entrance", (0.0, -18.0)), ("till", (12.0, -12.0))) if number == 0 else ()
        name = f"Retail park {number + 1}"
        yield _Unit(name, at, "retail_park", places, size_m=(60.0, 44.0), vicinity_m=300.0)


def _bakery_chain(shops: int) -> Iterator[_Unit]:
    """Bakeries all over a town, 600 m apart; every third has a beacon at its till."""
    across = math.ceil(math.sqrt(shops))
    for number in range(shops):
        at = (600.0 * (number % across), 600.0 * (number // across))
        places = (("entrance", (0.0, 5.0)), ("till", (0.0, -3.0))) if number % 3 == 0 else ()
        yield _Unit(f"Bakery {number + 1}", at, "convenience", places)


def _beacon_aisles(shops: int) -> Iterator[_Unit]:
    """Large stores, a kilometre apart, with a beacon in each department."""
    departments: Places = (
        ("entrance", (0.0, -17.0)),
        ("shoes", (-24.0, -8.0)),
        ("women", (-24.0, 10.0)),
        ("men", (0.0, 12.0)),
        ("children", (24.0, 10.0)),
        ("sport", (24.0, -8.0)),
        ("till", (6.0, -12.0)),
    )
    for number in range(shops):
        at = (1000.0 * number, 0.0)
        yield _Unit(f"Department store {number + 1}", at, "fashion", departments, size_m=(60.0, 36.0))


LAYOUTS: Mapping[str, tuple[Callable[[int], Iterator[_Unit]], int]] = {
    "high_street": (_high_street, 10),
    "mall": (_mall, 12),
    "retail_park": (_retail_park, 6),
    "bakery_chain": (_bakery_chain, 12),
    "beacon_aisles": (_beacon_aisles, 1),
}
"""The built-in towns, each with its usual number of shops."""


def _from(middle: Point) -> Iterator[Point]:
    """Where people come from and go to, all around a shop."""
    for step in range(_FROM_EACH):
        bearing, away_m = math.tau * step / _FROM_EACH, _FROM_M[step % len(_FROM_M)]
        yield middle[0] + away_m * math.sin(bearing), middle[1] + away_m * math.cos(bearing)


def _hang(shop: Shop, unit: _Unit) -> Shop:
    beacons = (
        replace(beacon, at=(shop.at[0] + east_m, shop.at[1] + north_m))
        for beacon, (_, (east_m, north_m)) in zip(shop.beacons, unit.places, strict=True)
    )
    return replace(shop, beacons=tuple(beacons))


def _feature(layout: str, major: int, unit: _Unit) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": unit.name,
        "timezone": TIMEZONE,
        "currency": "EUR",
        "opening_hours": _HOURS,
        "store_type": unit.store_type,
        "tags": ["simulated"],
        "zones": [{"id": "vicinity", "radius_m": unit.vicinity_m}],
        "beacons": [
            {"uuid": _UUID, "major": major, "minor": minor, "measured_power_dbm": _POWER_DBM, "place": place}
            for minor, (place, _) in enumerate(unit.places, start=1)
        ],
    }
    if unit.size_m is None:
        properties["premises_radius_m"] = unit.radius_m
    store_id = f"{layout.replace('_', '-')}-{major}"
    return {"type": "Feature", "id": store_id, "properties": properties, "geometry": _geometry(unit)}


def _geometry(unit: _Unit) -> dict[str, Any]:
    if unit.size_m is None:
        return _point(unit.at)
    east_m, north_m = unit.size_m[0] / 2, unit.size_m[1] / 2
    corners = ((-east_m, -north_m), (east_m, -north_m), (east_m, north_m), (-east_m, north_m))
    ring = [_degrees((unit.at[0] + east, unit.at[1] + north)) for east, north in (*corners, corners[0])]
    return {"type": "Polygon", "coordinates": [ring]}


def _point(at: Point) -> dict[str, Any]:
    return {"type": "Point", "coordinates": _degrees(at)}


def _degrees(at: Point) -> list[float]:
    """Longitude and latitude, to the centimetre."""
    east_degree_m = METRES_PER_DEGREE * math.cos(math.radians(_NORTH))
    return [round(_EAST + at[0] / east_degree_m, 7), round(_NORTH + at[1] / METRES_PER_DEGREE, 7)]
