"""One phone through one day, without a service: all that it sends, and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from beacons.sim.fleet import Fleet
from beacons.sim.habits import USUAL, Habits
from beacons.sim.outbox import Noticed
from beacons.sim.phone import Circle, Phone, Watch
from beacons.sim.route import Kind
from beacons.sim.walker import Shopper
from beacons.sim.world import World

START = datetime.fromisoformat("2026-11-02T00:00:00+01:00")
Sent = list[tuple[float, list[Noticed]]]


def a_day(
    city: World,
    index: int,
    kind: Kind = Kind.BUYER,
    *,
    doors_only: bool = False,
    habits: Habits = USUAL,
    fleet: Fleet | None = None,
) -> tuple[Phone, Sent]:
    """A phone that watches everything, and all that it sent, as `(second, batch)`."""
    shopper = Shopper(city, 7, index, kind, 0, doors_only)
    plan = shopper.plan(0)
    phone = Phone(shopper, shopper.random("phone"), habits, fleet=fleet)
    phone.watch = Watch(
        {
            f"{shop.id}/{zone}": Circle(*city.degrees(shop.at), shop.reach_m(zone))
            for shop in city.shops.values()
            for zone in ("premises", "vicinity")
        },
        {
            (beacon.uuid, beacon.major): f"beacon:{shop.id}"
            for shop in city.shops.values()
            for beacon in shop.beacons
        },
    )
    phone.wake(plan)
    sent: Sent = []
    now_s = plan.start_s
    while not phone.quiet(plan, now_s):
        now_s += 60
        phone.sense(plan, now_s)
        batch = phone.batch(now_s)
        if batch:
            sent.append((now_s, batch))
            phone.sent(batch, now_s)
    return phone, sent


def items(sent: Iterable[tuple[float, list[Noticed]]]) -> list[Noticed]:
    """Each sighting once, in the order in which the phone noticed it."""
    found = {item.id: item for _, batch in sent for item in batch}
    return sorted(found.values(), key=lambda item: int(item.id.split("-")[1]))
