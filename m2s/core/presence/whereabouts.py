"""At which of a store's beacons is a shopper? For triggers that a beacon fires which is heard from afar."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from beacons.place import Place, heard_windows, place_after
from beacons.ranging import window_start
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.nearness import silent
from m2s.core.presence.quality import heard

# Some nine beacons heard for a window; the bound keeps the row small whatever a phone sends.
KEPT_SAMPLES = 96


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One shopper among the beacons of one store (epoch milliseconds).

    `place` is what the windows before `judged_until_ms` say; `samples` (at_ms, rssi_dbm, beacon) are those since.
    """

    seen_at_ms: int
    place: Place | None = None
    judged_until_ms: int = 0
    samples: tuple[tuple[int, int, str], ...] = ()


def track_whereabouts(
    state: Whereabouts | None, evidence: Evidence, *, measured_power_dbm: Mapping[str, float]
) -> Whereabouts | None:
    """The state after one more beacon sighting; `measured_power_dbm` is that of each beacon of the store.

    A phone tells of one beacon after another: a window is judged when a burst begins after it, so that all that were
    heard in it are compared. Evidence that is mocked, older than the newest seen, or of no beacon of the store changes
    nothing; after 6 minutes of silence she may be anywhere.
    """
    beacon = evidence.beacon
    if evidence.mocked or beacon is None or beacon not in measured_power_dbm:
        return state
    if state is None or silent(state, evidence.at_ms):
        state = Whereabouts(evidence.at_ms)
    if evidence.at_ms < state.seen_at_ms:
        return state
    readings = [
        (at_ms, rssi_dbm, beacon) for at_ms, rssi_dbm in heard(evidence) if at_ms >= state.judged_until_ms
    ]
    if not readings:
        return replace(state, seen_at_ms=evidence.at_ms)
    until_ms = window_start(min(readings)[0])
    kept = [sample for sample in state.samples if sample[2] in measured_power_dbm]
    place = state.place
    for window in heard_windows([sample for sample in kept if sample[0] < until_ms]):
        place = place_after(place, window.rssi_dbm, measured_power_dbm=measured_power_dbm)
    since = [sample for sample in kept if sample[0] >= until_ms]
    return Whereabouts(
        evidence.at_ms,
        place,
        max(state.judged_until_ms, until_ms),
        tuple([*since, *readings][-KEPT_SAMPLES:]),
    )
