"""A delivery worker of a small world, for tests that let messages leave."""

from __future__ import annotations

from m2s.adapters.runtime.metrics import Metrics
from m2s.app.channel import ChannelAdapter
from m2s.app.deliver import Deliver
from m2s.app.lanes import Pace
from m2s.core.base.instants import Clock
from tests.app.world import World


def worker(
    world: World,
    channels: dict[str, ChannelAdapter] | None = None,
    *,
    clock: Clock | None = None,
    jitter: float = 0.0,
    pace: Pace | None = None,
    metrics: Metrics | None = None,
    **named: ChannelAdapter,
) -> Deliver:
    """A worker that calls one channel after the other, unless `pace` says how many at once."""
    return Deliver(
        world.database,
        {**(channels or {}), **named},
        clock=clock or world.clock,
        catalog=lambda: world.catalog,
        policy=world.policy,
        jitter=lambda: jitter,
        observer=(metrics or Metrics()).delivery,
        pace=pace or Pace(at_once=1),
    )
