"""How near is a beacon, judged from noisy signal strengths? Windows of samples, path loss, proximity."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

WINDOW_MS = 10_000
MIN_SAMPLES = 3
WEAKEST_DBM = -110
IMMEDIATE_M = 0.5
NEAR_M = 3.0


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
    """Ten seconds with enough samples to be believed: `rssi_dbm` is the median of `n` valid ones."""

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


def accepted_windows(samples: Iterable[tuple[int, int]]) -> list[Window]:
    """The windows of (at_ms, rssi_dbm) samples that hold at least three valid ones, oldest first.

    Windows tumble on whole ten seconds of the epoch, so the result does not depend on the order of samples.
    """
    valid = sorted([sample for sample in samples if WEAKEST_DBM <= sample[1] < 0])
    windows, first, count = [], 0, len(valid)
    while first < count:
        start_ms = valid[first][0] - valid[first][0] % WINDOW_MS
        after = first + 1
        while after < count and valid[after][0] < start_ms + WINDOW_MS:
            after += 1
        if after - first >= MIN_SAMPLES:
            windows.append(_window(start_ms, valid[first:after]))
        first = after
    return windows


def _window(start_ms: int, held: list[tuple[int, int]]) -> Window:
    """The window of sorted samples."""
    strengths, n = sorted([rssi_dbm for _, rssi_dbm in held]), len(held)
    return Window(start_ms, held[0][0], held[-1][0], (strengths[(n - 1) // 2] + strengths[n // 2]) / 2, n)


def distance_m(rssi_dbm: float, measured_power_dbm: float, *, exponent: float = 2.5) -> float:
    """Distance in metres by log-distance path loss: 10^((power at 1 m − RSSI) / (10 · exponent)).

    The exponent is 2 in free space and 3 to 4 indoors; 5 dB of noise at 2.5 is a factor of 1.58.
    """
    return float(10 ** ((measured_power_dbm - rssi_dbm) / (10 * exponent)))


def proximity(distance_m: float) -> Proximity:
    """Immediate below 0.5 m, near below 3 m, else far: at 5 dB of noise a finer scale would be pretence."""
    if distance_m < IMMEDIATE_M:
        return Proximity.IMMEDIATE
    return Proximity.NEAR if distance_m < NEAR_M else Proximity.FAR
