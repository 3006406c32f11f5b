"""Where did a phone stand still? The plainest rule there is, which shares nothing with what it judges.

From one fix on, as long as every next one lies within 50 m of it; when that lasts long enough, it is a stay.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

RADIUS_M = 50.0
LEAST_S = 300.0
_METRES_A_DEGREE = 111_195

Place = tuple[float, float]
"""Latitude and longitude, in degrees."""
TimedFix = tuple[datetime, Place]


@dataclass(frozen=True, slots=True)
class StayPoint:
    """A stretch of fixes: the middle of them, its first and last, and the longest time without one in it."""

    middle: Place
    since: datetime
    until: datetime
    silence_s: float

    @property
    def lasted_s(self) -> float:
        """Seconds from the first to the last fix."""
        return (self.until - self.since).total_seconds()


def stay_points(fixes: Sequence[TimedFix]) -> Iterator[StayPoint]:
    """The stays of one trace, in order of time."""
    first = 0
    while first < len(fixes):
        after = first + 1
        while after < len(fixes) and apart_m(fixes[first][1], fixes[after][1]) <= RADIUS_M:
            after += 1
        stretch = fixes[first:after]
        if (stretch[-1][0] - stretch[0][0]).total_seconds() < LEAST_S:
            first += 1
            continue
        yield StayPoint(
            (median(place[0] for _, place in stretch), median(place[1] for _, place in stretch)),
            stretch[0][0],
            stretch[-1][0],
            max((later - at).total_seconds() for (at, _), (later, _) in pairwise(stretch)),
        )
        first = after


def apart_m(a: Place, b: Place) -> float:
    """Metres between two places that are a few kilometres apart at most."""
    north, east = a[0] - b[0], (a[1] - b[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north, east) * _METRES_A_DEGREE
