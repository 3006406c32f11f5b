"""Which one strength do several readings of a beacon stand for? Readings in dBm in order of time, at least one.

A signal fades downwards, by 20 dB and more, and seldom upwards: the median and the trimmed mean pass over a fade that
would move a mean. The average and the filter that forget weigh what came last.
"""

import statistics
from collections.abc import Callable, Sequence

Smoother = Callable[[Sequence[float]], float]


def median(readings: Sequence[float]) -> float:
    """The middle reading, or the mean of the two in the middle."""
    ordered, n = sorted(readings), len(readings)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def trimmed_mean(readings: Sequence[float]) -> float:
    """The mean without the extremes, by the AltBeacon library's rule: of n > 2 readings, n // 10 + 1 go at each end."""
    n = len(readings)
    cut = n // 10 + 1 if n > 2 else 0
    return statistics.fmean(sorted(readings)[cut : n - cut])


def moving_average(readings: Sequence[float], *, weight: float = 0.3) -> float:
    """The exponentially weighted average (EWMA): each reading moves it by `weight` of the difference."""
    average = readings[0]
    for reading in readings[1:]:
        average += weight * (reading - average)
    return average


def kalman(readings: Sequence[float], *, drift_db2: float = 0.125, noise_db2: float = 4.0) -> float:
    """The Kalman filter of a level that drifts by `drift_db2` a reading and is read with variance `noise_db2`.

    It starts at the first reading with a variance of 1 dB².
    """
    level, variance = readings[0], 1.0
    for reading in readings[1:]:
        variance += drift_db2
        gain = variance / (variance + noise_db2)
        level += gain * (reading - level)
        variance *= 1 - gain
    return level
