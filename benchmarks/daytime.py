"""When do the benchmarks take place? On a Tuesday morning, whenever they run: at night nothing would be sent."""

from datetime import UTC, datetime

from m2s.adapters.runtime.clock import SystemClock
from m2s.adapters.runtime.world import World

_TUESDAY = datetime(2026, 11, 3, 9, tzinfo=UTC)


class Daytime(SystemClock):
    """A clock that goes as the system's does, and began on a Tuesday at ten in Paris."""

    def __init__(self) -> None:
        self._ahead = _TUESDAY - super().now()

    def now(self) -> datetime:
        """The instant since then, aware, UTC."""
        return super().now() + self._ahead


def daytime() -> World:
    """The real world but for its clock."""
    world = World.real()
    return World(Daytime(), world.ids, world.out)
