"""Has a shopper been near the beacons of one place of a store, and for how long? For beacon triggers."""

from dataclasses import dataclass
from typing import Protocol

from beacons.ranging import Proximity, accepted_windows, distance_m, proximity
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.tracker import newest_window, pooled

# Phones range in bursts: an Android phone in the background scans for 10 s every 5 minutes (AltBeacon's default).
FORGOTTEN_MS = 360_000


@dataclass(frozen=True, slots=True)
class BeaconPresence:
    """One shopper at one place, at one wanted proximity (epoch milliseconds).

    `first_ms` and `last_ms` bound the accepted windows that were near enough, None before the first one;
    `samples` are those of the newest window.
    """

    seen_at_ms: int
    first_ms: int | None = None
    last_ms: int | None = None
    samples: tuple[tuple[int, int], ...] = ()


def track_beacon(
    state: BeaconPresence | None, evidence: Evidence, *, wanted: Proximity, elsewhere: bool = False
) -> BeaconPresence | None:
    """The state after one more beacon sighting of the place.

    Windows count when their median distance is at least as near as `wanted`; farther ones are passed over, and far
    ones also while the shopper is `elsewhere`: at another place of the store.
    More than 6 minutes without a window that counts starts anew. Evidence that is mocked, older than the newest
    seen, or of a beacon without a measured power changes nothing.
    """
    power_dbm = evidence.measured_power_dbm
    if evidence.mocked or power_dbm is None or (state is not None and evidence.at_ms < state.seen_at_ms):
        return state
    samples = pooled(state.samples if state else (), evidence)
    first_ms, last_ms = (state.first_ms, state.last_ms) if state else (None, None)
    for window in accepted_windows(samples):
        found = proximity(distance_m(window.rssi_dbm, power_dbm))
        if not found.within(wanted) or (elsewhere and found is Proximity.FAR):
            continue
        if first_ms is None or last_ms is None or window.first_ms - last_ms > FORGOTTEN_MS:
            first_ms, last_ms = window.first_ms, window.last_ms
        last_ms = max(last_ms, window.last_ms)
    return BeaconPresence(evidence.at_ms, first_ms, last_ms, newest_window(samples))


def heard_for(before: BeaconPresence | None, after: BeaconPresence | None, *, duration_ms: int) -> bool:
    """Whether this step made the time near the place reach a duration: true exactly once per presence."""
    if after is None or not _reached(after, duration_ms):
        return False
    return not (before is not None and before.first_ms == after.first_ms and _reached(before, duration_ms))


def _reached(state: BeaconPresence, duration_ms: int) -> bool:
    if state.first_ms is None or state.last_ms is None:
        return False
    return state.last_ms - state.first_ms >= duration_ms


class Seen(Protocol):
    """What knows when it was moved on last."""

    @property
    def seen_at_ms(self) -> int:
        """The newest evidence."""


def silent(state: Seen, now_ms: int) -> bool:
    """Whether nothing was heard for so long that the row can go."""
    return now_ms - state.seen_at_ms > FORGOTTEN_MS
