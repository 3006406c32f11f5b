"""When can a shopper be at the store? By how far she is and how fast she moves; a guess, on the slow side."""

from datetime import timedelta

WALKING_MPS = 1.2
"""The pace for which crossings are timed: most people walk faster. Who stands still will walk."""
FASTEST_MPS = 14.0
"""50 km/h, the speed limit in towns: nobody keeps up more than that to a shop's door."""
DETOUR = 1.3
"""How much longer ways in towns are than the straight line, about."""


def travel_time(distance_m: float | None, speed_mps: float | None) -> timedelta:
    """How long she needs to the store; none at all where the distance is not known."""
    if distance_m is None:
        return timedelta(0)
    pace = min(max(speed_mps or 0.0, WALKING_MPS), FASTEST_MPS)
    return timedelta(seconds=round(distance_m * DETOUR / pace))
