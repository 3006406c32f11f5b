"""Which beacons really send, from where and how loud? Some batteries die, some beacons are moved, some are copied."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from beacons.sim.radio import INDOORS, Radio
from beacons.sim.world import Point, Shop, Transmitter, World

_WEAK_S, _WEAK_DB = 12 * 3600.0, 12.0
"""A battery that dies weakens over these seconds by so many decibels."""

_AWAY_M = 3.0
_SIGHT_M = 80.0
_WALL_M = 0.5
"""Walls closer to each other are one."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How many of the beacons die, are moved to another shop, or have a copy in another shop."""

    dead: int = 0
    moved: int = 0
    cloned: int = 0


FAULTLESS = Faults()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a beacon, and since when; `store_id` is where it, or its copy, hangs from then on."""

    kind: str
    beacon: Transmitter
    at_s: float
    store_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Sender:
    """A beacon, or a copy of one, that hangs in a shop (`middle`) for a time."""

    beacon: Transmitter
    middle: Point
    since_s: float = -math.inf
    until_s: float = math.inf
    dies: bool = False

    def heard_as(self, at_s: float) -> Transmitter:
        """The beacon as loud as it is at a moment."""
        left_s = self.until_s - at_s
        if not self.dies or left_s >= _WEAK_S:
            return self.beacon
        weaker_dbm = self.beacon.measured_power_dbm - round(_WEAK_DB * (1 - left_s / _WEAK_S))
        return replace(self.beacon, measured_power_dbm=weaker_dbm)


class Fleet:
    """All beacons of a city over `length_s` seconds. `faults` tells what goes wrong, by seed always the same."""

    def __init__(
        self,
        world: World,
        radio: Radio = INDOORS,
        *,
        faults: Faults = FAULTLESS,
        seed: int = 0,
        length_s: float = 86_400.0,
    ) -> None:
        self.radio = radio
        self._rings = [shop.outline for shop in world.shops.values() if shop.outline]
        self.faults = tuple(_draw(world, Random(f"{seed}/fleet"), faults, length_s=length_s))
        self._senders = tuple(_senders(world, self.faults))

    def around(self, point: Point, at_s: float) -> list[Transmitter]:
        """The beacons that a phone at a point listens for at a moment."""
        return [
            sender.heard_as(at_s)
            for sender in self._senders
            if math.dist(point, sender.middle) < self.radio.earshot_m
            and sender.since_s <= at_s < sender.until_s
        ]

    def walls(self, beacon: Transmitter, listener: Point) -> int:
        """How many walls stand between; where two shops share one, it counts once."""
        if not self.radio.wall_loss_db:
            return 0
        close = (ring for ring in self._rings if math.dist(ring[0], listener) < _SIGHT_M)
        through_m = sorted(at_m for ring in close for at_m in _crossings(beacon.at, listener, ring))
        return sum(b - a > _WALL_M for a, b in pairwise((-math.inf, *through_m)))


def _draw(world: World, random: Random, faults: Faults, *, length_s: float) -> Iterator[Fault]:
    homes = [(shop, beacon) for shop in world.shops.values() for beacon in shop.beacons]
    chosen = random.sample(homes, faults.dead + faults.moved + faults.cloned)
    for place, (shop, beacon) in enumerate(chosen):
        midway_s = random.uniform(0.3, 0.7) * length_s
        if place < faults.dead:
            yield Fault("dead", beacon, midway_s)
            continue
        elsewhere = random.choice([other for other in world.shops.values() if other is not shop] or [shop])
        moved = place < faults.dead + faults.moved
        yield Fault("moved" if moved else "cloned", beacon, midway_s if moved else 0.0, elsewhere.id)


def _senders(world: World, faults: Sequence[Fault]) -> Iterator[_Sender]:
    wrong = {(fault.beacon.uuid, fault.beacon.major, fault.beacon.minor): fault for fault in faults}
    for shop in world.shops.values():
        for beacon in shop.beacons:
            fault = wrong.get((beacon.uuid, beacon.major, beacon.minor))
            if fault is None:
                yield _Sender(beacon, shop.at)
                continue
            ends = fault.kind in ("dead", "moved")
            until_s = fault.at_s if ends else math.inf
            yield _Sender(beacon, shop.at, until_s=until_s, dies=fault.kind == "dead")
            if fault.store_id is not None:
                yield _elsewhere(beacon, world.shops[fault.store_id], since_s=fault.at_s)


def _elsewhere(beacon: Transmitter, shop: Shop, *, since_s: float) -> _Sender:
    hung = replace(beacon, at=(shop.at[0] + _AWAY_M, shop.at[1]))
    return _Sender(hung, shop.at, since_s=since_s)


def _crossings(a: Point, b: Point, ring: Sequence[Point]) -> Iterator[float]:
    """Where the straight line from a to b crosses a closed ring, in metres from a."""
    way = (b[0] - a[0], b[1] - a[1])
    for c, d in zip(ring, (*ring[1:], ring[0]), strict=True):
        side = (d[0] - c[0], d[1] - c[1])
        cross = _cross(way, side)
        if cross == 0:
            continue
        between = (c[0] - a[0], c[1] - a[1])
        along, aside = _cross(between, side) / cross, _cross(between, way) / cross
        if 0 <= along <= 1 and 0 <= aside < 1:
            yield along * math.hypot(*way)


def _cross(a: Point, b: Point) -> float:
    return a[0] * b[1] - a[1] * b[0]
