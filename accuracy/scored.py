"""How much better than a baseline is a method, and how sure is that? Bootstrap over what was recorded together.

Neighbouring windows of one recording resemble each other, so whole groups (a tag, a session, a point) are drawn.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import bootstrap, rankdata

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Compared:
    """One method beside its baseline, judged on the same things: `n` verdicts in `groups` that were drawn whole.

    `gain` is how much better ours is, whether more is better or less; `strictly` says that equal is not enough.
    """

    name: str
    figure: str
    ours: Estimate
    baseline: Estimate
    gain: Estimate
    n: int
    groups: int
    strictly: bool = True
    beside: Mapping[str, float | Estimate] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether ours is better than the baseline, or as good where that is enough."""
        return self.gain.value > 0 if self.strictly else self.gain.value >= 0

    def __str__(self) -> str:
        goal = "better" if self.strictly else "never worse"
        head = f"{self.name}: {self.figure} {self.ours} against {self.baseline}, gain {self.gain}"
        beside = "".join(
            f"; {name} {figure if isinstance(figure, Estimate) else format(figure, '.3f')}"
            for name, figure in self.beside.items()
        )
        return f"{head} (n {self.n} in {self.groups}, {goal}: {'met' if self.met else 'MISSED'}){beside}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """What cannot be scored here, and what it would take."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: skipped: {self.reason}"


@dataclass(frozen=True, slots=True)
class Score:
    """What both methods scored on one thing; groups are drawn within their stratum."""

    ours: float
    baseline: float
    group: str
    stratum: str = ""


def mean_ours(scores: Sequence[Score]) -> float:
    """The mean score of our method."""
    return float(np.mean([score.ours for score in scores]))


def compare_means(
    name: str,
    figure: str,
    scores: Sequence[Score],
    *,
    seed: int,
    less_is_better: bool = False,
    beside: Mapping[str, float | Estimate],
) -> Compared:
    """Means of scores that were given to both methods for the same things."""
    strata: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        strata[score.stratum][score.group].append(score)
    sums = [
        np.array(
            [
                [sum(s.ours for s in held), sum(s.baseline for s in held), len(held)]
                for held in groups.values()
            ]
        )
        for groups in strata.values()
    ]

    def means(chosen: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        total = sum(table[rows].sum(axis=-2) for table, rows in zip(sums, chosen, strict=True))
        return total[..., 0] / total[..., 2], total[..., 1] / total[..., 2]

    ours, baseline, gain = _estimates(
        means, [len(table) for table in sums], seed=seed, sign=-1 if less_is_better else 1
    )
    return Compared(name, figure, ours, baseline, gain, len(scores), sum(map(len, sums)), beside=beside)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording at one known distance: what our method and what the baseline made of its signal, in dB."""

    ours: Sequence[float]
    baseline: Sequence[float]


def compare_areas(
    name: str,
    figure: str,
    within: Sequence[Recording],
    *,
    beyond: Sequence[Recording],
    seed: int,
    beside: Mapping[str, float | Estimate],
) -> Compared:
    """Areas under the ROC curve: how often what is within has more signal than what is beyond; never worse will do."""
    pairs = [
        (_wins([pick(one) for one in within], [pick(one) for one in beyond]), _sizes(within, beyond, pick))
        for pick in (_ours, _baseline)
    ]

    def areas(chosen: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = chosen[0][..., :, None], chosen[1][..., None, :]
        ours, baseline = (
            wins[rows, columns].sum(axis=(-2, -1)) / sizes[rows, columns].sum(axis=(-2, -1))
            for wins, sizes in pairs
        )
        return ours, baseline

    ours, baseline, gain = _estimates(areas, [len(within), len(beyond)], seed=seed, sign=1)
    n, groups = sum(len(one.ours) for one in (*within, *beyond)), len(within) + len(beyond)
    return Compared(name, figure, ours, baseline, gain, n, groups, strictly=False, beside=beside)


def area(within: Sequence[Sequence[float]], beyond: Sequence[Sequence[float]]) -> float:
    """The area under the ROC curve of signals that are to be stronger within."""
    pairs = sum(map(len, within)) * sum(map(len, beyond))
    return float(_wins(within, beyond).sum() / pairs)


def _ours(one: Recording) -> Sequence[float]:
    return one.ours


def _baseline(one: Recording) -> Sequence[float]:
    return one.baseline


def _wins(within: Sequence[Sequence[float]], beyond: Sequence[Sequence[float]]) -> np.ndarray:
    """For each pair of recordings, in how many pairs of signals that within is stronger; a tie counts half."""
    return np.array([[_stronger(near, far) for far in beyond] for near in within])


def _stronger(near: Sequence[float], far: Sequence[float]) -> float:
    """Mann and Whitney's U of the first."""
    ranks = rankdata(np.concatenate([near, far]))
    return float(ranks[: len(near)].sum() - len(near) * (len(near) + 1) / 2)


def _sizes(
    within: Sequence[Recording], beyond: Sequence[Recording], pick: Callable[[Recording], Sequence[float]]
) -> np.ndarray:
    return np.outer([len(pick(one)) for one in within], [len(pick(one)) for one in beyond])


def _estimates(
    statistics: Callable[[Sequence[np.ndarray]], tuple[np.ndarray, np.ndarray]],
    sizes: Sequence[int],
    *,
    seed: int,
    sign: int,
) -> tuple[Estimate, Estimate, Estimate]:
    """Ours, the baseline and the gain; the same seed draws the same groups for all three."""

    def estimate(figure: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Estimate:
        groups = tuple(np.arange(size) for size in sizes)

        def of(*chosen: np.ndarray, **_: int) -> np.ndarray:
            return figure(*statistics(chosen))

        found = bootstrap(
            groups,
            of,
            vectorized=True,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        return Estimate(float(of(*groups)), float(found.low), float(found.high))

    return estimate(lambda a, _: a), estimate(lambda _, b: b), estimate(lambda a, b: sign * (a - b))
