"""What would the phones send? A stand-in for a service that keeps their requests and decides nothing."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from beacons.sim.client import Registration
from beacons.sim.phone import Circle, Watch
from beacons.sim.world import Point, World

_MOST_REGIONS = {"ios": 20, "android": 100}
_SMALLEST_RADIUS_M = 100.0
"""Vendors advise so much at least."""


class Recorder:
    """Hands every batch to `keep` as a phone sends it, with its `device_id` and when it was received.

    `now` is the caller's to set before each step. Offers are never made; regions are the nearest ones.
    """

    def __init__(self, world: World, keep: Callable[[dict[str, Any]], object], *, now: datetime) -> None:
        self.now = now
        self._world = world
        self._keep = keep
        self._devices = 0

    def register(self) -> Registration:
        """Number the phones; their token is their id."""
        self._devices += 1
        device_id = f"phone-{self._devices}"
        return Registration(device_id, device_id)

    def describe(self, token: str, facts: Mapping[str, Any]) -> None:
        """Nothing is kept of it."""

    def identify(self, token: str, phone: str) -> None:
        """Nothing is kept of it."""

    def consent(self, token: str, consents: list[dict[str, Any]]) -> None:
        """Nothing is kept of it."""

    def watch(self, token: str, where: tuple[float, float], *, at: Point, platform: str) -> Watch:
        """The nearest regions, as many as the platform watches; a shop's beacons before its circles."""
        del token, where
        circles: dict[str, Circle] = {}
        beacons: dict[tuple[str, int], str] = {}
        for shop in sorted(self._world.shops.values(), key=lambda shop: math.dist(shop.at, at)):
            for beacon in shop.beacons:
                if len(circles) + len(beacons) < _MOST_REGIONS[platform]:
                    beacons[beacon.uuid, beacon.major] = f"beacon:{beacon.uuid}/{beacon.major}"
            for zone_id in ("premises", *shop.zones):
                if len(circles) + len(beacons) < _MOST_REGIONS[platform]:
                    latitude, longitude = self._world.degrees(shop.at)
                    radius_m = max(_SMALLEST_RADIUS_M, shop.reach_m(zone_id))
                    circles[f"{shop.id}/{zone_id}"] = Circle(latitude, longitude, radius_m)
        return Watch(circles, beacons, asked_at=at)

    def sightings(self, token: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep a batch."""
        self._keep({"device_id": token, "received_at": self.now.isoformat(), **body})
        return {"accepted": len(body["sightings"]), "away": 0, "duplicates": 0, "rejected": [], "events": []}

    def offers(self, token: str) -> list[dict[str, Any]]:
        """There are none."""
        del token
        return []

    def redeem(self, store_id: str, *, code: str, basket_id: str, amount: str, currency: str) -> bool:
        """There is nothing to redeem."""
        del store_id, code, basket_id, amount, currency
        return False
