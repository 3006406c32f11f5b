"""What does a phone believe about its position, and how loud are the beacons around it?"""

import math
from dataclasses import dataclass
from random import Random

from beacons.sim.world import Point, Transmitter

SIGMA_PER_ACCURACY = 1 / 1.5152
"""A phone's accuracy is the radius that holds 68 % of its errors: 1.5152 standard deviations of each axis."""

_DRIFT_S = 60.0
_FLOOR_DBM = -97
_BODY_SHARE = 0.5
"""How often the phone's owner stands between her phone and a beacon."""


@dataclass(frozen=True, slots=True)
class Radio:
    """How signals spread: log-distance path loss, normal fading in dB, and packets that are lost.

    `body_loss_db` is what the owner's body takes from every second burst, `wall_loss_db` what each wall takes.
    Beyond `earshot_m` from the middle of its shop no beacon is listened for.
    """

    path_loss_exponent: float = 2.5
    fading_db: float = 5.0
    lost_share: float = 0.2
    body_loss_db: float = 0.0
    wall_loss_db: float = 0.0
    earshot_m: float = 12.0


INDOORS = Radio()
"""The radio of the demo."""


class Drift:
    """The error of one phone's positions: it wanders, so that fixes close in time err the same way.

    Both axes are first-order autoregressive with unit variance and a memory of a minute; scaled by the
    accuracy of each fix, the error stays within that accuracy in 68 % of all fixes.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._at_s = -math.inf
        self._east = 0.0
        self._north = 0.0

    def fix(self, true: Point, accuracy_m: float, *, at_s: float) -> Point:
        """Return the position, in metres, that the phone reports at `at_s` with this accuracy."""
        memory = math.exp(-(at_s - self._at_s) / _DRIFT_S)
        fresh = math.sqrt(1 - memory * memory)
        self._east = memory * self._east + fresh * self._random.gauss(0, 1)
        self._north = memory * self._north + fresh * self._random.gauss(0, 1)
        self._at_s = at_s
        sigma_m = accuracy_m * SIGMA_PER_ACCURACY
        return true[0] + sigma_m * self._east, true[1] + sigma_m * self._north


def hear(
    random: Random,
    beacon: Transmitter,
    listener: Point,
    *,
    seconds: int,
    radio: Radio = INDOORS,
    walls: int = 0,
) -> list[tuple[int, int]]:
    """Return what is heard of a beacon that sends once a second: `(second, rssi_dbm)` of each packet.

    `walls` is how many stand between; nothing is heard below -97 dBm.
    """
    distance_m = max(0.5, math.dist(beacon.at, listener))
    mean_dbm = beacon.measured_power_dbm - 10 * radio.path_loss_exponent * math.log10(distance_m)
    mean_dbm -= walls * radio.wall_loss_db
    if radio.body_loss_db and random.random() < _BODY_SHARE:
        mean_dbm -= radio.body_loss_db
    heard: list[tuple[int, int]] = []
    for second in range(seconds):
        rssi_dbm = round(random.gauss(mean_dbm, radio.fading_db))
        if random.random() < 1 - radio.lost_share and rssi_dbm >= _FLOOR_DBM:
            heard.append((second, min(rssi_dbm, -20)))
    return heard
