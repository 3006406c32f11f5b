"""Is a shopper inside a zone right now, and since when? What triggers follow while evidence arrives.

Only evidence that is not older than the newest seen moves a presence; visits are told afterwards by the fold.
"""

import msgspec

from beacons.ranging import WINDOW_MS, accepted_groups, window_start
from m2s.core.presence.evidence import LOCATION, Evidence
from m2s.core.presence.marks import BEACON_SHIELD_MS, LATEST_EXIT_MS
from m2s.core.presence.quality import (
    DENYING,
    DROPPED,
    ENTERED,
    EXITED,
    HEARD,
    INSIDE,
    MAYBE,
    NEUTRAL,
    OUTSIDE,
    Fix,
    Verdict,
    fix_of,
    heard,
    judge,
)
from m2s.core.presence.rules import StayRules

# Three are enough to accept a window; the bound keeps the row small whatever a phone sends.
KEPT_SAMPLES = 32
_OVERRULED = DENYING | {EXITED}
"""What a beacon heard at the time outranks."""


class Entered(msgspec.Struct, gc=False):
    """The shopper came in; `at_ms` is the first evidence of it."""

    at_ms: int


class Left(msgspec.Struct, gc=False):
    """The presence is over; it lasted from `entered_at_ms` to `last_at_ms`."""

    entered_at_ms: int
    last_at_ms: int


Event = Entered | Left


# Not frozen: `track` changes the copy that it makes.
class Presence(msgspec.Struct, gc=False):
    """What is known of one shopper and one zone; `entered_at_ms` is None while nearby but not inside.

    Epoch milliseconds: `seen_at_ms` newest evidence, `last_at_ms` newest inside evidence of this presence,
    `maybe_at_ms` a probable fix that waits for a second, `heard_at_ms` newest accepted beacon sample.
    `samples` are those of the newest beacon window. `former` is the presence that is over, from its entry to its last
    inside evidence: who comes back within the gap goes on with it.
    """

    seen_at_ms: int
    entered_at_ms: int | None = None
    last_at_ms: int | None = None
    maybe_at_ms: int | None = None
    heard_at_ms: int | None = None
    fix: Fix | None = None
    samples: tuple[tuple[int, int], ...] = ()
    former: tuple[int, int] | None = None

    @property
    def inside(self) -> bool:
        """Whether the shopper is in the zone."""
        return self.entered_at_ms is not None

    @property
    def can_be_left(self) -> bool:
        """Whether a fix from elsewhere can end it; what is over already waits for the gap to pass."""
        return self.entered_at_ms is not None or self.former is None

    @property
    def dwell_ms(self) -> int:
        """From entry to the newest inside evidence; 0 while not inside."""
        if self.entered_at_ms is None or self.last_at_ms is None:
            return 0
        return self.last_at_ms - self.entered_at_ms


def track(
    state: Presence | None, evidence: Evidence, *, rules: StayRules
) -> tuple[Presence | None, tuple[Event, ...]]:
    """The presence after one more piece of evidence of its zone, and what that changed.

    Evidence comes without repeats. What is older than the newest seen, or not to be believed, changes
    nothing. Silence longer than the gap ends the presence first, then the evidence is judged anew. A state
    that is not `inside` is kept, because the next fix is judged against it.
    """
    at_ms = evidence.at_ms
    if state is not None and at_ms < state.seen_at_ms:
        return state, ()
    verdict = judge(
        evidence,
        state.fix if state else None,
        max_accuracy_m=rules.max_accuracy_m,
        leave_margin_m=rules.leave_margin_m,
    )
    if verdict is DROPPED:
        return state, ()
    silence: tuple[Event, ...] = ()
    if state is None:
        after = Presence(at_ms)
    elif left_by_silence(state, at_ms, rules=rules):
        after, silence = _leave(state)
    else:
        after = Presence(
            at_ms,
            state.entered_at_ms,
            state.last_at_ms,
            state.maybe_at_ms,
            state.heard_at_ms,
            state.fix,
            state.samples,
            state.former,
        )
    after.seen_at_ms = at_ms
    if after.heard_at_ms is not None and verdict in _OVERRULED and _shielded(after, at_ms):
        return after, silence
    if evidence.kind is LOCATION:
        after.fix = fix_of(evidence, verdict) or after.fix
    after, events = _advance(after, evidence, verdict=verdict, gap_ms=rules.gap_merge_s * 1000)
    return after, silence + events if silence else events


def _advance(
    state: Presence, evidence: Evidence, *, verdict: Verdict, gap_ms: float
) -> tuple[Presence, tuple[Event, ...]]:
    """Moves a state of our own on, in place or by a new one."""
    at_ms = evidence.at_ms
    if verdict is INSIDE or verdict is MAYBE:
        maybe_ms = state.maybe_at_ms
        succeeds = maybe_ms is not None and at_ms - maybe_ms <= gap_ms
        if verdict is MAYBE and not state.inside and not succeeds:
            state.maybe_at_ms = at_ms
            return state, ()
        since_ms = maybe_ms if maybe_ms is not None and succeeds else at_ms
        return _confirm(state, since_ms, at_ms, gap_ms=gap_ms)
    if verdict is NEUTRAL:
        state.maybe_at_ms = None
    elif verdict is ENTERED:
        return _confirm(state, at_ms, at_ms, gap_ms=gap_ms)
    elif verdict is HEARD:
        return _hear(state, evidence, gap_ms=gap_ms)
    elif verdict is EXITED or verdict is OUTSIDE:
        if verdict is EXITED and state.last_at_ms is not None:
            state.last_at_ms = max(state.last_at_ms, at_ms - LATEST_EXIT_MS)
        return _leave(state)
    return state, ()


def _confirm(
    state: Presence, since_ms: int, until_ms: int, *, gap_ms: float
) -> tuple[Presence, tuple[Event, ...]]:
    """Inside evidence from one instant to another: it starts a presence or carries it on."""
    state.maybe_at_ms = None
    former, state.former = state.former, None
    if state.entered_at_ms is None and former is not None and since_ms - former[1] <= gap_ms:
        state.entered_at_ms, state.last_at_ms = former[0], max(former[1], until_ms)
        return state, ()
    if state.entered_at_ms is None:
        state.entered_at_ms, state.last_at_ms = since_ms, until_ms
        return state, (Entered(since_ms),)
    if state.last_at_ms is None or state.last_at_ms < until_ms:
        state.last_at_ms = until_ms
    return state, ()


def _leave(state: Presence) -> tuple[Presence, tuple[Event, ...]]:
    return Presence(state.seen_at_ms, fix=state.fix, former=_span(state) or state.former), _left(state)


def _span(state: Presence) -> tuple[int, int] | None:
    """From the entry to the last inside evidence; None while not inside."""
    if state.entered_at_ms is None:
        return None
    return state.entered_at_ms, state.last_at_ms or state.entered_at_ms


def left(state: Presence, at_ms: int) -> Presence:
    """What is left of a presence that a fix from elsewhere ended at an instant."""
    after, _ = _leave(state)
    after.seen_at_ms = at_ms
    return after


def _left(state: Presence) -> tuple[Event, ...]:
    if state.entered_at_ms is None:
        return ()
    return (Left(state.entered_at_ms, state.last_at_ms or state.entered_at_ms),)


def _hear(state: Presence, evidence: Evidence, *, gap_ms: float) -> tuple[Presence, tuple[Event, ...]]:
    samples = pooled(state.samples, evidence)
    state.samples = newest_window(samples)
    windows = accepted_groups(samples)
    if not windows:
        return state, ()
    (_, first), (_, last) = windows[0], windows[-1]
    state.heard_at_ms = max(last[-1][0], state.heard_at_ms or 0)
    return _confirm(state, first[0][0], last[-1][0], gap_ms=gap_ms)


def pooled(kept: tuple[tuple[int, int], ...], evidence: Evidence) -> list[tuple[int, int]]:
    """Samples of a beacon sighting together with those kept of the newest window."""
    return [*kept, *heard(evidence)]


def newest_window(samples: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The samples that later ones may still join in a window."""
    if not samples:
        return ()
    start_ms = window_start(max(samples)[0])
    return tuple(
        [sample for sample in samples if start_ms <= sample[0] < start_ms + WINDOW_MS][-KEPT_SAMPLES:]
    )


def _shielded(state: Presence, at_ms: int) -> bool:
    return state.heard_at_ms is not None and at_ms - state.heard_at_ms <= BEACON_SHIELD_MS


def left_by_silence(state: Presence, now_ms: int, *, rules: StayRules) -> bool:
    """Whether nothing confirmed the presence for longer than the gap: it is over and its row can go.

    A state that is not inside is over when nothing at all was seen for as long.
    """
    latest_ms = state.last_at_ms if state.last_at_ms is not None else state.seen_at_ms
    return now_ms - latest_ms > rules.gap_merge_s * 1000


def left_by_fix(state: Presence, at_ms: int, *, accuracy_m: float, rules: StayRules) -> bool:
    """Whether a fix (not mocked) outside every padded zone ends the presence: its row can go.

    One that is older than the newest evidence, too inaccurate, or contradicted by a beacon heard within the last 30 s
    changes nothing.
    """
    if at_ms < state.seen_at_ms or accuracy_m > rules.max_accuracy_m:
        return False
    return not _shielded(state, at_ms)


def dwelled(before: Presence | None, after: Presence | None, *, duration_ms: int) -> bool:
    """Whether this step made the dwell reach a duration: true exactly once per presence that gets so far."""
    if after is None or not after.inside or after.dwell_ms < duration_ms:
        return False
    span = None if before is None else _span(before) or before.former
    return span is None or span[0] != after.entered_at_ms or span[1] - span[0] < duration_ms
