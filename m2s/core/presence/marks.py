"""What does the evidence of one shopper at one store say, cleaned, judged and in order of time?

Mocked, repeated and inaccurate evidence is gone, beacon samples have become windows, near or faint, and positions that
contradict a beacon are left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from beacons.ranging import WEAKEST_DBM, accepted_groups
from beacons.smoothing import median
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import BEACON, DWELL, EXIT, GEOFENCE, LOCATION, Evidence, Kind, Transition
from m2s.core.presence.quality import (
    AROUND,
    DENYING,
    DROPPED,
    ENTERED,
    EXITED,
    FAINT,
    FIX_FORGOTTEN_MS,
    HEARD,
    MOVING,
    OUTSIDE,
    Fix,
    Verdict,
    fix_of,
    heard,
    judge,
)
from m2s.core.presence.rules import StayRules

BEACON_SHIELD_MS = 30_000
LONGEST_BRIDGE_MS = 16 * 3_600_000
LATEST_EXIT_MS = 5 * 60_000
"""How late the system tells of an exit at most, as a rule: so long before it the phone had not left yet."""
REACH_MS = 150_000
"""How far before its own time evidence can change marks: 99 s of samples, their window of 10 s, its shield of 30 s."""


_NO_MARK = frozenset({HEARD, DROPPED, MOVING})
_BY_TIME = attrgetter("at_ms", "device_id", "sighting_id")


def context_ms(gap_ms: int) -> int:
    """How far before a mark there can be evidence that it depends on: an earlier fix, and what shields that."""
    return FIX_FORGOTTEN_MS + gap_ms + REACH_MS


class Mark(msgspec.Struct, gc=False):
    """One judged piece of evidence, or one accepted beacon window (which lasts until `until_ms`).

    A window is HEARD where at least one of the store's beacons is near, `near` says how many; else FAINT.
    """

    at_ms: int
    until_ms: int
    device_id: str
    sighting_id: str
    kind: Kind
    verdict: Verdict
    transition: Transition | None = None
    inside_probability: float = 1.0
    near: int = 0


def _distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    premises = sorted([one for one in evidence if one.zone_id == PREMISES], key=_BY_TIME)
    first: dict[tuple[str, str], Evidence] = {}
    for one in premises:
        first.setdefault((one.device_id, one.sighting_id), one)
    return premises if len(first) == len(premises) else list(first.values())


def marks_of(evidence: Iterable[Evidence], rules: StayRules) -> list[Mark]:
    """The marks of the premises, sorted; the same for every order and repetition of the evidence."""
    distinct = _distinct(evidence)
    windows = _windows(distinct, rules.faint_db)
    shields = _shields(windows, rules.gap_ms)
    marks = list(windows)
    previous: dict[str, Fix] = {}
    for one in distinct:
        verdict = judge(
            one,
            previous.get(one.device_id),
            max_accuracy_m=rules.max_accuracy_m,
            leave_margin_m=rules.leave_margin_m,
        )
        if verdict is ENTERED and not rules.fence_fits:
            verdict = AROUND
        # Positions are poor indoors: where beacons are heard, a fix may confirm but not deny.
        shielded = bool(shields) and any(since <= one.at_ms <= until for since, until in shields)
        if one.kind is LOCATION:
            fix = fix_of(one, verdict)
            if fix is not None and (fix.claims_inside or not shielded):
                previous[one.device_id] = fix
        if shielded and verdict in DENYING:
            continue
        if verdict not in _NO_MARK:
            marks.append(
                Mark(
                    one.at_ms,
                    one.at_ms,
                    one.device_id,
                    one.sighting_id,
                    one.kind,
                    verdict,
                    one.transition,
                    one.inside_probability,
                )
            )
    # Without windows among them they are in order already.
    return sorted(marks, key=_BY_TIME) if windows else marks


def _windows(evidence: Sequence[Evidence], faint_db: float) -> list[Mark]:
    """Accepted windows over all beacons of the store, each named after the sighting of its first sample."""
    beacons = [one for one in evidence if one.kind is BEACON and not one.mocked]
    if not beacons:
        return []
    # A beacon as it was when it was heard: its power may be another one by now.
    senders = [(one, f"{one.beacon} {one.measured_power_dbm}") for one in beacons]
    samples = sorted(
        [
            (at_ms, one.device_id, one.sighting_id, rssi_dbm, sender)
            for one, sender in senders
            for at_ms, rssi_dbm in heard(one)
        ]
    )
    # Of those at one instant the first keeps its place.
    owner = {at_ms: (device_id, sighting_id) for at_ms, device_id, sighting_id, *_ in reversed(samples)}
    least_dbm = {
        sender: one.measured_power_dbm - faint_db
        for one, sender in senders
        if one.measured_power_dbm is not None
    }
    windows = []
    for _, held in accepted_groups([(at_ms, rssi_dbm, sender) for at_ms, _, _, rssi_dbm, sender in samples]):
        strengths: dict[str, list[int]] = defaultdict(list)
        for _, rssi_dbm, sender in held:
            strengths[sender].append(rssi_dbm)
        near = sum(
            median(readings) >= least_dbm.get(sender, WEAKEST_DBM) for sender, readings in strengths.items()
        )
        first_ms = held[0][0]
        device_id, sighting_id = owner[first_ms]
        windows.append(
            Mark(
                first_ms,
                held[-1][0],
                device_id=device_id,
                sighting_id=sighting_id,
                kind=BEACON,
                verdict=HEARD if near else FAINT,
                near=near,
            )
        )
    return windows


def _shields(windows: Sequence[Mark], gap_ms: int) -> list[tuple[int, int]]:
    """Spans in which beacons outrank positions: 30 s around windows, and between windows within the gap."""
    spans: list[tuple[int, int]] = []
    for window in windows:
        since, until = window.at_ms - BEACON_SHIELD_MS, window.until_ms + BEACON_SHIELD_MS
        if spans and window.at_ms - (spans[-1][1] - BEACON_SHIELD_MS) <= gap_ms:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((since, until))
    return spans


def bridges(marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """Spans over which the operating system vouches for a stay, so that silence does not split it.

    From an enter or dwell to the dwell or exit that is the same device's next fence event, with no leaving
    fix in between, at most 16 h. Exits are told late: a span ends at the first leaving fix where the exit follows
    within 5 minutes. An enter that is followed by another enter vouches for nothing.
    """
    vouched: list[tuple[int, int]] = []
    since: dict[str, int] = {}
    left: dict[str, int] = {}
    for mark in marks:
        if mark.verdict is OUTSIDE:
            left = dict.fromkeys(since, mark.at_ms) | left
        elif mark.kind is GEOFENCE:
            started, left_at = since.pop(mark.device_id, None), left.pop(mark.device_id, None)
            if started is not None and mark.at_ms - started <= LONGEST_BRIDGE_MS and _ends(mark, left_at):
                vouched.append((started, mark.at_ms if left_at is None else left_at))
            if mark.verdict is not EXITED:
                since[mark.device_id] = mark.at_ms
    return vouched


def _ends(mark: Mark, left_at_ms: int | None) -> bool:
    """Whether a fence event closes the span that its device's entry opened, where a fix left since at `left_at_ms`."""
    if left_at_ms is None:
        return mark.transition in (DWELL, EXIT)
    return mark.transition is EXIT and mark.at_ms - left_at_ms <= LATEST_EXIT_MS
