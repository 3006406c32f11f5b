"""Where is a shopper at each moment, which stores does she visit, and what would a message change?

Every plan is a pure function of seed, shopper and day. What a message would change is one too, so that the
day with the message and the day without it can be compared for the same shopper.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from beacons.sim.world import DAY_S, Point, Shop, World

_WINDING = 1.25
"""Streets wind: a walk takes this much longer than the straight line at the same speed."""

_WAY_M = (320.0, 600.0)
"""How far from their shop, by the straight line, people come from and go to."""

_STROLL_M = (400.0, 1200.0)
"""How far people walk who pass by, by the straight line."""

_PASSED_M = 80.0
"""A shop no farther than this from the straight line is passed."""

_AT_TILL_S = 90.0
_MEMORY_S = 5400.0


class Kind(StrEnum):
    """What somebody near a shop is up to."""

    BUYER = "buyer"
    PASSER_BY = "passer_by"
    DRIVER = "driver"
    STAFF = "staff"


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

    `on_duty` says that the stay is work, which is no visit.
    """

    knots: tuple[Knot, ...]
    stops: tuple[Stop, ...] = ()
    on_duty: bool = False

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
        times = [knot[0] for knot in self.knots]
        after = min(max(bisect_right(times, second), 1), len(times) - 1)
        (t0, (x0, y0)), (t1, (x1, y1)) = self.knots[after - 1], self.knots[after]
        share = min(max((second - t0) / (t1 - t0), 0.0), 1.0)
        speed_mps = math.dist((x0, y0), (x1, y1)) / (t1 - t0)
        return (x0 + share * (x1 - x0), y0 + share * (y1 - y0)), speed_mps


@dataclass(frozen=True, slots=True)
class Shopper:
    """One simulated person. `doors_only` ones visit only beacon stores (their phone has no position)."""

    world: World
    seed: int
    index: int
    kind: Kind
    first_weekday: int
    doors_only: bool = False

    def plan(self, day: int) -> Plan:
        """Her plan of one day (0 is the first), before any message."""
        return _plan(self, day)

    def weekday(self, second: float) -> int:
        """The weekday (0 Monday) of a moment of the simulation."""
        return (self.first_weekday + int(second // DAY_S)) % 7

    def reacts(self, campaign_id: str, store_id: str, effect: float) -> bool:
        """Whether a message of this campaign for this store moves her: one fixed draw u, u < effect."""
        return self.random("reacts", campaign_id, store_id).random() < effect

    def detour(self, plan: Plan, store_id: str, seen_s: float) -> Plan | None:
        """The plan with an extra visit of 8 to 15 minutes to the store, or None where that cannot be.

        She must be on her way, neither at work nor at the wheel, and not going to that store today anyway.
        She finishes the visits she had planned first, so that none is moved or lost; when that takes longer
        than 90 minutes she forgets. The store must be open from her arrival until she leaves.
        """
        if self.kind in (Kind.DRIVER, Kind.STAFF) or not plan.start_s <= seen_s < plan.end_s:
            return None
        if any(stop.store_id == store_id for stop in plan.stops):
            return None
        free_s = max([seen_s, *(stop.leave_s for stop in plan.stops)])
        if free_s - seen_s > _MEMORY_S:
            return None
        random = self.random("detour", store_id, str(int(seen_s // DAY_S)))
        shop = self.world.shops[store_id]
        route = _Route(free_s, plan.at(free_s)[0], speed_mps=random.uniform(1.1, 1.5))
        stop = route.visit(shop, random, stay_s=random.uniform(480, 900))
        midnight = free_s // DAY_S * DAY_S
        if not shop.is_open(self.weekday(free_s), stop.arrive_s - midnight, stop.leave_s - midnight):
            return None
        before = tuple(knot for knot in plan.knots if knot[0] < free_s)
        ahead = tuple(knot for knot in plan.knots if knot[0] > free_s)
        route.walk(ahead[0][1])
        shift_s = route.now_s - ahead[0][0]
        after = tuple((at_s + shift_s, point) for at_s, point in ahead[1:])
        return Plan((*before, *route.knots, *after), (*plan.stops, stop))

    def random(self, *of: str) -> Random:
        """A generator of her own for one question: the same question gets the same draws."""
        return Random("/".join((str(self.seed), str(self.index), *of)))


class _Route:
    """A way under construction."""

    def __init__(self, now_s: float, start: Point, *, speed_mps: float) -> None:
        self.knots: list[Knot] = [(now_s, start)]
        self._speed_mps = speed_mps

    @property
    def now_s(self) -> float:
        return self.knots[-1][0]

    def walk(self, to: Point, *, winding: float = _WINDING) -> None:
        needs_s = math.dist(self.knots[-1][1], to) * winding / self._speed_mps
        self.knots.append((self.now_s + max(needs_s, 1.0), to))

    def stand(self, seconds: float) -> None:
        self.knots.append((self.now_s + seconds, self.knots[-1][1]))

    def visit(self, shop: Shop, random: Random, *, stay_s: float) -> Stop:
        self.walk(_somewhere_in(shop, random))
        arrive_s = self.now_s
        self.stand(stay_s - _AT_TILL_S - 20)
        self.knots.append((self.now_s + 20, shop.at))
        self.stand(_AT_TILL_S)
        return Stop(shop.id, arrive_s, self.now_s)


def _beside(point: Point, away_m: float, bearing: float) -> Point:
    return point[0] + away_m * math.sin(bearing), point[1] + away_m * math.cos(bearing)


def _somewhere_in(shop: Shop, random: Random) -> Point:
    """A place among the shelves: within 6 m of the shop's middle, and inside its walls where these are known."""
    spot = _beside(shop.at, random.uniform(1, 6), random.uniform(0, math.tau))
    return spot if shop.covers(spot, "premises") else shop.at


def _plan(shopper: Shopper, day: int) -> Plan:
    random = shopper.random("plan", str(day))
    world = shopper.world
    morning_s = day * DAY_S
    weekday = shopper.weekday(morning_s)
    if shopper.kind is Kind.BUYER:
        return _buy(shopper, random, morning_s=morning_s, weekday=weekday)
    if shopper.kind is Kind.STAFF:
        return _work(world, random, morning_s=morning_s, weekday=weekday)
    start_s = morning_s + random.uniform(7.5, 20.0) * 3600
    return _drive(world, random, start_s) if shopper.kind is Kind.DRIVER else _pass(world, random, start_s)


def _buy(shopper: Shopper, random: Random, *, morning_s: float, weekday: int) -> Plan:
    world = shopper.world
    start_s = morning_s + random.triangular(7.2, 19.0, 11.5) * 3600
    wanted = random.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]
    chosen = [shop for shop in world.shops.values() if shop.beacons or not shopper.doors_only]
    random.shuffle(chosen)
    origin = world.place_around(chosen[0].at, random, between_m=_WAY_M)
    route = _Route(start_s, origin, speed_mps=random.uniform(1.1, 1.5))
    stops: list[Stop] = []
    for shop in chosen:
        stay_s = random.uniform(480, 1800)
        walk_s = math.dist(route.knots[-1][1], shop.at) * 2
        arrive_s = route.now_s - morning_s
        if len(stops) < wanted and shop.is_open(weekday, arrive_s, arrive_s + walk_s + stay_s):
            stops.append(route.visit(shop, random, stay_s=stay_s))
    route.walk(world.place_around(route.knots[-1][1], random, between_m=_WAY_M))
    return Plan(tuple(route.knots), tuple(stops))


def _pass(world: World, random: Random, start_s: float) -> Plan:
    """Walk from place to place, past the shops on the way at 8 to 40 m; stand at one window in five for a minute."""
    origin = random.choice(world.places)
    goal = world.place_around(origin, random, between_m=_STROLL_M)
    route = _Route(start_s, origin, speed_mps=random.uniform(1.1, 1.5))
    bearing = math.atan2(goal[0] - origin[0], goal[1] - origin[1])
    for shop in _passed(world.shops.values(), origin, bearing=bearing, length_m=math.dist(origin, goal)):
        route.walk(_beside(shop.at, random.uniform(8, 40), bearing + math.pi / 2))
        if random.random() < 0.2:
            route.stand(random.uniform(20, 60))
    route.walk(goal)
    return Plan(tuple(route.knots))


def _passed(shops: Iterable[Shop], origin: Point, *, bearing: float, length_m: float) -> list[Shop]:
    """The shops beside a straight line, in the order in which they are passed."""
    east, north = math.sin(bearing), math.cos(bearing)
    passed: list[tuple[float, Shop]] = []
    for shop in shops:
        x, y = shop.at[0] - origin[0], shop.at[1] - origin[1]
        along_m, aside_m = x * east + y * north, x * north - y * east
        if 0 < along_m < length_m and abs(aside_m) <= _PASSED_M:
            passed.append((along_m, shop))
    return [shop for _, shop in sorted(passed, key=lambda pair: pair[0])]


def _drive(world: World, random: Random, start_s: float) -> Plan:
    shop = random.choice(list(world.shops.values()))
    bearing = random.uniform(0, math.tau)
    beside = _beside(shop.at, random.uniform(0, 60), bearing + math.pi / 2)
    route = _Route(start_s, _beside(beside, -1200, bearing), speed_mps=random.uniform(10, 14))
    route.walk(_beside(beside, 1200, bearing), winding=1.0)
    return Plan(tuple(route.knots))


def _work(world: World, random: Random, *, morning_s: float, weekday: int) -> Plan:
    """Work five to eight hours in a shop that is open that long; on a day without one, pass by instead."""
    longest = [
        (shop, max(shop.week[weekday], key=_length_s, default=(0.0, 0.0))) for shop in world.shops.values()
    ]
    workplaces = [(shop, span) for shop, span in longest if _length_s(span) >= 5 * 3600]
    if not workplaces:
        return _pass(world, random, morning_s + 9 * 3600)
    shop, (first_s, last_s) = random.choice(workplaces)
    duty_s = random.uniform(5, min(8.0, (last_s - first_s) / 3600)) * 3600
    start_s = morning_s + random.uniform(first_s, last_s - duty_s) - 600
    home = world.place_around(shop.at, random, between_m=_WAY_M)
    route = _Route(start_s, home, speed_mps=1.3)
    route.walk(_somewhere_in(shop, random))
    route.stand(duty_s)
    route.walk(home)
    return Plan(tuple(route.knots), on_duty=True)


def _length_s(span: tuple[float, float]) -> float:
    return span[1] - span[0]
