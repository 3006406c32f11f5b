"""Which offers do a step in, a stay and a step out bring up? The one place where triggers meet presence.

A new trigger of presence is one entry in `ON_PRESENCE`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec

from campaigns.model import Dwell, Enter, Exit, Near, Research, Trigger
from m2s.app.catalog import LiveOffer
from m2s.core.presence.evidence import Evidence
from m2s.core.presence.tracker import Entered, Event, Left, Presence, dwelled


# Made in the hot path. Nobody changes one.
class Fired(msgspec.Struct, gc=False):
    """A trigger that fired for a shopper at a zone of a store.

    Offers with the same `moment` compete with each other; `at_ms` is when it happened, and `since_ms` names the stay
    for which it fires once. `beyond_m` is how far outside the zone's edge she was, where a fix told it.
    """

    offer: LiveOffer
    trigger: str
    shopper_id: str
    device_id: str | None
    store_id: str
    zone_id: str
    moment: str
    at_ms: int
    since_ms: int
    beyond_m: float | None = None
    speed_mps: float | None = None


class Change(msgspec.Struct, gc=False):
    """What one piece of evidence made of a presence."""

    before: Presence | None
    after: Presence
    events: Sequence[Event]

    @property
    def entered(self) -> bool:
        """Whether she came in."""
        return bool(self.events) and isinstance(self.events[-1], Entered)


def _arrival(_trigger: Trigger, change: Change) -> int | None:
    return change.after.entered_at_ms if change.entered else None


def _departure(_trigger: Trigger, change: Change) -> int | None:
    """The step out itself; silence tells of none."""
    before, after = change.before, change.after
    if before is None or before.entered_at_ms is None or after.entered_at_ms is not None:
        return None
    return before.entered_at_ms if any(isinstance(event, Left) for event in change.events) else None


def _long_stay(trigger: Trigger, change: Change) -> int | None:
    if not isinstance(trigger, Dwell):
        return None
    duration_ms = trigger.duration // timedelta(milliseconds=1)
    return (
        change.after.entered_at_ms if dwelled(change.before, change.after, duration_ms=duration_ms) else None
    )


ON_PRESENCE: Mapping[type[Trigger], tuple[str, Callable[[Trigger, Change], int | None]]] = {
    Near: ("near", _arrival),
    Enter: ("enter", _arrival),
    Research: ("research", _arrival),
    Dwell: ("dwell", _long_stay),
    Exit: ("exit", _departure),
}
"""For each trigger its name, and since when the stay lasts for which a change fires it; None where it does not."""


def fire(offers: Sequence[LiveOffer], evidence: Evidence, change: Change) -> list[Fired]:
    """What a change of a presence brings up of the offers at its zone."""
    fired = []
    for live in offers:
        trigger = live.offer.trigger
        name, since = ON_PRESENCE[type(trigger)]
        since_ms = since(trigger, change)
        if since_ms is not None:
            fired.append(by_evidence(live, name, evidence, since_ms=since_ms))
    return fired


def by_evidence(live: LiveOffer, trigger: str, evidence: Evidence, *, since_ms: int) -> Fired:
    """A trigger that a piece of evidence fired."""
    return Fired(
        live,
        trigger,
        evidence.shopper_id,
        evidence.device_id,
        evidence.store_id,
        evidence.zone_id,
        evidence.sighting_id,
        evidence.at_ms,
        since_ms,
        evidence.boundary_distance_m,
        evidence.speed_mps,
    )
