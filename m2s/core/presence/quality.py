"""How far is one sighting to be believed: when did it happen, and what does it say about being inside?"""

from enum import IntEnum, auto

import msgspec

from beacons.ranging import valid_rssi
from m2s.core.presence.evidence import BEACON, EXIT, GEOFENCE, LOCATION, Evidence

LATEST_AHEAD_MS = 5 * 60_000
OLDEST_MS = 72 * 3_600_000
"""An event time is believed from so long before receipt until 5 minutes after it."""
OLDEST_SAMPLE_MS = 99_000
"""A reading farther before its sighting is not looked at: it is the phone's to send it as a sighting of its own."""
INSIDE_P = 0.8
MAYBE_P = 0.5
WALKING_MPS = 2.5
# An older position says nothing of how fast somebody moves now.
FIX_FORGOTTEN_MS = 10 * 60_000


class Verdict(IntEnum):
    """What one piece of evidence, or one window of beacon signals, says once its quality is known.

    AROUND is in the circle that phones watch where the premises are much smaller, FAINT a window without a beacon near.
    """

    INSIDE = auto()
    MAYBE = auto()
    NEUTRAL = auto()
    MOVING = auto()
    OUTSIDE = auto()
    ENTERED = auto()
    EXITED = auto()
    AROUND = auto()
    HEARD = auto()
    FAINT = auto()
    DROPPED = auto()


# For the same reason as with kinds of evidence.
INSIDE, MAYBE, NEUTRAL, MOVING, OUTSIDE, ENTERED, EXITED, AROUND, HEARD, FAINT, DROPPED = Verdict

DENYING = frozenset({OUTSIDE, NEUTRAL, MOVING})
"""What a position says against being inside; a beacon heard at the time outranks it."""


class Fix(msgspec.Struct, gc=False):
    """The latest believable position of a device: what the speed of the next one is measured against."""

    device_id: str
    at_ms: int
    boundary_distance_m: float
    claims_inside: bool


def event_time(
    received_at_ms: int, sent_at_ms: int | None, *, at_ms: int | None, age_ms: int | None
) -> tuple[int, bool]:
    """When a sighting happened, in UTC epoch milliseconds, and whether the phone's clock had to be trusted.

    Received − age; else received − (sent_at − at), which cancels a wrong clock; else `at`, flagged.
    Raises ValueError when there is neither an age nor an `at`.
    """
    if age_ms is not None:
        return received_at_ms - age_ms, False
    if at_ms is None:
        raise ValueError("a sighting needs `age_ms` or `at`")
    if sent_at_ms is not None:
        return received_at_ms - (sent_at_ms - at_ms), False
    return at_ms, True


def judge(
    evidence: Evidence, previous: Fix | None, *, max_accuracy_m: float, leave_margin_m: float
) -> Verdict:
    """What evidence says, given the previous fix of the same device.

    Faster than walking is not a stay: a fix that claims to be inside is MOVING when its reported speed, or
    the speed at which it crossed the boundary since a fix that was not inside (at most 10 minutes ago), is
    above 2.5 m/s. A leaving
    fix counts at any speed, because who drives off has left. The boundary itself counts as inside.
    """
    if evidence.mocked:
        return DROPPED
    if evidence.kind is BEACON:
        return HEARD
    if evidence.kind is GEOFENCE:
        return EXITED if evidence.transition is EXIT else ENTERED
    distance_m, accuracy_m = evidence.boundary_distance_m, evidence.accuracy_m
    if distance_m is None or accuracy_m is None or accuracy_m > max_accuracy_m:
        return DROPPED
    if distance_m > leave_margin_m + accuracy_m:
        return OUTSIDE
    if evidence.inside_probability < MAYBE_P:
        return NEUTRAL
    if _speed_mps(evidence, distance_m, previous) > WALKING_MPS:
        return MOVING
    return INSIDE if evidence.inside_probability >= INSIDE_P else MAYBE


def _speed_mps(evidence: Evidence, distance_m: float, previous: Fix | None) -> float:
    # Phones report a negative speed for "unknown".
    if evidence.speed_mps is not None and evidence.speed_mps >= 0:
        return evidence.speed_mps
    if previous is None or previous.claims_inside or previous.device_id != evidence.device_id:
        return 0.0
    elapsed_ms = abs(evidence.at_ms - previous.at_ms)
    if elapsed_ms > FIX_FORGOTTEN_MS:
        return 0.0
    elapsed_s = max(elapsed_ms / 1000, 1.0)
    return abs(distance_m - previous.boundary_distance_m) / elapsed_s


def fix_of(evidence: Evidence, verdict: Verdict) -> Fix | None:
    """The believable position in the evidence, if it holds one."""
    if verdict is DROPPED or evidence.kind is not LOCATION or evidence.boundary_distance_m is None:
        return None
    return Fix(
        evidence.device_id,
        evidence.at_ms,
        evidence.boundary_distance_m,
        evidence.inside_probability >= MAYBE_P,
    )


def heard(evidence: Evidence) -> list[tuple[int, int]]:
    """The (at_ms, rssi_dbm) samples of a beacon sighting that are readings at all."""
    at_ms = evidence.at_ms
    return [(at_ms - before_ms, rssi_dbm) for before_ms, rssi_dbm in evidence.samples if valid_rssi(rssi_dbm)]
