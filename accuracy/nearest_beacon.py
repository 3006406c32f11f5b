"""Which of 24 beacons in a library is nearest? The place by windows against the strongest single reading.

A phone stood at a point and made some five scans. Ours is one verdict of all of them, the place after the last window;
the baseline judges each scan by its strongest reading, and scores the share of scans that are right. What is true
comes from the coordinates. Nothing is learned.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import dist
from pathlib import Path

from accuracy.recordings import rows_of
from accuracy.scored import Compared, Score, compare_means, mean_ours
from accuracy.smoothers import OTHERS
from beacons.place import Place, heard_windows, place_after
from beacons.ranging import window_start
from beacons.smoothing import Smoother, median

READINGS, BEACONS = "ble/uji_lib_rssi.csv.gz", "ble/uji_lib_beacons.csv"
# The beacons are of one kind and set to one power: which, changes nothing.
MEASURED_POWER_DBM = -59.0


@dataclass(frozen=True, slots=True)
class Stop:
    """One phone at one point: its scans of (at_ms, rssi_dbm, beacon), and the nearest beacon."""

    point: str
    nearest: str
    scans: Sequence[Sequence[tuple[int, int, str]]]


def evaluate(root: Path, *, seed: int) -> list[Compared]:
    """One verdict for each phone, power, campaign and point."""
    beacons = {row["beacon_id"]: (float(row["x_m"]), float(row["y_m"])) for row in rows_of(root, BEACONS)}
    stops = _stops(rows_of(root, READINGS), beacons)
    power_dbm = dict.fromkeys(beacons, MEASURED_POWER_DBM)
    scores = _scores(stops, power_dbm, smooth=median)
    beside = {
        f"by {name}": mean_ours(_scores(stops, power_dbm, smooth=smooth)) for name, smooth in OTHERS.items()
    }
    loudest = [
        _strongest([reading for scan in stop.scans for reading in scan]) == stop.nearest for stop in stops
    ]
    beside["by beacons with three readings each"] = mean_ours(
        _scores(stops, power_dbm, smooth=median, least=3)
    )
    beside["by the strongest reading of all scans"] = sum(loudest) / len(loudest)
    figure = "share of verdicts that name the nearest of 24 beacons"
    return [compare_means("nearest beacon", figure, scores, seed=seed, beside=beside)]


def _stops(rows: Sequence[dict[str, str]], beacons: Mapping[str, tuple[float, float]]) -> list[Stop]:
    scans: dict[tuple[str, ...], dict[str, list[tuple[int, int, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    where: dict[tuple[str, ...], tuple[float, float]] = {}
    for row in rows:
        stop = row["phone"], row["beacon_power_dbm"], row["campaign"], row["point"]
        where[stop] = float(row["x_m"]), float(row["y_m"])
        reading = int(row["time_ns"]) // 1_000_000, int(row["rssi_dbm"]), row["beacon_id"]
        scans[stop][row["fingerprint"]].append(reading)
    return [
        Stop(
            # The campaigns have points of the same numbers at different places.
            "/".join(stop[2:]),
            min(beacons, key=lambda beacon: dist(beacons[beacon], where[stop])),
            list(held.values()),
        )
        for stop, held in scans.items()
    ]


def _scores(
    stops: Sequence[Stop], power_dbm: Mapping[str, float], *, smooth: Smoother, least: int = 1
) -> list[Score]:
    """`least` is how many readings in a window a beacon has to have; a place asks for three of all together."""
    scores = []
    for stop in stops:
        place: Place | None = None
        readings = [reading for scan in stop.scans for reading in scan]
        often = Counter((window_start(at_ms), beacon) for at_ms, _, beacon in readings)
        kept = [one for one in readings if often[window_start(one[0]), one[2]] >= least]
        for window in heard_windows(kept, smooth=smooth):
            place = place_after(place, window.rssi_dbm, measured_power_dbm=power_dbm)
        right = place is not None and place.beacon == stop.nearest
        single = [_strongest(scan) == stop.nearest for scan in stop.scans]
        scores.append(Score(float(right), sum(single) / len(single), stop.point))
    return scores


def _strongest(readings: Sequence[tuple[int, int, str]]) -> str:
    return max(readings, key=lambda reading: (reading[1], reading[2]))[2]
