"""Is another phone within 2 m? Distance estimated by windows and path loss against the raw signal.

A receiver's measured power is the median of its windows at 1 m, as one calibrates a beacon; what was recorded at 1 m is
then left out for both. Ours is one verdict for each window, the baseline one for each reading, both by receivers
together. What orders by distance orders by signal over measured power, so that the area under the curve needs no
exponent.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median as middle

from accuracy.recordings import rows_of
from accuracy.scored import Compared, Recording, area, compare_areas
from accuracy.smoothers import OTHERS
from beacons.ranging import accepted_windows, altbeacon_distance_m, distance_m, expected_rssi_dbm, valid_rssi
from beacons.smoothing import Smoother, median

POSTURES = {"hand to hand": "handhand", "hand to pocket": "handpocket", "hand to backpack": "handbackpack"}
CALIBRATION_CM = 100
WITHIN_CM = 200

Signals = Mapping[tuple[str, int], Sequence[tuple[int, int]]]
"""(at_ms, rssi_dbm) by receiver and distance in cm."""
Estimator = Callable[[float, float], float]


def evaluate(root: Path, *, seed: int) -> list[Compared]:
    """One comparison for each posture."""
    return [
        _compared(
            f"within 2 m, {posture}", _signals(rows_of(root, f"ble/phone_distance_{name}.csv.gz")), seed=seed
        )
        for posture, name in POSTURES.items()
    ]


def _signals(rows: Sequence[dict[str, str]]) -> Signals:
    signals: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        reading = round(float(row["elapsed"]) * 1000), int(float(row["rss_dbm"]))
        if valid_rssi(reading[1]):
            signals[row["device"], int(row["distance_cm"])].append(reading)
    return signals


def _compared(name: str, signals: Signals, *, seed: int) -> Compared:
    levels = _levels(signals, median)
    power_dbm = _powers(levels)
    kept = [key for key in signals if key[1] != CALIBRATION_CM]
    recordings = {
        key: Recording(
            [-distance_m(level, power_dbm[key[0]]) for level in levels[key]],
            [rssi for _, rssi in signals[key]],
        )
        for key in kept
    }
    within, beyond = (
        [recordings[key] for key in kept if (key[1] <= WITHIN_CM) == near] for near in (True, False)
    )
    beside = {f"by {other}": _area(_levels(signals, smooth), distance_m) for other, smooth in OTHERS.items()}
    beside["by the AltBeacon curve"] = _area(levels, altbeacon_distance_m)
    singles = {key: [float(rssi) for _, rssi in held] for key, held in signals.items()}
    beside["by single readings over measured power"] = _area(singles, distance_m)
    beside |= _off(levels, power_dbm, of="window") | _off(singles, power_dbm, of="reading")
    return compare_areas(name, "area under the ROC curve", within, beyond=beyond, seed=seed, beside=beside)


def _levels(signals: Signals, smooth: Smoother) -> dict[tuple[str, int], list[float]]:
    """The strength of each window."""
    return {
        key: [window.rssi_dbm for window in accepted_windows(held, smooth=smooth)]
        for key, held in signals.items()
    }


def _powers(levels: Mapping[tuple[str, int], Sequence[float]]) -> dict[str, float]:
    return {receiver: middle(levels[receiver, CALIBRATION_CM]) for receiver, _ in levels}


def _area(levels: Mapping[tuple[str, int], Sequence[float]], estimate: Estimator) -> float:
    power_dbm = _powers(levels)
    within, beyond = (
        [
            [-estimate(level, power_dbm[receiver]) for level in held]
            for (receiver, distance_cm), held in levels.items()
            if distance_cm != CALIBRATION_CM and (distance_cm <= WITHIN_CM) == near
        ]
        for near in (True, False)
    )
    return area(within, beyond)


def _off(
    levels: Mapping[tuple[str, int], Sequence[float]], power_dbm: Mapping[str, float], *, of: str
) -> dict[str, float]:
    """How far the signal and the distance lie from the path loss of the true distance, at the median."""
    kept = [
        (level, power_dbm[receiver], distance_cm / 100)
        for (receiver, distance_cm), held in levels.items()
        if distance_cm != CALIBRATION_CM
        for level in held
    ]
    off_db = middle(abs(level - expected_rssi_dbm(metres, power)) for level, power, metres in kept)
    factors = (distance_m(level, power) / metres for level, power, metres in kept)
    return {
        f"dB off of a {of}": off_db,
        f"factor off of a {of}": middle(max(factor, 1 / factor) for factor in factors),
    }
