"""How near is a beacon, judged from noisy signal strengths? Windows of samples, path loss, proximity."""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from beacons.smoothing import Smoother, median

WINDOW_MS = 10_000
MIN_SAMPLES = 3
WEAKEST_DBM = -110
IMMEDIATE_M = 0.5
NEAR_M = 3.0
NEXUS_5 = (0.42093, 6.9476, 0.54992)
"""The curve that the AltBeacon library takes for phones that it does not know."""

Sample = TypeVar("Sample", tuple[int, int], tuple[int, int, str])


class Proximity(StrEnum):
    """How near a beacon is."""

    IMMEDIATE = "immediate"
    NEAR = "near"
    FAR = "far"

    def within(self, wanted: "Proximity") -> bool:
        """Whether this is at least as near as `wanted`: immediate is also near, and near is also far."""
        nearest_first = tuple(Proximity)
        return nearest_first.index(self) <= nearest_first.index(wanted)


class Window(NamedTuple):
    """A span of time with enough samples to be believed: `rssi_dbm` is what `n` valid ones were smoothed to."""

    start_ms: int
    first_ms: int
    last_ms: int
    rssi_dbm: float
    n: int


def valid_rssi(rssi_dbm: int) -> bool:
    """Whether a reading is one: phones report 0 or more for "could not measure"; below −110 dBm is noise."""
    return WEAKEST_DBM <= rssi_dbm < 0


def window_start(at_ms: int) -> int:
    """Start of the tumbling window that holds an instant (epoch milliseconds)."""
    return at_ms - at_ms % WINDOW_MS


def accepted_windows(
    samples: Iterable[tuple[int, int]], *, length_ms: int = WINDOW_MS, smooth: Smoother = median
) -> list[Window]:
    """The windows of (at_ms, rssi_dbm) samples that hold at least three valid ones, oldest first."""
    return [
        Window(start_ms, held[0][0], held[-1][0], smooth([rssi_dbm for _, rssi_dbm in held]), len(held))
        for start_ms, held in accepted_groups(samples, length_ms=length_ms)
    ]


def accepted_groups(
    samples: Iterable[Sample], *, length_ms: int = WINDOW_MS
) -> list[tuple[int, list[Sample]]]:
    """Start and sorted samples of each window that holds at least three valid ones, oldest first.

    A sample is (at_ms, rssi_dbm), or these and its beacon. Windows tumble on whole lengths of the epoch, so the result
    does not depend on the order of samples.
    """
    valid = sorted([sample for sample in samples if WEAKEST_DBM <= sample[1] < 0])
    groups, first, count = [], 0, len(valid)
    while first <= count - MIN_SAMPLES:
        start_ms = valid[first][0] - valid[first][0] % length_ms
        after = first + 1
        while after < count and valid[after][0] < start_ms + length_ms:
            after += 1
        if after - first >= MIN_SAMPLES:
            groups.append((start_ms, valid[first:after]))
        first = after
    return groups


def distance_m(rssi_dbm: float, measured_power_dbm: float, *, exponent: float = 2.5) -> float:
    """Distance in metres by log-distance path loss: 10^((power at 1 m − RSSI) / (10 · exponent)).

    The exponent is 2 in free space and 3 to 4 indoors; 5 dB of noise at 2.5 is a factor of 1.58.
    """
    return float(10 ** ((measured_power_dbm - rssi_dbm) / (10 * exponent)))


def expected_rssi_dbm(distance_m: float, measured_power_dbm: float, *, exponent: float = 2.5) -> float:
    """The strength that path loss leaves at a distance: the inverse of `distance_m`."""
    return measured_power_dbm - 10 * exponent * math.log10(distance_m)


def altbeacon_distance_m(
    rssi_dbm: float, measured_power_dbm: float, *, curve: tuple[float, float, float] = NEXUS_5
) -> float:
    """Distance in metres by the AltBeacon library's curve (a, b, c), fitted to one phone: a · ratio^b + c.

    The ratio is RSSI over measured power; where the signal is stronger than at 1 m, the distance is ratio^10.
    """
    ratio = rssi_dbm / measured_power_dbm
    if ratio < 1:
        return float(ratio**10)
    a, b, c = curve
    return float(a * ratio**b + c)


def proximity(distance_m: float) -> Proximity:
    """Immediate below 0.5 m, near below 3 m, else far: at 5 dB of noise a finer scale would be pretence."""
    if distance_m < IMMEDIATE_M:
        return Proximity.IMMEDIATE
    return Proximity.NEAR if distance_m < NEAR_M else Proximity.FAR
