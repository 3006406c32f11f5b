"""What the retailer tells of people, in short: use cases on a world, and what became of shoppers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from m2s.app.customers import Customers
from m2s.app.devices import Devices
from m2s.app.identify import Identify
from m2s.app.purchases import Purchases
from m2s.app.research import Research
from m2s.app.rows import DeviceRow
from m2s.app.shoppers import Ground, Moves
from tests.app.world import World


def ground(
    world: World, *, moved: Callable[[Moves], object] = lambda _moves: None, timezone: str | None = None
) -> Ground:
    """What the use cases stand on; all stores of a world are in France."""
    return Ground(world.database, world.ids, world.clock, lambda: world.catalog, moved, timezone)


def identify(world: World, **options: Any) -> Identify:
    return Identify(ground(world, **options))


def purchases(world: World) -> Purchases:
    return Purchases(ground(world))


def customers(world: World) -> Customers:
    return Customers(ground(world))


def research(world: World) -> Research:
    return Research(ground(world), looked_up=lambda _records, _shopper_ids: None)


def devices_of(world: World) -> Devices:
    return Devices(world.database, world.ids, clock=world.clock, changed=lambda _device_id: None)


def registered(world: World) -> DeviceRow:
    """A new device of a new shopper."""
    devices = devices_of(world)
    return devices.device(devices.register({}, key_id="k").device_id)


def shopper_of(world: World, device: DeviceRow) -> str:
    """Whose a device is now."""
    with world.database.read() as records:
        found = records.devices.device(device.id)
        assert found is not None
        return found.shopper_id


def holders(world: World, kind: str, values: Iterable[str]) -> dict[str, str]:
    """Whose pivot ids are that are kept as they are written."""
    with world.database.read() as records:
        found = records.identities.holders((kind, value) for value in values)
    return {value: held.shopper_id for (_, value), held in found.items()}
