"""How is a ratio measured so that it can be trusted? Alternating rounds, CPU time of the whole process, medians."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the benchmark: `ratio` is held against `goal` (at least); `spread` is its lowest and highest."""

    name: str
    value: float
    unit: str
    floor: float
    ratio: float
    spread: tuple[float, float]
    goal: float
    wall: float

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.ratio >= self.goal


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round of one variant cost, per sighting."""

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
) -> Row:
    """The share of the floor's speed, pair by pair; rounds of both alternate."""
    shares = sorted(theirs.cpu_us / mine.cpu_us for mine, theirs in zip(ours, floor, strict=True))
    return Row(
        name=name,
        value=1e6 / median(cost.cpu_us for cost in ours),
        unit=unit,
        floor=1e6 / median(cost.cpu_us for cost in floor),
        ratio=median(shares),
        spread=(shares[0], shares[-1]),
        goal=goal,
        wall=1e6 / median(cost.wall_us for cost in ours),
    )
