"""What does a phone notice of its owner's way, and when does it send it?

Phones are late, inaccurate and repeat themselves: fixes with honest errors, region crossings 20 s to 4
minutes late, batches that wait out dead zones and then arrive newest first, clocks that are wrong by
minutes to days.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from beacons.sim.radio import Drift, hear
from beacons.sim.walker import Kind, Plan, Shopper
from beacons.sim.world import Point, Shop

_EARSHOT_M = 12.0
_BURST_S = 10
_MIN_SAMPLES = 3
_LOOK_S = 40.0
_REPEAT_SHARE = 0.03
_FAR_EAST_M = 6000.0


@dataclass(frozen=True, slots=True)
class Traits:
    """What kind of phone it is. `number` is None where the owner keeps it to herself. `clock_error_s` is added
    to its own clock; `tells_age` phones send `age_ms`, the others their own time of event and sending.
    """

    platform: str
    language: str
    timezone: str
    number: str | None
    marketing: bool
    positions: bool
    tells_age: bool
    clock_error_s: float
    batch_s: float
    spoofs: bool


@dataclass(frozen=True, slots=True)
class Noticed:
    """One sighting as the phone keeps it until it is sent; `burst` holds the age of each beacon sample."""

    id: str
    at_s: float
    fields: dict[str, Any]
    burst: tuple[tuple[int, int], ...] = ()


def traits(random: Random, shopper: Shopper) -> Traits:
    """Draw a phone. Most owners live across the border, in France, as most people in Monaco's shops do: their
    numbers are of the range that is kept for fiction there (06 39 98). The others are at home in Monaco.
    """
    from_france = random.random() < 0.92
    wrong_clock = random.random() < 0.15
    return Traits(
        platform=random.choice(("ios", "android")),
        language=random.choices(("fr", "en", "it"), (0.6, 0.2, 0.2))[0],
        timezone="Europe/Paris" if from_france else "Europe/Monaco",
        number=f"+3363998{shopper.index % 10_000:04d}" if from_france else None,
        marketing=random.random() >= 0.1,
        positions=not shopper.doors_only,
        tells_age=random.random() < 0.85,
        clock_error_s=random.choice((-1, 1)) * 10 ** random.uniform(2, 5.5)
        if wrong_clock
        else random.gauss(0, 2),
        batch_s=random.uniform(90, 200),
        spoofs=shopper.kind is Kind.PASSER_BY and random.random() < 0.02,
    )


class Phone:
    """One phone, from sensing to the body of a request. All times are seconds since the simulation began."""

    def __init__(self, shopper: Shopper, random: Random) -> None:
        self.traits = traits(random, shopper)
        self.watched: Collection[str] = ()
        self._shopper = shopper
        self._shops: Sequence[Shop] = tuple(shopper.world.shops.values())
        self._random = random
        self._drift = Drift(random)
        self._count = 0
        self._outbox: list[Noticed] = []
        self._pending: list[Noticed] = []
        self._inside: set[str] = set()
        self._next_fix_s = self._next_look_s = self._next_scan_s = self._next_send_s = 0.0
        self._offline = False

    def wake(self, plan: Plan) -> None:
        """Begin a day: the first fix is taken far from the city, on the way there."""
        self._next_fix_s = self._next_look_s = self._next_scan_s = plan.start_s
        self._next_send_s = plan.start_s + self._random.uniform(0, self.traits.batch_s)
        if self.traits.positions:
            self._locate(plan.start_s - 600, (_FAR_EAST_M, 0.0), 15.0, accuracy_m=65.0)

    def sense(self, plan: Plan, until_s: float) -> None:
        """Notice what happens up to `until_s` on this way."""
        last_s = min(until_s, plan.end_s)
        if self.traits.positions:
            self._fixes(plan, last_s)
            self._looks(plan, last_s)
        self._scans(plan, last_s)
        self._outbox += [crossing for crossing in self._pending if crossing.at_s <= until_s]
        self._pending = [crossing for crossing in self._pending if crossing.at_s > until_s]

    def quiet(self, plan: Plan, now_s: float) -> bool:
        """Whether the day is over for this phone and all is sent."""
        return now_s > plan.end_s and not self._outbox and not self._pending

    def batch(self, now_s: float) -> list[Noticed]:
        """What to send now, perhaps nothing: one batch in eight waits some minutes for a network."""
        if now_s < self._next_send_s or not self._outbox:
            return []
        if not self._offline and self._random.random() < 0.12:
            self._offline = True
            self._next_send_s = now_s + self._random.uniform(180, 900)
            return []
        return self._outbox[::-1] if self._offline else list(self._outbox)

    def sent(self, batch: Sequence[Noticed], now_s: float) -> None:
        """Forget what was acknowledged, except for the few items that the phone will repeat."""
        self._outbox = [item for item in batch if self._random.random() < _REPEAT_SHARE]
        self._offline = False
        self._next_send_s = now_s + self.traits.batch_s

    def body(self, batch: Sequence[Noticed], *, now_s: float, start: datetime) -> dict[str, Any]:
        """The request for a batch, with ages and the sending time as of this attempt."""
        origin = start + timedelta(seconds=self.traits.clock_error_s)
        return {
            "sent_at": (origin + timedelta(seconds=now_s)).isoformat(),
            "sightings": [self._item(noticed, now_s, origin) for noticed in batch],
        }

    def _item(self, noticed: Noticed, now_s: float, origin: datetime) -> dict[str, Any]:
        item: dict[str, Any] = {"id": noticed.id, **noticed.fields}
        age_ms = round((now_s - noticed.at_s) * 1000)
        if self.traits.tells_age:
            item["age_ms"] = age_ms
        else:
            item["at"] = (origin + timedelta(seconds=noticed.at_s)).isoformat()
        if noticed.burst:
            item["samples"] = [
                {"age_ms": age_ms + before_ms, "rssi_dbm": rssi} for before_ms, rssi in noticed.burst
            ]
        return item

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
        self._outbox.append(self._notice(at_s, **fields))

    def _fixes(self, plan: Plan, last_s: float) -> None:
        while self._next_fix_s <= last_s:
            at_s = self._next_fix_s
            point, speed_mps = plan.at(at_s)
            indoors = speed_mps < 0.3
            accuracy_m = self._random.triangular(5, 40, 14 if indoors else 8)
            self._locate(at_s, point, speed_mps, accuracy_m=accuracy_m)
            if self.traits.spoofs:
                self._spoof(at_s)
            pause_s = (220, 320) if plan.on_duty and indoors else (55, 110) if indoors else (22, 60)
            self._next_fix_s = at_s + self._random.uniform(*pause_s)

    def _spoof(self, at_s: float) -> None:
        latitude, longitude = self._shopper.world.degrees(
            self._shops[self._shopper.index % len(self._shops)].at
        )
        self._outbox.append(
            self._notice(
                at_s, kind="location", latitude=latitude, longitude=longitude, accuracy_m=5.0, mocked=True
            )
        )

    def _looks(self, plan: Plan, last_s: float) -> None:
        """Compare position and regions every 40 s; one crossing in ten is lost, the others come late."""
        while self._next_look_s <= last_s:
            at_s = self._next_look_s
            self._next_look_s += _LOOK_S
            now_inside = set(self._regions_at(plan.at(at_s)[0]))
            for region in sorted(now_inside ^ self._inside):
                if self._random.random() < 0.9:
                    late_s = self._random.uniform(20, 240)
                    transition = "enter" if region in now_inside else "exit"
                    self._pending.append(
                        self._notice(
                            at_s + late_s, kind="geofence", transition=transition, region_ids=[region]
                        )
                    )
            self._inside = now_inside

    def _regions_at(self, point: Point) -> Iterator[str]:
        for shop in self._shops:
            if math.dist(point, shop.at) > 400:
                continue
            for zone_id in ("premises", *shop.zones):
                region = f"{shop.id}/{zone_id}"
                if region in self.watched and shop.covers(point, zone_id):
                    yield region

    def _scans(self, plan: Plan, last_s: float) -> None:
        """Range beacons: a burst of ten seconds when one comes into earshot, then every minute or so."""
        while self._next_scan_s <= last_s:
            at_s = self._next_scan_s
            point, _ = plan.at(at_s)
            shop = next((s for s in self._shops if s.beacons and math.dist(point, s.at) < _EARSHOT_M), None)
            if shop is None:
                self._next_scan_s = at_s + 20
                continue
            foreground = self._random.random() < 0.6
            for beacon in shop.beacons:
                heard = hear(self._random, beacon, point, seconds=_BURST_S)
                if len(heard) >= _MIN_SAMPLES:
                    noticed = self._notice(
                        at_s + heard[-1][0],
                        kind="beacon",
                        uuid=beacon.uuid,
                        major=beacon.major,
                        minor=beacon.minor,
                        rssi_dbm=heard[-1][1],
                        foreground=foreground,
                    )
                    burst = tuple(((heard[-1][0] - second) * 1000, rssi) for second, rssi in heard)
                    self._pending.append(replace(noticed, burst=burst))
            pause_s = (250, 350) if plan.on_duty else (70, 130)
            self._next_scan_s = at_s + self._random.uniform(*pause_s)
