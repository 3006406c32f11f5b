"""How is a ratio measured so that it can be trusted? Alternating rounds, CPU time of the whole process, medians."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the benchmark: `ratio` is held against `goal` (at least); `spread` is its lowest and highest.

    `value` and `floor` are in `unit`; `wall` is how many a second of wall time were handled, `cpu_us` what one cost
    and what it cost on the floor.
    """

    name: str
    value: float
    unit: str
    floor: float
    ratio: float
    spread: tuple[float, float]
    goal: float
    wall: float
    cpu_us: tuple[float, float]

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.ratio >= self.goal


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round of one variant cost, per sighting or request."""

    cpu_us: float
    wall_us: float


def timed(work: Callable[[], int]) -> Cost:
    """Runs one round that handles as many sightings as it returns; CPU time is that of all threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    handled = work()
    return Cost((time.process_time() - cpu) / handled * 1e6, (time.perf_counter() - wall) / handled * 1e6)


def compared(
    name: str,
    ours: Sequence[Cost],
    floor: Sequence[Cost],
    *,
    goal: float,
    unit: str = "sightings per CPU second",
    by: Callable[[Cost], float] = attrgetter("cpu_us"),
) -> Row:
    """How many times the floor's speed, pair by pair; rounds of both alternate. `by` is the cost that is compared."""
    shares = sorted(by(theirs) / by(mine) for mine, theirs in zip(ours, floor, strict=True))
    return Row(
        name=name,
        value=1e6 / median(map(by, ours)),
        unit=unit,
        floor=1e6 / median(map(by, floor)),
        ratio=median(shares),
        spread=(shares[0], shares[-1]),
        goal=goal,
        wall=1e6 / median(cost.wall_us for cost in ours),
        cpu_us=(median(cost.cpu_us for cost in ours), median(cost.cpu_us for cost in floor)),
    )
