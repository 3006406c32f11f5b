"""Which numbers decide what a stay at a store is? Those of its type, and what the size of its premises means for them.

Phones watch circles that are larger than most shops, and hear beacons through walls: how far a fence event or a signal
may be believed depends on how large the premises are.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from beacons.ranging import expected_rssi_dbm
from m2s.core.places.regions import SMALLEST_RADIUS_M
from m2s.core.places.store import VisitRules
from m2s.core.places.zone import Circle, Zone
from m2s.core.presence.quality import INSIDE_P

NEAR_M = 10.0
"""Whoever is in a shop is so near to one of its beacons at least, if they are hung as they should be."""
INDOORS = 3.0
"""The exponent of path loss among shelves and people."""


@dataclass(frozen=True, slots=True)
class StayRules:
    """The numbers of one zone of a store that decide what a stay is.

    `leave_margin_m` is that of the zone. `faint_db` is how much weaker than at 1 m the beacons are heard by whoever is
    inside, at most. `fence_fits` says that the circle which phones watch is not much larger than the zone.
    """

    dwell_min_s: float
    beacon_dwell_min_s: float
    dwell_max_s: float
    gap_merge_s: float
    max_accuracy_m: float
    leave_margin_m: float
    faint_db: int = 30
    fence_fits: bool = True

    @property
    def gap_ms(self) -> int:
        """The gap up to which stays are one, in milliseconds."""
        return int(self.gap_merge_s * 1000)


def stay_rules(visit: VisitRules, zone: Zone) -> StayRules:
    """The numbers of a zone; equal ones are one object, because there are many zones and few differ."""
    return _rules(visit, zone.margin_m, faint_db=faint_db(zone), fence_fits=fence_fits(zone))


def faint_db(zone: Zone) -> int:
    """What path loss takes over 10 m indoors, or over the radius of a larger outline (taken as a circle).

    A circle round a point is as large as positions need it, and says nothing of the walls.
    """
    drawn_m = 0.0 if isinstance(zone.shape, Circle) else math.sqrt(zone.area_m2 / math.pi)
    return -round(expected_rssi_dbm(max(NEAR_M, drawn_m), 0.0, exponent=INDOORS))


def fence_fits(zone: Zone) -> bool:
    """Whether who is in the circle that phones watch for a zone is in the zone as probably as a sure position says."""
    watched_m = max(SMALLEST_RADIUS_M, zone.shape.reach_m)
    return zone.area_m2 >= INSIDE_P * math.pi * watched_m**2


@lru_cache(maxsize=4096)
def _rules(visit: VisitRules, leave_margin_m: float, *, faint_db: int, fence_fits: bool) -> StayRules:
    return StayRules(
        dwell_min_s=visit.dwell_min_s,
        beacon_dwell_min_s=visit.beacon_dwell_min_s,
        dwell_max_s=visit.dwell_max_s,
        gap_merge_s=visit.gap_merge_s,
        max_accuracy_m=visit.max_accuracy_m,
        leave_margin_m=leave_margin_m,
        faint_db=faint_db,
        fence_fits=fence_fits,
    )
