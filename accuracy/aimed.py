"""Is a figure as good as it has to be, and how sure is that? Bootstrap over persons, whose days resemble each other."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from accuracy.scored import RESAMPLES, Estimate


@dataclass(frozen=True, slots=True)
class Aimed:
    """A figure beside its target: over `n` things of `groups` that were drawn whole.

    `at_most` says that less is better.
    """

    name: str
    figure: str
    ours: Estimate
    target: float
    at_most: bool
    n: int
    groups: int
    beside: Mapping[str, float | Estimate] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the figure itself, not its interval, reaches the target."""
        return self.ours.value <= self.target if self.at_most else self.ours.value >= self.target

    def __str__(self) -> str:
        goal = f"{'at most' if self.at_most else 'at least'} {self.target:g}"
        beside = "".join(
            f"; {name} {figure if isinstance(figure, Estimate) else format(figure, '.4g')}"
            for name, figure in self.beside.items()
        )
        return (
            f"{self.name}: {self.figure} {self.ours} (n {self.n} in {self.groups}, {goal}: "
            f"{'met' if self.met else 'MISSED'}){beside}"
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What one group brings to a ratio of sums; groups are drawn within their stratum."""

    stratum: str
    above: float
    below: float


def ratio(tallies: Sequence[Tally], *, seed: int, share: bool) -> Estimate:
    """The ratio of both sums, of which the lower is not 0, with its 95 % interval.

    A `share` of nothing or of all has no spread to draw from: there it is Wilson's, as if a group were one thing.
    """
    strata: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for tally in tallies:
        strata[tally.stratum].append((tally.above, tally.below))
    above, below = sum(tally.above for tally in tallies), sum(tally.below for tally in tallies)
    if share and above in (0, below):
        wilson = binomtest(len(tallies) if above else 0, len(tallies)).proportion_ci(method="wilson")
        return Estimate(above / below, float(wilson.low), float(wilson.high))
    random = np.random.default_rng(seed)
    sums = np.sum([_drawn(np.array(table), random) for table in strata.values()], axis=0)
    low, high = np.nanpercentile(sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan), [2.5, 97.5])
    return Estimate(above / below, float(low), float(high))


def _drawn(table: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The sums of both columns in each resample."""
    many = len(table)
    sums: np.ndarray = random.multinomial(many, np.full(many, 1 / many), size=RESAMPLES) @ table
    return sums
