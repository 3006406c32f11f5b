"""Did the messages bring visits? Treated against held-out shoppers, as a difference of shares with its interval."""

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

MIN_CONTROL = 50
"""Below so many held-out shoppers an interval says nothing that a reader should act on."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: `visited` of `shoppers` had the outcome."""

    visited: int
    shoppers: int

    def __post_init__(self) -> None:
        if not 0 <= self.visited <= self.shoppers:
            raise ValueError(f"{self.visited} of {self.shoppers} is not a share")

    @property
    def share(self) -> float:
        """Share with the outcome; 0 for an empty arm."""
        return self.visited / self.shoppers if self.shoppers else 0.0


@dataclass(frozen=True, slots=True)
class Lift:
    """Intent-to-treat comparison of two arms.

    `difference` is treated − control with its Newcombe interval; `incremental_visitors` the treated shoppers
    times that difference; `ratio` (with its Katz interval) and the pooled `z` with `p_value` are None where a
    count is 0. `enough` is False below 50 held-out shoppers.
    """

    treated: Arm
    control: Arm
    difference: float
    interval: Interval
    incremental_visitors: float
    incremental_interval: Interval
    ratio: float | None
    ratio_interval: Interval | None
    z: float | None
    p_value: float | None
    enough: bool


def wilson(arm: Arm, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); raises ValueError for an empty arm."""
    n = arm.shoppers
    if n == 0:
        raise ValueError("an empty arm has no share")
    z = _z(confidence)
    centre = (arm.share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(arm.share * (1 - arm.share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def newcombe(treated: Arm, control: Arm, *, confidence: float = 0.95) -> Interval:
    """Newcombe's hybrid score interval of a difference of shares (Newcombe 1998, method 10)."""
    t, c = wilson(treated, confidence=confidence), wilson(control, confidence=confidence)
    difference = treated.share - control.share
    return Interval(
        difference - sqrt((treated.share - t.low) ** 2 + (c.high - control.share) ** 2),
        difference + sqrt((t.high - treated.share) ** 2 + (control.share - c.low) ** 2),
    )


def lift(treated: Arm, control: Arm, *, confidence: float = 0.95) -> Lift | None:
    """Compares two arms; None while either is empty."""
    if not treated.shoppers or not control.shoppers:
        return None
    interval = newcombe(treated, control, confidence=confidence)
    n = treated.shoppers
    ratio, ratio_interval, z, p_value = None, None, None, None
    if treated.visited and control.visited:
        ratio, ratio_interval = _katz(treated, control, confidence)
    pooled = (treated.visited + control.visited) / (n + control.shoppers)
    if 0 < pooled < 1:
        z = (treated.share - control.share) / sqrt(pooled * (1 - pooled) * (1 / n + 1 / control.shoppers))
        p_value = 2 * (1 - NormalDist().cdf(abs(z)))
    return Lift(
        treated=treated,
        control=control,
        difference=treated.share - control.share,
        interval=interval,
        incremental_visitors=n * (treated.share - control.share),
        incremental_interval=Interval(n * interval.low, n * interval.high),
        ratio=ratio,
        ratio_interval=ratio_interval,
        z=z,
        p_value=p_value,
        enough=control.shoppers >= MIN_CONTROL,
    )


def _katz(treated: Arm, control: Arm, confidence: float) -> tuple[float, Interval]:
    """Ratio of shares with the log interval of Katz et al. (1978)."""
    ratio = treated.share / control.share
    error = sqrt(1 / treated.visited - 1 / treated.shoppers + 1 / control.visited - 1 / control.shoppers)
    half = _z(confidence) * error
    return ratio, Interval(exp(log(ratio) - half), exp(log(ratio) + half))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
