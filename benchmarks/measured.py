"""How is a figure measured so that it can be trusted? Alternating rounds, CPU time of the whole process, medians."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles

ROUNDS = 9
Round = Callable[[], int]
"""Handles as many sightings as it returns; what it needs was made before."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure has to be: at least, or at most."""

    limit: float
    at_most: bool = False

    def met(self, figure: float) -> bool:
        """Whether the figure reaches the goal."""
        return figure <= self.limit if self.at_most else figure >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the benchmark: `figure`, a ratio to the floor where there is one, is held against `goal`.

    `spread` is the lowest and the highest of the rounds; `value` and `floor` are in `unit`; `beside` is what else was
    measured, by its name with its unit.
    """

    name: str
    figure: float
    spread: tuple[float, float]
    goal: Goal | None
    value: float
    unit: str
    floor: float | None = None
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the figure reaches its goal; without one there is nothing to miss."""
        return self.goal is None or self.goal.met(self.figure)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that this machine cannot measure, and what it would take."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round of one variant cost, per sighting or request; `answers_ms` is how long each answer took."""

    cpu_us: float
    wall_us: float
    answers_ms: Sequence[float] = ()


@contextmanager
def one_core() -> Iterator[None]:
    """Holds the caller, and the threads that it starts meanwhile, to one core, where the system can.

    On two, what one thread has just made has to be fetched from the other's cache.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def timed(work: Round) -> Cost:
    """Runs one round; CPU time is that of all threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    handled = work()
    return Cost((time.process_time() - cpu) / handled * 1e6, (time.perf_counter() - wall) / handled * 1e6)


def in_turns(*variants: Callable[[], Round]) -> list[list[Cost]]:
    """What each variant costs in each round; each call makes the work of a round. A first round is not counted."""
    costs: list[list[Cost]] = [[] for _ in variants]
    for _ in range(ROUNDS + 1):
        for spent, work in zip(costs, [variant() for variant in variants], strict=True):
            spent.append(timed(work))
    return [spent[1:] for spent in costs]


def compared(
    name: str, ours: Sequence[Cost], floor: Sequence[Cost], *, goal: Goal | None, unit: str = "sightings"
) -> Row:
    """CPU costs pair by pair: how many times the floor's speed, or for a goal of at most, its cost."""
    of_cost = goal is not None and goal.at_most
    ratios, walls = (
        sorted((a / b if of_cost else b / a) for a, b in pairs)
        for pairs in (
            [(mine.cpu_us, theirs.cpu_us) for mine, theirs in zip(ours, floor, strict=True)],
            [(mine.wall_us, theirs.wall_us) for mine, theirs in zip(ours, floor, strict=True)],
        )
    )
    cpu_us, floor_cpu_us = median(cost.cpu_us for cost in ours), median(cost.cpu_us for cost in floor)
    return Row(
        name=name,
        figure=median(ratios),
        spread=(ratios[0], ratios[-1]),
        goal=goal,
        value=cpu_us,
        unit="µs of CPU",
        floor=floor_cpu_us,
        beside={
            "ratio of wall time": median(walls),
            f"{unit} a second of wall time": 1e6 / median(cost.wall_us for cost in ours),
            "on the floor": 1e6 / median(cost.wall_us for cost in floor),
            **_latencies(ours, ""),
            **_latencies(floor, " on the floor"),
        },
    )


def absolute(
    name: str,
    figures: Sequence[float],
    *,
    goal: Goal | None,
    unit: str,
    beside: Mapping[str, float] | None = None,
) -> Row:
    """A figure that is held against its goal as it is: the median of several."""
    middle = median(figures)
    return Row(name, middle, (min(figures), max(figures)), goal, middle, unit, None, beside or {})


def _latencies(costs: Sequence[Cost], where: str) -> dict[str, float]:
    if not costs[0].answers_ms:
        return {}
    cuts = [quantiles(cost.answers_ms, n=100) for cost in costs]
    return {f"p{cut} in ms{where}": median(one[cut - 1] for one in cuts) for cut in (50, 99)}
