"""Where do simulated shoppers walk? A small city read from a store file and its scenery, flattened to metres.

Read here by simple means of its own: nothing is shared with the code whose answers the simulation judges.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

METRES_PER_DEGREE = 111_195.0
"""Mean Earth radius 6 371 008.8 m times π / 180; good to 0.5 % inside one city."""

DAY_S = 86_400.0
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_PART = re.compile(r"^(Mo|Tu|We|Th|Fr|Sa|Su)(?:-(Mo|Tu|We|Th|Fr|Sa|Su))?$")
_SPAN = re.compile(r"^(\d\d):(\d\d)-(\d\d):(\d\d)$")
_DWELL_MIN_S = {"convenience": 300.0}
_OTHER_DWELL_MIN_S = 360.0
_ENTRANCE_M = 8.0
_TILL_M = 3.0
_DOORS = ("entrance", "till")
_POWER_DBM = -59
_PLACES_EACH, _PLACES_M = 12, 450.0

Point = tuple[float, float]
Week = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Transmitter:
    """A beacon that hangs in a store: its identity, its power at 1 m and its place in metres of the city."""

    uuid: str
    major: int
    minor: int
    measured_power_dbm: int
    place: str
    at: Point


@dataclass(frozen=True, slots=True)
class Shop:
    """A store as a shopper meets it. `week` holds seven days of opening spans in seconds after midnight.

    A store whose premises are a footprint has an `outline`, all others a circle of `premises_radius_m`.
    `zones` are the radii of its approach circles by id; `dwell_min_s` the shortest stay that counts as a
    visit.
    """

    id: str
    name: str
    at: Point
    premises_radius_m: float
    dwell_min_s: float
    zones: Mapping[str, float]
    week: Week
    beacons: tuple[Transmitter, ...] = ()
    outline: tuple[Point, ...] = ()

    def is_open(self, weekday: int, since_s: float, until_s: float) -> bool:
        """Whether it is open for the whole span, in seconds after midnight of that weekday (0 Monday)."""
        return any(first <= since_s and until_s <= last for first, last in self.week[weekday])

    @property
    def departments(self) -> list[Point]:
        """Where beacons hang by other places than entrance and till: there people look at things."""
        return [beacon.at for beacon in self.beacons if beacon.place not in _DOORS]

    def covers(self, point: Point, zone_id: str) -> bool:
        """Whether a point lies in the premises or in an approach zone of this store."""
        if zone_id == "premises" and self.outline:
            return _in_ring(point, self.outline)
        return math.dist(point, self.at) <= self.reach_m(zone_id)

    def reach_m(self, zone_id: str) -> float:
        """How far the premises or an approach zone reach from the middle of this store at most."""
        if zone_id == "premises" and self.outline:
            return max(math.dist(corner, self.at) for corner in self.outline)
        return self.premises_radius_m if zone_id == "premises" else self.zones[zone_id]


@dataclass(frozen=True, slots=True)
class World:
    """The city: its shops by id, the places between which people walk, and the way between degrees and metres."""

    latitude: float
    longitude: float
    shops: Mapping[str, Shop]
    places: Sequence[Point] = ()
    metres_per_degree_east: float = field(init=False)

    def __post_init__(self) -> None:
        scale = METRES_PER_DEGREE * math.cos(math.radians(self.latitude))
        object.__setattr__(self, "metres_per_degree_east", scale)

    @classmethod
    def from_geojson(cls, stores: Mapping[str, Any], scenery: Mapping[str, Any] | None = None) -> "World":
        """Build a city from two GeoJSON FeatureCollections (points or polygons, longitude first).

        `scenery` holds what else stands in the city: its features are the places; without it, people come from all
        around each shop. Raises ValueError where it holds none, and for what a simulated shopper cannot read.
        """
        features: Sequence[Mapping[str, Any]] = stores["features"]
        centres = [_centre(feature["geometry"]) for feature in features]
        empty = cls(
            latitude=sum(lat for _, lat in centres) / len(centres),
            longitude=sum(lon for lon, _ in centres) / len(centres),
            shops={},
        )
        shops = {shop.id: shop for shop in (_shop(feature, empty) for feature in features)}
        if scenery is None:
            places = tuple(place for shop in shops.values() for place in _around(shop.at))
        else:
            places = tuple(empty.metres(*_centre(feature["geometry"])) for feature in scenery["features"])
        if not places:
            raise ValueError("the scenery holds no place: people need at least one to come from and go to")
        return cls(empty.latitude, empty.longitude, shops, places)

    def place_around(self, point: Point, random: Random, *, between_m: tuple[float, float]) -> Point:
        """Draw one of the places whose distance from a point lies in a span; of all places where none does."""
        near_m, far_m = between_m
        fitting = [place for place in self.places if near_m <= math.dist(place, point) <= far_m]
        return random.choice(fitting or self.places)

    def metres(self, longitude: float, latitude: float) -> Point:
        """Metres east and north of the city's centre."""
        return (
            (longitude - self.longitude) * self.metres_per_degree_east,
            (latitude - self.latitude) * METRES_PER_DEGREE,
        )

    def degrees(self, point: Point) -> tuple[float, float]:
        """Latitude and longitude of a point in metres."""
        return (
            self.latitude + point[1] / METRES_PER_DEGREE,
            self.longitude + point[0] / self.metres_per_degree_east,
        )


def parse_hours(text: str | None) -> Week:
    """Read plain OSM opening hours (`Mo-Sa 08:30-19:30; Su off`); later rules replace earlier ones.

    Without a text a store keeps the hours of the street, 09:00 to 19:00 from Monday to Saturday. Raises
    ValueError for anything richer, since a shopper must not guess.
    """
    week: list[tuple[tuple[float, float], ...]] = [() for _ in _DAYS]
    for rule in (text or "Mo-Sa 09:00-19:00").split(";"):
        words = rule.split()
        days: Iterable[int] = range(7)
        if words and words[0][:2] in _DAYS:
            days = _days(words.pop(0))
        spans = () if words == ["off"] else tuple(_span(span) for span in "".join(words).split(","))
        for day in days:
            week[day] = spans
    return tuple(week)


def _days(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        match = _DAY_PART.match(part)
        if match is None:
            raise ValueError(f"{part!r} is not a day or a span of days such as Mo-Sa")
        first = _DAYS.index(match[1])
        last = _DAYS.index(match[2] or match[1])
        found += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return found


def _span(text: str) -> tuple[float, float]:
    match = _SPAN.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a span of hours such as 08:30-19:30")
    hours = [int(group) for group in match.groups()]
    return hours[0] * 3600.0 + hours[1] * 60.0, hours[2] * 3600.0 + hours[3] * 60.0


def _around(middle: Point) -> Iterator[Point]:
    for step in range(_PLACES_EACH):
        bearing = math.tau * step / _PLACES_EACH
        yield middle[0] + _PLACES_M * math.sin(bearing), middle[1] + _PLACES_M * math.cos(bearing)


def _centre(geometry: Mapping[str, Any]) -> Point:
    if geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"]
        return float(longitude), float(latitude)
    if geometry["type"] != "Polygon":
        raise ValueError(
            f"a shop or place of the simulation is a Point or a Polygon, not a {geometry['type']}"
        )
    return _centroid([(float(corner[0]), float(corner[1])) for corner in geometry["coordinates"][0]])


def _centroid(ring: Sequence[Point]) -> Point:
    """The centre of area of a closed ring (shoelace formula), counted from its first corner for precision."""
    x0, y0 = ring[0]
    doubled = east = north = 0.0
    for (xa, ya), (xb, yb) in pairwise((x - x0, y - y0) for x, y in ring):
        cross = xa * yb - xb * ya
        doubled += cross
        east += (xa + xb) * cross
        north += (ya + yb) * cross
    return x0 + east / (3 * doubled), y0 + north / (3 * doubled)


def store_id_of(feature: Mapping[str, Any]) -> str:
    """The id by which the service knows a store of a file."""
    return str(feature["id"]).replace("/", "-")


def _shop(feature: Mapping[str, Any], world: World) -> Shop:
    own: Mapping[str, Any] = feature["properties"]
    geometry = feature["geometry"]
    store_id = store_id_of(feature)
    at = world.metres(*_centre(geometry))
    outline: tuple[Point, ...] = ()
    if geometry["type"] == "Polygon":
        outline = tuple(world.metres(float(lon), float(lat)) for lon, lat in geometry["coordinates"][0][:-1])
    return Shop(
        id=store_id,
        name=own["name"],
        at=at,
        premises_radius_m=float(own.get("premises_radius_m", 60)),
        dwell_min_s=_DWELL_MIN_S.get(own.get("store_type", "convenience"), _OTHER_DWELL_MIN_S),
        zones={
            zone["id"]: float(zone["radius_m"])
            for zone in own.get("zones", [{"id": "vicinity", "radius_m": 300}])
        },
        week=parse_hours(own.get("opening_hours")),
        beacons=tuple(_transmitter(beacon, at, store_id) for beacon in own.get("beacons", ())),
        outline=outline,
    )


def _transmitter(beacon: Mapping[str, Any], at: Point, store_id: str) -> Transmitter:
    """Hang a beacon: the file names no position, so the door faces a fixed way, the till lies opposite, and what
    hangs elsewhere hangs somewhere in between.
    """
    place = beacon.get("place") or "till"
    bearing, away_m = Random(store_id).uniform(0, math.tau), -_TILL_M
    if place == "entrance":
        away_m = _ENTRANCE_M
    elif place not in _DOORS:
        spread = Random(f"{store_id}/{beacon['major']}/{beacon['minor']}")
        bearing, away_m = spread.uniform(0, math.tau), spread.uniform(_TILL_M, _ENTRANCE_M)
    return Transmitter(
        uuid=beacon["uuid"].lower(),
        major=beacon["major"],
        minor=beacon["minor"],
        measured_power_dbm=beacon.get("measured_power_dbm", _POWER_DBM),
        place=place,
        at=(at[0] + away_m * math.sin(bearing), at[1] + away_m * math.cos(bearing)),
    )


def _in_ring(point: Point, ring: Sequence[Point]) -> bool:
    """Whether a point lies in a closed ring, by counting crossings of a ray to the east."""
    inside = False
    x, y = point
    for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            inside = not inside
    return inside
