"""Which stays at one store does the evidence of one shopper tell, how sure are they, and which are visits?

A stay opens with one sure fix, two probable ones in succession, a fence enter or dwell, or a window in which a beacon
is near; it ends at its last inside evidence, and stays less than the gap apart are one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import msgspec

from m2s.core.presence.evidence import ENTER, EXIT, Evidence, Kind
from m2s.core.presence.marks import LATEST_EXIT_MS, Mark, bridges, marks_of
from m2s.core.presence.quality import (
    AROUND,
    ENTERED,
    EXITED,
    FAINT,
    FIX_FORGOTTEN_MS,
    HEARD,
    INSIDE,
    MAYBE,
    MAYBE_P,
    OUTSIDE,
)
from m2s.core.presence.rules import StayRules

RULE_VERSION = "visits-3"
OPEN_SHARE_MIN = 0.5
ENTERED_BEFORE_MS = FIX_FORGOTTEN_MS
"""How long before a stay its phone can have come into the circle that vouches for it."""
WINDOW_SCORE = 3
"""What each beacon that is near adds in each window: as much as three sure positions."""
LONGEST_STAY_MS = 24 * 3_600_000
"""Who lives in a zone is told day by day, so that a day's evidence is all that ever has to be folded again."""


class Confidence(StrEnum):
    """How sure a stay is; reports count medium and high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class StayKind(StrEnum):
    """What a stay is: only `visit` is counted.

    `elsewhere` and `ambiguous` would be visits but for a stay next door at the same time.
    """

    VISIT = "visit"
    ELSEWHERE = "elsewhere"
    AMBIGUOUS = "ambiguous"
    UNCONFIRMED = "unconfirmed"
    PASSER_BY = "passer_by"
    TOO_LONG = "too_long"
    CLOSED = "closed"


# Made anew each time that a stay is looked at. Nobody changes one.
class Stay(msgspec.Struct, gc=False):
    """One stay: from its first to its last inside evidence (epoch milliseconds, UTC), never padded.

    `first_device_id` and `first_sighting_id` name the first inside evidence; `inside_fixes` counts fixes of
    probability 0.8 or more, `beacon_windows` those in which a beacon is near. `heard` says that these windows alone
    tell a visit. `score` adds up the probabilities, and three for each beacon that is near in each window; `proven`
    says that a redemption falls into the stay or within a gap of it.
    """

    start_ms: int
    end_ms: int
    first_device_id: str
    first_sighting_id: str
    inside_fixes: int
    beacon_windows: int
    heard: bool
    score: float
    has_enter: bool
    has_exit: bool
    proven: bool
    confidence: Confidence
    sources: tuple[Kind, ...]

    @property
    def dwell_s(self) -> int:
        """Whole seconds from the first to the last inside evidence."""
        return (self.end_ms - self.start_ms) // 1000


@dataclass(slots=True)
class _Draft:
    """A stay while it is folded; once left, it needs a new entry to go on."""

    marks: list[Mark]
    end_ms: int
    left: bool = False


def stays(
    evidence: Iterable[Evidence], rules: StayRules, *, proofs_ms: Sequence[int] = (), since_ms: int = 0
) -> list[Stay]:
    """The stays of one shopper at one store, oldest first, whatever the order of the evidence.

    Only evidence of the premises counts; repeats of a sighting change nothing. `proofs_ms` are the times of
    redemptions that were not voided. What was before `since_ms` only helps to judge what came after.
    """
    found = list(evidence)
    if all(one.inside_probability < MAYBE_P for one in found):
        return []
    judged = marks_of(found, rules)
    marks = [mark for mark in judged if mark.at_ms >= since_ms]
    fold = _Fold(rules, bridges(judged))
    for mark in marks:
        fold.add(mark)
    return [_stay(draft.marks, draft.end_ms, rules=rules, proofs_ms=proofs_ms) for draft in fold.drafts]


class _Fold:
    """Folds sorted marks into drafts of stays."""

    def __init__(self, rules: StayRules, bridges: Sequence[tuple[int, int]]) -> None:
        self.drafts: list[_Draft] = []
        self._gap_ms = rules.gap_ms
        self._fence_fits = rules.fence_fits
        self._bridges = bridges
        self._maybe: Mark | None = None

    def add(self, mark: Mark) -> None:
        """Takes the next mark in order of time."""
        verdict = mark.verdict
        if verdict is INSIDE or verdict is MAYBE:
            self._fix(mark)
        elif verdict is ENTERED or verdict is HEARD:
            self._enter(mark)
        elif verdict is FAINT:
            self._prolong(mark, mark.until_ms)
        elif verdict is EXITED:
            self._exit(mark)
        elif verdict is not AROUND:
            self._maybe = None
            if verdict is OUTSIDE and self.drafts:
                self.drafts[-1].left = True

    def _continues(self, at_ms: int) -> bool:
        """Whether inside evidence at an instant belongs to the last stay: within the gap, or bridged."""
        if not self.drafts:
            return False
        start_ms, end_ms = self.drafts[-1].marks[0].at_ms, self.drafts[-1].end_ms
        if at_ms - start_ms > LONGEST_STAY_MS:
            return False
        if at_ms - end_ms <= self._gap_ms:
            return True
        earliest_ms = start_ms - ENTERED_BEFORE_MS
        return any(earliest_ms <= since <= end_ms and at_ms <= until for since, until in self._bridges)

    def _enter(self, mark: Mark) -> None:
        self._maybe = None
        if self._continues(mark.at_ms):
            draft = self.drafts[-1]
            draft.marks.append(mark)
            draft.end_ms = max(draft.end_ms, mark.until_ms)
            draft.left = False
        else:
            self.drafts.append(_Draft([mark], mark.until_ms))

    def _fix(self, mark: Mark) -> None:
        inside = bool(self.drafts) and not self.drafts[-1].left and self._continues(mark.at_ms)
        maybe = self._maybe
        if maybe is not None and mark.at_ms - maybe.at_ms <= self._gap_ms:
            self._enter(maybe)
            self._enter(mark)
        elif inside or mark.verdict is INSIDE:
            self._enter(mark)
        else:
            self._maybe = mark

    def _prolong(self, mark: Mark, until_ms: int) -> None:
        """Carries on a stay that nobody has left, and opens none."""
        if self.drafts and not self.drafts[-1].left and self._continues(mark.at_ms):
            self.drafts[-1].marks.append(mark)
            self.drafts[-1].end_ms = max(self.drafts[-1].end_ms, until_ms)

    def _exit(self, mark: Mark) -> None:
        """An exit says that the phone is gone, and that it was there until shortly before.

        How late it is told is not known, only how late at most. Where the circle is not much larger than the premises,
        the stay lasts at least until so long before; without an enter that it answers only within the gap.
        """
        self._maybe = None
        if self._fence_fits:
            self._prolong(mark, mark.at_ms - LATEST_EXIT_MS)
        if self.drafts:
            self.drafts[-1].left = True


def _stay(marks: Sequence[Mark], end_ms: int, *, rules: StayRules, proofs_ms: Sequence[int]) -> Stay:
    first = marks[0]
    proven = any(first.at_ms - rules.gap_ms <= proof <= end_ms + rules.gap_ms for proof in proofs_ms)
    windows, faint, fixes, maybe = _by_verdict(marks)
    # Who hears most signals faintly is behind a wall.
    near = windows if len(windows) >= len(faint) else []
    heard = len(near) >= 2 and _span_s(near) >= rules.beacon_dwell_min_s
    transitions = {mark.transition for mark in marks}
    sure = _spans_dwell(near + fixes, maybe, rules) or (
        EXIT in transitions and fixes and _fenced(marks, rules)
    )
    return Stay(
        start_ms=first.at_ms,
        end_ms=end_ms,
        first_device_id=first.device_id,
        first_sighting_id=first.sighting_id,
        inside_fixes=len(fixes),
        beacon_windows=len(windows),
        heard=heard,
        score=WINDOW_SCORE * sum([mark.near for mark in windows])
        + sum([fix.inside_probability for fix in fixes]),
        has_enter=ENTER in transitions,
        has_exit=EXIT in transitions,
        proven=proven,
        confidence=Confidence.HIGH if proven or heard else Confidence.MEDIUM if sure else Confidence.LOW,
        sources=tuple(sorted({mark.kind for mark in marks})),
    )


def _by_verdict(marks: Sequence[Mark]) -> tuple[list[Mark], list[Mark], list[Mark], list[Mark]]:
    """Windows in which a beacon is near, those in which none is, sure fixes, and probable ones."""
    windows: list[Mark] = []
    faint: list[Mark] = []
    fixes: list[Mark] = []
    maybe: list[Mark] = []
    for mark in marks:
        verdict = mark.verdict
        if verdict is INSIDE:
            fixes.append(mark)
        elif verdict is MAYBE:
            maybe.append(mark)
        elif verdict is HEARD:
            windows.append(mark)
        elif verdict is FAINT:
            faint.append(mark)
    return windows, faint, fixes, maybe


def _spans_dwell(sure: Sequence[Mark], maybe: Sequence[Mark], rules: StayRules) -> bool:
    """Whether two sure marks or more span the smallest dwell; two probable ones are as good as a sure one."""
    return len(sure) + len(maybe) / 2 >= 2 and _span_s([*sure, *maybe]) >= rules.dwell_min_s


def _fenced(marks: Sequence[Mark], rules: StayRules) -> bool:
    """Whether fence events span the smallest dwell, though the last of them may have been told late."""
    entered = [mark.at_ms for mark in marks if mark.transition is ENTER]
    exited = [mark.at_ms - LATEST_EXIT_MS for mark in marks if mark.transition is EXIT]
    return bool(entered and exited) and max(exited) - min(entered) >= rules.dwell_min_s * 1000


def _span_s(marks: Sequence[Mark]) -> float:
    return (max([mark.until_ms for mark in marks]) - min([mark.at_ms for mark in marks])) / 1000


def classify(stay: Stay, rules: StayRules, *, open_share: float | None = None) -> StayKind:
    """What the stay is; `open_share` is the part of its dwell within opening hours, None where unknown.

    A proof makes a visit whatever the dwell. Beacons tell one by their own dwell minimum.
    """
    if stay.proven:
        return StayKind.VISIT
    if stay.dwell_s < rules.dwell_min_s and not stay.heard:
        return StayKind.PASSER_BY
    if stay.dwell_s > rules.dwell_max_s:
        return StayKind.TOO_LONG
    if open_share is not None and open_share < OPEN_SHARE_MIN:
        return StayKind.CLOSED
    return StayKind.UNCONFIRMED if stay.confidence is Confidence.LOW else StayKind.VISIT


def visit_id(shopper_id: str, store_id: str, *, stay: Stay) -> str:
    """The stay's lasting name: a hash of shopper, store and the first inside evidence."""
    # As Python writes them, in quotes and escaped, they cannot run into each other.
    named = ascii([shopper_id, store_id, stay.first_device_id, stay.first_sighting_id])
    return "vis_" + sha256(named.encode()).hexdigest()[:26]
