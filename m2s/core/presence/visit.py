"""Which stays at one store does the evidence of one shopper tell, how sure are they, and which are visits?

A stay opens with one sure fix, two probable ones in succession, a fence enter or dwell, or an accepted beacon
window; it ends at its last inside evidence, and stays less than the gap apart are one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.marks import Mark, bridges, marks_of
from m2s.core.presence.quality import Verdict

RULE_VERSION = "visits-2"
OPEN_SHARE_MIN = 0.5
WINDOW_SCORE = 3
LONGEST_STAY_MS = 24 * 3_600_000
"""Who lives in a zone is told day by day, so that a day's evidence is all that ever has to be folded again."""


@dataclass(frozen=True, slots=True)
class StayRules:
    """The numbers of one store that decide what a stay is; `leave_margin_m` is that of the zone."""

    dwell_min_s: float
    beacon_dwell_min_s: float
    dwell_max_s: float
    gap_merge_s: float
    max_accuracy_m: float
    leave_margin_m: float


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


# Made anew each time that a stay is looked at: frozen would take four times as long. Nobody changes one.
@dataclass(slots=True)
class Stay:
    """One stay: from its first to its last inside evidence (epoch milliseconds, UTC), never padded.

    `first_device_id` and `first_sighting_id` name the first inside evidence; `inside_fixes` counts fixes of
    probability 0.8 or more; `score` adds up these probabilities, and three for each beacon window; `proven` says that
    a redemption falls into the stay or within a gap of it.
    """

    start_ms: int
    end_ms: int
    first_device_id: str
    first_sighting_id: str
    inside_fixes: int
    beacon_windows: int
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
    gap_ms = int(rules.gap_merge_s * 1000)
    judged = marks_of(
        evidence,
        gap_ms=gap_ms,
        max_accuracy_m=rules.max_accuracy_m,
        leave_margin_m=rules.leave_margin_m,
    )
    marks = [mark for mark in judged if mark.at_ms >= since_ms]
    fold = _Fold(gap_ms, bridges(marks))
    for mark in marks:
        fold.add(mark)
    return [_stay(draft.marks, draft.end_ms, rules=rules, proofs_ms=proofs_ms) for draft in fold.drafts]


class _Fold:
    """Folds sorted marks into drafts of stays."""

    def __init__(self, gap_ms: int, bridges: Sequence[tuple[int, int]]) -> None:
        self.drafts: list[_Draft] = []
        self._gap_ms = gap_ms
        self._bridges = bridges
        self._maybe: Mark | None = None

    def add(self, mark: Mark) -> None:
        """Takes the next mark in order of time."""
        match mark.verdict:
            case Verdict.INSIDE | Verdict.MAYBE:
                self._fix(mark)
            case Verdict.ENTERED | Verdict.HEARD:
                self._enter(mark)
            case Verdict.EXITED:
                self._exit(mark)
            case _:
                self._maybe = None
                if mark.verdict is Verdict.OUTSIDE and self.drafts:
                    self.drafts[-1].left = True

    def _continues(self, at_ms: int) -> bool:
        """Whether inside evidence at an instant belongs to the last stay: within the gap, or bridged."""
        if not self.drafts or at_ms - self.drafts[-1].marks[0].at_ms > LONGEST_STAY_MS:
            return False
        end_ms = self.drafts[-1].end_ms
        if at_ms - end_ms <= self._gap_ms:
            return True
        return any(since <= end_ms and at_ms <= until for since, until in self._bridges)

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
        elif inside or mark.verdict is Verdict.INSIDE:
            self._enter(mark)
        else:
            self._maybe = mark

    def _exit(self, mark: Mark) -> None:
        """An exit ends the stay at its own time, late as it is, unless a leaving fix came before it.

        Without an enter that it answers it is believed only within the gap after the last inside evidence.
        """
        self._maybe = None
        if self.drafts and not self.drafts[-1].left and self._continues(mark.at_ms):
            self._enter(mark)
            self.drafts[-1].left = True


def _stay(marks: Sequence[Mark], end_ms: int, *, rules: StayRules, proofs_ms: Sequence[int]) -> Stay:
    gap_ms = rules.gap_merge_s * 1000
    first = marks[0]
    proven = any(first.at_ms - gap_ms <= proof <= end_ms + gap_ms for proof in proofs_ms)
    verdicts, transitions = [mark.verdict for mark in marks], {mark.transition for mark in marks}
    windows = verdicts.count(Verdict.HEARD)
    probabilities = [mark.inside_probability for mark in marks if mark.verdict is Verdict.INSIDE]
    return Stay(
        start_ms=first.at_ms,
        end_ms=end_ms,
        first_device_id=first.device_id,
        first_sighting_id=first.sighting_id,
        inside_fixes=len(probabilities),
        beacon_windows=windows,
        score=WINDOW_SCORE * windows + sum(probabilities),
        has_enter=Transition.ENTER in transitions,
        has_exit=Transition.EXIT in transitions,
        proven=proven,
        confidence=Confidence.HIGH if proven else _confidence(marks, rules),
        sources=tuple(sorted({mark.kind for mark in marks})),
    )


def _confidence(marks: Sequence[Mark], rules: StayRules) -> Confidence:
    if len(marks) == 1:
        return Confidence.LOW
    windows = [mark for mark in marks if mark.verdict is Verdict.HEARD]
    fixes = [mark for mark in marks if mark.verdict is Verdict.INSIDE]
    if len(windows) >= 2 and _span_s(windows) >= rules.beacon_dwell_min_s:
        return Confidence.HIGH
    sure = windows + fixes
    if len(sure) >= 2 and _span_s(sure) >= rules.dwell_min_s:
        return Confidence.MEDIUM
    entered = [mark.at_ms for mark in marks if mark.transition is Transition.ENTER]
    exited = [mark.at_ms for mark in marks if mark.transition is Transition.EXIT]
    if fixes and entered and exited and (max(exited) - min(entered)) / 1000 >= rules.dwell_min_s:
        return Confidence.MEDIUM
    return Confidence.LOW


def _span_s(marks: Sequence[Mark]) -> float:
    return (max(mark.until_ms for mark in marks) - min(mark.at_ms for mark in marks)) / 1000


def classify(stay: Stay, rules: StayRules, *, open_share: float | None = None) -> StayKind:
    """What the stay is; `open_share` is the part of its dwell within opening hours, None where unknown.

    A proof makes a visit whatever the dwell. With two beacon windows the beacon's dwell minimum holds.
    """
    if stay.proven:
        return StayKind.VISIT
    if stay.dwell_s < (rules.beacon_dwell_min_s if stay.beacon_windows >= 2 else rules.dwell_min_s):
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
