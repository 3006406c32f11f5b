"""At which of several beacons is a phone? The strongest signal says so; metres would be pretence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from beacons.ranging import accepted_groups
from beacons.smoothing import Smoother, median

SWITCH_DB = 4.0


class Heard(NamedTuple):
    """One window of a phone that is believed: the smoothed strength of each beacon in it."""

    start_ms: int
    rssi_dbm: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """The beacon that a phone is at; `rival` was stronger by 4 dB in the newest window."""

    beacon: str
    rival: str | None = None


def heard_windows(samples: Iterable[tuple[int, int, str]], *, smooth: Smoother = median) -> list[Heard]:
    """The windows of (at_ms, rssi_dbm, beacon) samples with at least three valid ones in all, oldest first.

    A beacon counts from one reading on: where each is heard seldom, to ask for three of each leaves out the nearest.
    """
    windows = []
    for start_ms, held in accepted_groups(samples):
        readings: dict[str, list[float]] = defaultdict(list)
        for _, rssi_dbm, beacon in held:
            readings[beacon].append(rssi_dbm)
        windows.append(Heard(start_ms, {beacon: smooth(heard) for beacon, heard in readings.items()}))
    return windows


def place_after(
    place: Place | None, rssi_dbm: Mapping[str, float], *, measured_power_dbm: Mapping[str, float]
) -> Place:
    """The place after one more window, in which at least one beacon was heard.

    The first is that of the strongest signal over its beacon's measured power. Another takes its place when it is the
    strongest, by at least 4 dB, in two windows in succession; a place that is not heard at all is weaker than any.
    """
    over_db = {beacon: strength - measured_power_dbm[beacon] for beacon, strength in rssi_dbm.items()}
    strongest = max(over_db, key=lambda beacon: (over_db[beacon], beacon))
    if place is None:
        return Place(strongest)
    current_db = over_db.get(place.beacon)
    if current_db is not None and over_db[strongest] < current_db + SWITCH_DB:
        return Place(place.beacon)
    return Place(strongest) if place.rival == strongest else Place(place.beacon, rival=strongest)
