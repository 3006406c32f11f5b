"""What does one shopper do on each day, and what would a message change?

Every plan is a pure function of seed, shopper and day. What a message would change is one too, so that the
day with the message and the day without it can be compared for the same shopper.
"""

from dataclasses import dataclass
from random import Random

from beacons.sim.route import Kind, Plan, Route
from beacons.sim.ways import Day, plan_of
from beacons.sim.world import DAY_S, World

_NEVER_MOVED = (Kind.DRIVER, Kind.STAFF, Kind.RESIDENT)
_MEMORY_S = 5400.0


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
        morning_s = day * DAY_S
        return plan_of(
            self.kind,
            Day(
                self.world,
                self.random("plan", str(day)),
                self.random("home"),
                morning_s=morning_s,
                weekday=self.weekday(morning_s),
                doors_only=self.doors_only,
            ),
        )

    def weekday(self, second: float) -> int:
        """The weekday (0 Monday) of a moment of the simulation."""
        return (self.first_weekday + int(second // DAY_S)) % 7

    def reacts(self, campaign_id: str, store_id: str, effect: float) -> bool:
        """Whether a message of this campaign for this store moves her: one fixed draw u, u < effect."""
        return self.random("reacts", campaign_id, store_id).random() < effect

    def detour(self, plan: Plan, store_id: str, seen_s: float) -> Plan | None:
        """The plan with an extra visit of 8 to 15 minutes to the store, or None where that cannot be.

        She must be on her way, neither at work, at home nor at the wheel, and not going to that store today anyway.
        She finishes the visits she had planned first, so that none is moved or lost; when that takes longer
        than 90 minutes she forgets. The store must be open from her arrival until she leaves.
        """
        if self.kind in _NEVER_MOVED or not plan.start_s <= seen_s < plan.end_s:
            return None
        if any(stop.store_id == store_id for stop in plan.stops):
            return None
        free_s = max([seen_s, *(stop.leave_s for stop in plan.stops)])
        if free_s - seen_s > _MEMORY_S:
            return None
        random = self.random("detour", store_id, str(int(seen_s // DAY_S)))
        shop = self.world.shops[store_id]
        route = Route(free_s, plan.at(free_s)[0], speed_mps=random.uniform(1.1, 1.5))
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
