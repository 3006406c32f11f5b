"""Who was really where on simulated days, and which of it do the reports count? By the simulation's own record."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from shapely import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from accuracy.simulated_days import Lived
from beacons.sim.route import Kind, Plan
from beacons.sim.truth import MeasuredVisit, TrueVisit
from beacons.sim.world import Shop

_NOTHING = timedelta(0)
_Visit = TrueVisit | MeasuredVisit


class Happened:
    """The days of one scenario. A day has the number that it has in the simulation, 0 for the first."""

    def __init__(self, days: Lived) -> None:
        world = days.scenario.world
        self.name = days.scenario.id
        self.days = days.scenario.days
        self.visits: Sequence[TrueVisit] = days.truth.visits
        self.counted: Sequence[MeasuredVisit] = days.counted
        self._start = days.truth.start
        self._people = days.truth.people
        self._shops: Mapping[str, Shop] = world.shops
        self._premises = {store_id: _premises(shop) for store_id, shop in world.shops.items()}
        self._real = _by_device(self.visits)
        pairs = list(_matched(self.visits, self.counted))
        self._set_aside: dict[tuple[str, str], list[tuple[MeasuredVisit, str]]] = defaultdict(list)
        reasons = [(one.stay, one.reason) for one in days.aside]
        for stay, reason in (*reasons, *((one, "too short") for one in days.passers_by)):
            self._set_aside[stay.device_id, stay.store_id].append((stay, reason))
        self._claims = {_key(visit): claim for visit, claim in pairs}
        self._visits = {_key(claim): visit for visit, claim in pairs}
        self._counted_on = Counter((one.store_id, self._day(one.start)) for one in self.counted)
        self._real_on = Counter((one.store_id, self._day(one.start)) for one in self.visits)
        self._counted_at: dict[tuple[str, int], set[str]] = defaultdict(set)
        for one in self.counted:
            self._counted_at[one.device_id, self._day(one.start)].add(one.store_id)

    @property
    def store_ids(self) -> list[str]:
        """All stores."""
        return list(self._shops)

    def has_beacons(self, store_id: str) -> bool:
        """Whether it is a store with beacons."""
        return bool(self._shops[store_id].beacons)

    def devices(self, *kinds: Kind) -> list[str]:
        """The phones of people of these kinds."""
        return [device_id for device_id, person in self._people.items() if person.kind in kinds]

    def visit_of(self, claim: MeasuredVisit) -> TrueVisit | None:
        """The real visit that a counted one tells."""
        return self._visits.get(_key(claim))

    def claim_of(self, visit: TrueVisit) -> MeasuredVisit | None:
        """The counted visit that tells a real one."""
        return self._claims.get(_key(visit))

    def visit_during(self, claim: MeasuredVisit) -> TrueVisit | None:
        """The real visit, at whatever store, during most of a counted one."""
        during = [one for one in self._real[claim.device_id] if _shared(one, claim) > _NOTHING]
        return max(during, key=lambda one: _shared(one, claim), default=None)

    def is_told_of_another(self, visit: TrueVisit) -> bool:
        """Whether a counted visit at another store overlaps a real one, and tells no other real one."""
        return any(
            claim.device_id == visit.device_id
            and claim.store_id != visit.store_id
            and self.visit_of(claim) is None
            and _shared(visit, claim) > _NOTHING
            for claim in self.counted
        )

    def whose(self, claim: MeasuredVisit) -> str:
        """What somebody who is counted wrongly was doing."""
        really = self.visit_during(claim)
        if really is not None:
            return "counted twice" if really.store_id == claim.store_id else "next door"
        return self._people[claim.device_id].kind.value

    def why_not(self, visit: TrueVisit) -> str:
        """Why a real visit is not counted: the reason of the stay that lies in it, if there is any."""
        found = [
            (_shared(visit, stay), reason)
            for stay, reason in self._set_aside[visit.device_id, visit.store_id]
            if _shared(visit, stay) >= _NOTHING
        ]
        return max(found)[1] if found else "no stay"

    def stores_counted(self, device_id: str, day: int) -> set[str]:
        """The stores at which a visit of the day is counted."""
        return self._counted_at[device_id, day]

    def stores_passed(self, device_id: str, day: int) -> set[str]:
        """The stores whose premises the way of the day meets."""
        way = LineString([point for _, point in self._plan(device_id, day).knots])
        return {store_id for store_id, premises in self._premises.items() if premises.intersects(way)}

    def post(self, device_id: str, day: int) -> str | None:
        """The store where somebody works, or beside which she lives; None on a day off."""
        plan = self._plan(device_id, day)
        if not plan.on_duty:
            return None
        _, at = max((until_s - since_s, a) for (since_s, a), (until_s, b) in pairwise(plan.knots) if a == b)
        fixed = plan.knots[0][1] if self._people[device_id].kind is Kind.RESIDENT else at
        return min(self._premises, key=lambda store_id: self._premises[store_id].distance(Point(fixed)))

    def counted_on(self, store_id: str, day: int) -> int:
        """How many visits of a day are counted at a store."""
        return self._counted_on[store_id, day]

    def real_on(self, store_id: str, day: int) -> int:
        """How many visits really began on a day at a store."""
        return self._real_on[store_id, day]

    @staticmethod
    def lasted_s(visit: _Visit) -> float:
        """Seconds from begin to end."""
        return (visit.end - visit.start).total_seconds()

    def _plan(self, device_id: str, day: int) -> Plan:
        return self._people[device_id].plan(day)

    def _day(self, at: datetime) -> int:
        return (at.astimezone(self._start.tzinfo).date() - self._start.date()).days


def _matched(
    visits: Iterable[TrueVisit], counted: Iterable[MeasuredVisit]
) -> Iterable[tuple[TrueVisit, MeasuredVisit]]:
    """Pairs of one person at one store that overlap, those that overlap most first; each is in one pair at most."""
    claims: dict[tuple[str, str], list[MeasuredVisit]] = defaultdict(list)
    for claim in counted:
        claims[claim.device_id, claim.store_id].append(claim)
    pairs = [
        (_shared(visit, claim), visit, claim)
        for visit in visits
        for claim in claims[visit.device_id, visit.store_id]
        if _shared(visit, claim) > _NOTHING
    ]
    taken: set[tuple[str, str, datetime, str]] = set()
    for _, visit, claim in sorted(pairs, key=lambda pair: pair[0], reverse=True):
        if taken.isdisjoint({(*_key(visit), "real"), (*_key(claim), "counted")}):
            taken |= {(*_key(visit), "real"), (*_key(claim), "counted")}
            yield visit, claim


def _by_device(visits: Iterable[TrueVisit]) -> Mapping[str, Sequence[TrueVisit]]:
    found: dict[str, list[TrueVisit]] = defaultdict(list)
    for visit in visits:
        found[visit.device_id].append(visit)
    return found


def _key(visit: _Visit) -> tuple[str, str, datetime]:
    return visit.device_id, visit.store_id, visit.start


def _shared(one: _Visit, other: _Visit) -> timedelta:
    return min(one.end, other.end) - max(one.start, other.start)


def _premises(shop: Shop) -> BaseGeometry:
    return Polygon(shop.outline) if shop.outline else Point(shop.at).buffer(shop.premises_radius_m)
