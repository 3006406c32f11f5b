"""What does a phone notice of its owner's way?

Fixes with honest errors, region crossings minutes late, bursts of beacon packets; and nothing while it starts anew.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from beacons.sim.fleet import Fleet
from beacons.sim.habits import USUAL, Habits, Span, traits
from beacons.sim.outbox import Noticed, Outbox, request
from beacons.sim.radio import Drift, hear
from beacons.sim.route import Plan
from beacons.sim.walker import Shopper
from beacons.sim.world import Point, Shop, Transmitter

_BURST_S = 10
_MIN_SAMPLES = 3
_LOOK_S = 40.0
_CUSHION_M = 20.0
"""How far the edge of a circle is to be crossed before the system believes it; how far that really is, none tells."""
_FAR_EAST_M = 6000.0
_ON_DUTY_FIX_S, _ON_DUTY_SCAN_S = (220.0, 320.0), (250.0, 350.0)
_APPROXIMATE_FIX_S, _APPROXIMATE_M = (600.0, 1200.0), (1000.0, 5000.0)
_OFF_S, _FENCES_LOST_S = (60.0, 180.0), (1200.0, 3600.0)
_NEVER = (math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Circle:
    """A region as the system watches it."""

    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What the service planned for a phone: circles by id, beacon regions by uuid and major, how far that holds."""

    circles: Mapping[str, Circle] = field(default_factory=dict)
    beacons: Mapping[tuple[str, int], str] = field(default_factory=dict)
    holds_m: float = math.inf
    asked_at: Point = (0.0, 0.0)


class Phone:
    """One phone, from sensing to the body of a request. All times are seconds since the simulation began."""

    def __init__(
        self, shopper: Shopper, random: Random, habits: Habits = USUAL, *, fleet: Fleet | None = None
    ) -> None:
        self.traits = traits(random, shopper, habits)
        self._watch, self._circles = Watch(), dict[str, tuple[Point, float]]()
        self._habits = habits
        self._fleet = fleet or Fleet(shopper.world)
        self._shopper = shopper
        self._shops: Sequence[Shop] = tuple(shopper.world.shops.values())
        self._random = random
        self._own = shopper.random("habits")
        self._drift = Drift(random)
        self._outbox = Outbox(self.traits, habits, random=random, own=self._own)
        self._count = 0
        self._inside: set[str] = set()
        self._heard_s: dict[str, float] = {}
        self._next_fix_s = self._next_look_s = self._next_scan_s = 0.0
        self._off, self._fences_lost = _NEVER, _NEVER

    @property
    def watch(self) -> Watch:
        """What it watches."""
        return self._watch

    @watch.setter
    def watch(self, planned: Watch) -> None:
        world = self._shopper.world
        self._watch = planned
        self._circles = {
            region: (world.metres(circle.longitude, circle.latitude), circle.radius_m)
            for region, circle in planned.circles.items()
        }

    def wake(self, plan: Plan) -> None:
        """Begin a day: who comes from afar has a first fix far from the city."""
        self._next_fix_s = self._next_look_s = self._next_scan_s = plan.start_s
        self._outbox.begin(plan.start_s, plan.end_s)
        if self._own.random() < self._habits.reboots:
            self._restart(self._own.uniform(plan.start_s, plan.end_s))
        if self.traits.positions and plan.from_afar:
            self._locate(plan.start_s - 600, (_FAR_EAST_M, 0.0), 15.0, accuracy_m=65.0)

    def sense(self, plan: Plan, until_s: float) -> None:
        """Notice what happens up to `until_s` on this way."""
        last_s = min(until_s, plan.end_s)
        if self.traits.approximate:
            self._approximate_fixes(plan, last_s)
        else:
            if self.traits.positions:
                self._fixes(plan, last_s)
                self._looks(plan, last_s)
            self._scans(plan, last_s)
            if until_s > plan.end_s:
                self._leave_beacons(math.inf)
        self._outbox.notice(until_s)

    def quiet(self, plan: Plan, now_s: float) -> bool:
        """Whether the day is over for this phone and all is sent."""
        return now_s > plan.end_s and self._outbox.empty

    def batch(self, now_s: float) -> list[Noticed]:
        """What to send now, perhaps nothing."""
        return self._outbox.batch(now_s)

    def sent(self, batch: Sequence[Noticed], now_s: float) -> None:
        """Forget what was acknowledged."""
        self._outbox.sent(batch, now_s)

    def body(self, batch: Sequence[Noticed], *, now_s: float, start: datetime) -> dict[str, Any]:
        """The request for a batch that is sent at `now_s`."""
        return request(self.traits, batch, now_s=now_s, start=start)

    def _restart(self, at_s: float) -> None:
        """Be off for a minute or two; Android then watches no region until the app runs again."""
        self._off = (at_s, at_s + self._own.uniform(*_OFF_S))
        if self.traits.platform == "android":
            self._fences_lost = (at_s, at_s + self._own.uniform(*_FENCES_LOST_S))

    def _notice(self, at_s: float, **fields: Any) -> Noticed:
        self._count += 1
        return Noticed(f"p{self._shopper.index}-{self._count}", at_s, fields)

    def _locate(self, at_s: float, true: Point, speed_mps: float, *, accuracy_m: float) -> None:
        latitude, longitude = self._shopper.world.degrees(self._drift.fix(true, accuracy_m, at_s=at_s))
        fields: dict[str, Any] = {
            "kind": "location",
            "latitude": round(latitude, 6),
            "longitude": round(longitude, 6),
            "accuracy_m": round(accuracy_m, 1),
        }
        if speed_mps > 0 and self._random.random() < 0.7:
            fields["speed_mps"] = round(max(0.0, self._random.gauss(speed_mps, 0.15 * speed_mps)), 1)
        self._outbox.put(self._notice(at_s, **fields))

    def _fixes(self, plan: Plan, last_s: float) -> None:
        habits = self._habits
        while (at_s := _after(self._off, self._next_fix_s)) <= last_s:
            point, speed_mps = plan.at(at_s)
            indoors = speed_mps < 0.3
            usual_m = habits.indoors_m if indoors else habits.outdoors_m
            accuracy_m = self._random.triangular(*habits.accuracy_m, usual_m)
            self._locate(at_s, point, speed_mps, accuracy_m=accuracy_m)
            if self.traits.spoofs:
                self._spoof(at_s)
            still_s = _ON_DUTY_FIX_S if plan.on_duty else habits.fix_still_s
            self._next_fix_s = at_s + self._random.uniform(*(still_s if indoors else habits.fix_walking_s))

    def _approximate_fixes(self, plan: Plan, last_s: float) -> None:
        """Without exact location there are no regions and no beacons either."""
        while (at_s := _after(self._off, self._next_fix_s)) <= last_s:
            self._locate(at_s, plan.at(at_s)[0], 0.0, accuracy_m=self._random.uniform(*_APPROXIMATE_M))
            self._next_fix_s = at_s + self._random.uniform(*_APPROXIMATE_FIX_S)

    def _spoof(self, at_s: float) -> None:
        shop = self._shops[self._shopper.index % len(self._shops)]
        latitude, longitude = self._shopper.world.degrees(shop.at)
        self._outbox.put(
            self._notice(
                at_s, kind="location", latitude=latitude, longitude=longitude, accuracy_m=5.0, mocked=True
            )
        )

    def _looks(self, plan: Plan, last_s: float) -> None:
        """Compare position and regions every 40 s; some crossings are lost, the others come late."""
        while self._next_look_s <= last_s:
            at_s = self._next_look_s
            self._next_look_s += _LOOK_S
            if _holds(self._off, at_s) or _holds(self._fences_lost, at_s):
                # A system that lost its regions tells of those that it is in when it gets them back.
                self._inside = set() if _holds(self._fences_lost, at_s) else self._inside
                continue
            now_inside = set(self._regions_at(plan.at(at_s)[0]))
            for regions in self._told_at_once(now_inside):
                if self._random.random() < 1 - self._habits.fence_lost:
                    late_s = self._random.uniform(*self._habits.fence_delay_s)
                    self._cross(regions, at_s + late_s, enters=regions[0] in now_inside)
            self._inside = now_inside

    def _told_at_once(self, now_inside: set[str]) -> list[list[str]]:
        """The regions of each event: one each, but that Android tells of several in one."""
        if self.traits.platform != "android" or not self._habits.regions_planned:
            return [[region] for region in sorted(now_inside ^ self._inside)]
        groups = (sorted(self._inside - now_inside), sorted(now_inside - self._inside))
        return [regions for regions in groups if regions]

    def _cross(self, regions: list[str], at_s: float, *, enters: bool) -> None:
        transition = "enter" if enters else "exit"
        crossing = self._notice(at_s, kind="geofence", transition=transition, region_ids=regions)
        self._outbox.put_later(crossing)

    def _regions_at(self, point: Point) -> Iterator[str]:
        for region, (middle, radius_m) in self._circles.items():
            cushion_m = _CUSHION_M if region in self._inside else -_CUSHION_M
            if math.dist(point, middle) <= radius_m + cushion_m:
                yield region

    def _scans(self, plan: Plan, last_s: float) -> None:
        """Range beacons: a burst of ten seconds when one comes into earshot, then every minute or so."""
        while (at_s := _after(self._off, self._next_scan_s)) <= last_s:
            point, _ = plan.at(at_s)
            beacons = self._audible(point, at_s)
            if self._habits.regions_planned:
                self._leave_beacons(at_s)
            if not beacons:
                self._next_scan_s = at_s + 20
                continue
            foreground = self._random.random() < 0.6
            for beacon in beacons:
                self._range(beacon, point, at_s, foreground=foreground)
            self._next_scan_s = at_s + self._random.uniform(
                *(_ON_DUTY_SCAN_S if plan.on_duty else self._habits.scan_s)
            )

    def _audible(self, point: Point, at_s: float) -> list[Transmitter]:
        """The beacons around, of which a phone that watches planned regions hears only those."""
        beacons = self._fleet.around(point, at_s)
        if not self._habits.regions_planned or not self.traits.positions:
            return beacons
        return [beacon for beacon in beacons if (beacon.uuid, beacon.major) in self.watch.beacons]

    def _range(self, beacon: Transmitter, point: Point, at_s: float, *, foreground: bool) -> None:
        walls = self._fleet.walls(beacon, point)
        heard = hear(self._random, beacon, point, seconds=_BURST_S, radio=self._fleet.radio, walls=walls)
        if len(heard) < _MIN_SAMPLES:
            return
        last_s, rssi_dbm = heard[-1]
        noticed = self._notice(
            at_s + last_s,
            kind="beacon",
            uuid=beacon.uuid,
            major=beacon.major,
            minor=beacon.minor,
            rssi_dbm=rssi_dbm,
            foreground=foreground,
        )
        burst = tuple(((last_s - second) * 1000, rssi) for second, rssi in heard)
        self._outbox.put_later(replace(noticed, burst=burst))
        region = self.watch.beacons.get((beacon.uuid, beacon.major))
        if region is not None and self._habits.regions_planned:
            if region not in self._heard_s:
                self._cross([region], at_s + 1, enters=True)
            self._heard_s[region] = at_s + last_s

    def _leave_beacons(self, at_s: float) -> None:
        """Tell, late, of the beacon regions of which nothing was heard since the scan before this one."""
        for region, heard_s in list(self._heard_s.items()):
            if at_s - heard_s > max(self._habits.scan_s[1], _ON_DUTY_SCAN_S[1]):
                self._cross([region], heard_s + self._own.uniform(*self._habits.beacon_exit_s), enters=False)
                del self._heard_s[region]


def _holds(span: Span, at_s: float) -> bool:
    return span[0] <= at_s < span[1]


def _after(span: Span, at_s: float) -> float:
    """The moment, or the end of the span that it lies in."""
    return span[1] if _holds(span, at_s) else at_s
