"""Which way does somebody of a kind take on a day, and which shops does she visit on it?"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from beacons.sim.route import Kind, Plan, Route, Stop, beside, somewhere_in
from beacons.sim.world import Point, Shop, World

_WAY_M = (320.0, 600.0)
"""How far from their shop, by the straight line, people come from and go to."""

_WAY_S = (240.0, 660.0)
"""How long such a way takes."""

_STROLL_M = (400.0, 1200.0)
"""How far people walk who pass by, by the straight line."""

_PASSED_M = 80.0
"""A shop no farther than this from the straight line is passed."""

_JOB_M = (600.0, 3000.0)
_SHORTEST_DUTY_S, _LONGEST_DUTY_S = 5 * 3600.0, 8 * 3600.0
_LINE_M = (2.0, 9.0)
_HOME_M = (12.0, 35.0)
_NEXT_DOOR_M = (2.0, 5.0)
_HOUSE_M = 12.0
"""A shop that is known by a point only is taken to be so wide from its middle to its walls."""


@dataclass(frozen=True, slots=True)
class Day:
    """Somebody's day: her draws for it, and those (`fixed`) that are the same every day."""

    world: World
    random: Random
    fixed: Random
    morning_s: float
    weekday: int
    doors_only: bool = False


def plan_of(kind: Kind, day: Day) -> Plan:
    """The way of one day, before any message."""
    return _WAYS[kind](day)


def _buy(day: Day) -> Plan:
    world, random, morning_s = day.world, day.random, day.morning_s
    start_s = morning_s + random.triangular(7.2, 19.0, 11.5) * 3600
    wanted = random.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]
    chosen = [shop for shop in world.shops.values() if shop.beacons or not day.doors_only]
    random.shuffle(chosen)
    origin = world.place_around(chosen[0].at, random, between_m=_WAY_M)
    route = Route(start_s, origin, speed_mps=random.uniform(1.1, 1.5))
    stops: list[Stop] = []
    for shop in chosen:
        stay_s = random.uniform(480, 1800)
        walk_s = math.dist(route.knots[-1][1], shop.at) * 2
        arrive_s = route.now_s - morning_s
        if len(stops) < wanted and shop.is_open(day.weekday, arrive_s, arrive_s + walk_s + stay_s):
            stops.append(route.visit(shop, random, stay_s=stay_s))
    route.walk(world.place_around(route.knots[-1][1], random, between_m=_WAY_M))
    return Plan(tuple(route.knots), tuple(stops))


def _pass(day: Day) -> Plan:
    return _stroll(day, day.morning_s + day.random.uniform(7.5, 20.0) * 3600)


def _stroll(day: Day, start_s: float) -> Plan:
    """Walk from place to place, past the shops on the way at 8 to 40 m; stand at one window in five for a minute."""
    world, random = day.world, day.random
    origin = random.choice(world.places)
    goal = world.place_around(origin, random, between_m=_STROLL_M)
    route = Route(start_s, origin, speed_mps=random.uniform(1.1, 1.5))
    bearing = math.atan2(goal[0] - origin[0], goal[1] - origin[1])
    for shop in _passed(world.shops.values(), origin, bearing=bearing, length_m=math.dist(origin, goal)):
        route.walk(beside(shop.at, random.uniform(8, 40), bearing + math.pi / 2))
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


def _drive(day: Day) -> Plan:
    world, random = day.world, day.random
    start_s = day.morning_s + random.uniform(7.5, 20.0) * 3600
    shop = random.choice(list(world.shops.values()))
    bearing = random.uniform(0, math.tau)
    past = beside(shop.at, random.uniform(0, 60), bearing + math.pi / 2)
    route = Route(start_s, beside(past, -1200, bearing), speed_mps=random.uniform(10, 14))
    route.walk(beside(past, 1200, bearing), winding=1.0)
    return Plan(tuple(route.knots))


def _work(day: Day) -> Plan:
    """Work five to eight hours in a shop, the same every day; where it is not open that long, pass by instead."""
    world, random, fixed = day.world, day.random, day.fixed
    workplaces = [
        shop
        for shop in world.shops.values()
        if any(_length_s(span) >= _SHORTEST_DUTY_S for spans in shop.week for span in spans)
    ]
    shop = fixed.choice(workplaces) if workplaces else None
    first_s, last_s = max(shop.week[day.weekday], key=_length_s, default=(0.0, 0.0)) if shop else (0.0, 0.0)
    if shop is None or last_s - first_s < _SHORTEST_DUTY_S:
        return _stroll(day, day.morning_s + 9 * 3600)
    duty_s = random.uniform(_SHORTEST_DUTY_S, min(_LONGEST_DUTY_S, last_s - first_s))
    start_s = day.morning_s + random.uniform(first_s, last_s - duty_s) - 600
    home = world.place_around(shop.at, fixed, between_m=_WAY_M)
    route = Route(start_s, home, speed_mps=1.3)
    route.walk(somewhere_in(shop, random))
    route.stand(duty_s)
    route.walk(home)
    return Plan(tuple(route.knots), on_duty=True)


def _length_s(span: tuple[float, float]) -> float:
    return span[1] - span[0]


def _queue(day: Day) -> Plan:
    """Wait in a line at a shop's door for 4 to 15 minutes, then be served; both are the visit."""
    random = day.random
    start_s = day.morning_s + random.triangular(7.2, 19.0, 9.0) * 3600
    wait_s, served_s = random.uniform(240, 900), random.uniform(120, 300)
    shop = _open_one(day, start_s + _WAY_S[0], for_s=wait_s + served_s + _WAY_S[1])
    if shop is None:
        return _stroll(day, start_s)
    route = Route(start_s, day.world.place_around(shop.at, random, between_m=_WAY_M), speed_mps=1.3)
    bearing = random.uniform(0, math.tau)
    line = beside(shop.at, _reach_m(shop, bearing) + random.uniform(*_LINE_M), bearing)
    route.walk(line)
    arrive_s = route.now_s
    route.stand(wait_s)
    route.walk(shop.at)
    route.stand(served_s)
    stop = Stop(shop.id, arrive_s, route.now_s)
    route.walk(day.world.place_around(shop.at, random, between_m=_WAY_M))
    return Plan(tuple(route.knots), (stop,))


def _live(day: Day) -> Plan:
    """Be at home beside or above a shop, every night the same, and away for the day."""
    world, random, fixed = day.world, day.random, day.fixed
    shop = fixed.choice(list(world.shops.values()))
    bearing = fixed.uniform(0, math.tau)
    home = beside(shop.at, max(_reach_m(shop, bearing), 2.0) + fixed.uniform(*_HOME_M), bearing)
    job = world.place_around(home, fixed, between_m=_JOB_M)
    route = Route(day.morning_s + 300, home, speed_mps=1.3)
    route.stand(random.uniform(7.0, 9.0) * 3600)
    route.walk(job)
    route.stand(random.uniform(7.0, 9.0) * 3600)
    route.walk(home)
    route.stand(max(600.0, day.morning_s + 23.5 * 3600 - route.now_s))
    return Plan(tuple(route.knots), on_duty=True, from_afar=False)


def _go_next_door(day: Day) -> Plan:
    """Spend 10 to 40 minutes right behind a shop's wall: a visit to whatever shop of the city is there, if any."""
    world, random = day.world, day.random
    start_s = day.morning_s + random.triangular(8.0, 19.0, 13.0) * 3600
    stay_s = random.uniform(600, 2400)
    wall_of = _open_one(day, start_s + _WAY_S[0], for_s=stay_s + _WAY_S[1])
    if wall_of is None:
        return _stroll(day, start_s)
    spot = _behind_a_wall(wall_of, random)
    route = Route(start_s, world.place_around(spot, random, between_m=_WAY_M), speed_mps=1.3)
    route.walk(spot)
    arrive_s = route.now_s
    route.stand(stay_s)
    there = [shop.id for shop in world.shops.values() if shop.outline and shop.covers(spot, "premises")]
    stops = tuple(Stop(store_id, arrive_s, route.now_s) for store_id in there[:1])
    route.walk(world.place_around(spot, random, between_m=_WAY_M))
    return Plan(tuple(route.knots), stops)


def _behind_a_wall(shop: Shop, random: Random) -> Point:
    if not shop.outline:
        return beside(shop.at, _HOUSE_M + random.uniform(*_NEXT_DOOR_M), random.uniform(0, math.tau))
    side = random.randrange(len(shop.outline))
    (x0, y0), (x1, y1) = shop.outline[side], shop.outline[(side + 1) % len(shop.outline)]
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    bearing = math.atan2(middle[0] - shop.at[0], middle[1] - shop.at[1])
    return beside(middle, random.uniform(*_NEXT_DOOR_M), bearing)


def _reach_m(shop: Shop, bearing: float) -> float:
    """How far the shop reaches from its middle in a direction, in steps of a metre."""
    if not shop.outline:
        return 0.0
    reach_m = 0.0
    while shop.covers(beside(shop.at, reach_m, bearing), "premises"):
        reach_m += 1.0
    return reach_m


def _open_one(day: Day, since_s: float, *, for_s: float) -> Shop | None:
    since_s -= day.morning_s
    fitting = [
        shop for shop in day.world.shops.values() if shop.is_open(day.weekday, since_s, since_s + for_s)
    ]
    return day.random.choice(fitting) if fitting else None


_WAYS: Mapping[Kind, Callable[[Day], Plan]] = {
    Kind.BUYER: _buy,
    Kind.PASSER_BY: _pass,
    Kind.DRIVER: _drive,
    Kind.STAFF: _work,
    Kind.QUEUE: _queue,
    Kind.RESIDENT: _live,
    Kind.MALL_NEIGHBOUR: _go_next_door,
}
