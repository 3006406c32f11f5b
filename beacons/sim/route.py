"""How is a day's way told? Straight lines between moments at places, and the visits among them."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from random import Random

from beacons.sim.world import Point, Shop

_WINDING = 1.25
"""Streets wind: a walk takes this much longer than the straight line at the same speed."""

_AT_TILL_S = 90.0
_MOST_DEPARTMENTS = 3


class Kind(StrEnum):
    """What somebody near a shop is up to."""

    BUYER = "buyer"
    PASSER_BY = "passer_by"
    DRIVER = "driver"
    STAFF = "staff"
    QUEUE = "queue"
    RESIDENT = "resident"
    MALL_NEIGHBOUR = "mall_neighbour"


@dataclass(frozen=True, slots=True)
class Stop:
    """A visit to a store, in seconds since the simulation began."""

    store_id: str
    arrive_s: float
    leave_s: float


Knot = tuple[float, Point]


@dataclass(frozen=True, slots=True)
class Plan:
    """One day's way: straight lines between knots `(second, point)`, and the visits among them.

    `on_duty` says that the long stay is work, or home, which is no visit; `from_afar` that she comes from beyond
    the city.
    """

    knots: tuple[Knot, ...]
    stops: tuple[Stop, ...] = ()
    on_duty: bool = False
    from_afar: bool = True

    @property
    def start_s(self) -> float:
        """When she sets out."""
        return self.knots[0][0]

    @property
    def end_s(self) -> float:
        """When she is gone."""
        return self.knots[-1][0]

    def at(self, second: float) -> tuple[Point, float]:
        """Her position in metres and her speed in m/s at a moment of the plan."""
        after = min(max(bisect_right(self.knots, second, key=itemgetter(0)), 1), len(self.knots) - 1)
        (t0, (x0, y0)), (t1, (x1, y1)) = self.knots[after - 1], self.knots[after]
        share = min(max((second - t0) / (t1 - t0), 0.0), 1.0)
        speed_mps = math.dist((x0, y0), (x1, y1)) / (t1 - t0)
        return (x0 + share * (x1 - x0), y0 + share * (y1 - y0)), speed_mps


class Route:
    """A way under construction."""

    def __init__(self, now_s: float, start: Point, *, speed_mps: float) -> None:
        self.knots: list[Knot] = [(now_s, start)]
        self._speed_mps = speed_mps

    @property
    def now_s(self) -> float:
        """When she will have gone as far as the way is built."""
        return self.knots[-1][0]

    def walk(self, to: Point, *, winding: float = _WINDING) -> None:
        """Go on to a place, or drive, where `winding` is 1."""
        needs_s = math.dist(self.knots[-1][1], to) * winding / self._speed_mps
        self.knots.append((self.now_s + max(needs_s, 1.0), to))

    def stand(self, seconds: float) -> None:
        """Stay where she is."""
        self.knots.append((self.now_s + seconds, self.knots[-1][1]))

    def visit(self, shop: Shop, random: Random, *, stay_s: float) -> Stop:
        """Go to a shop and stay: among the shelves, by some of its departments where it has any, at the till."""
        departments = shop.departments
        self.walk(somewhere_in(shop, random))
        arrive_s = self.now_s
        among_s = stay_s - _AT_TILL_S - 20
        many = random.randint(1, min(_MOST_DEPARTMENTS, len(departments))) if departments else 0
        chosen = random.sample(departments, many) if many else []
        for spot in chosen:
            self.walk(near(spot, random))
            self.stand(max(1.0, among_s / len(chosen) - 20))
        if not chosen:
            self.stand(among_s)
        self.knots.append((self.now_s + 20, shop.at))
        self.stand(_AT_TILL_S)
        return Stop(shop.id, arrive_s, self.now_s)


def beside(point: Point, away_m: float, bearing: float) -> Point:
    """The place so many metres from a point, in a direction in radians from the north."""
    return point[0] + away_m * math.sin(bearing), point[1] + away_m * math.cos(bearing)


def near(spot: Point, random: Random) -> Point:
    """A place within a step or two of a spot."""
    return beside(spot, random.uniform(0.3, 1.5), random.uniform(0, math.tau))


def somewhere_in(shop: Shop, random: Random) -> Point:
    """A place among the shelves: within 6 m of the shop's middle, and inside its walls where these are known."""
    spot = beside(shop.at, random.uniform(1, 6), random.uniform(0, math.tau))
    return spot if shop.covers(spot, "premises") else shop.at
