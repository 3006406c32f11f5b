"""How long is what phones sent kept? Positions for days, evidence for months; what is older is dropped in pieces.

Every piece is a transaction of its own, so that sightings which wait meanwhile are committed between two of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event

from m2s.app.ports import Database, Records
from m2s.app.upkeep import Piece
from m2s.core.base.instants import Clock, from_ms, to_ms

MOST_S = 40.0
"""How long one run takes at most; the next one goes on where it ended."""

_SIGHTINGS_PIECE = 1_000
_EVIDENCE_PIECE = 250
"""Evidence has an index in another order than that of its arrival: each of its rows changes a page of its own."""

_SIGHTINGS_REST, _EVIDENCE_REST = 2, 4
"""For how many times the length of a piece nothing is dropped after it: the busier the writer, the longer."""

_ALL_EVERY = timedelta(hours=1)
"""What was set aside and replayed stands behind what came after it: so often all sightings are looked at."""

_KEPT_SINCE = "evidence_kept_since_ms"


@dataclass(frozen=True, slots=True)
class Dropped:
    """How much of each kind was dropped, and whether that was all."""

    sightings: int
    evidence: int
    dead_letters: int
    finished: bool
    research: int = 0


class Retention:
    """Drops what is older than it may be: dead letters and sightings by their receipt, the rest by its event time.

    Visits, decisions and figures stay: they hold no position.
    """

    def __init__(
        self, database: Database, clock: Clock, *, sightings_kept: timedelta, evidence_kept: timedelta
    ) -> None:
        self._database = database
        self._clock = clock
        self._sightings_kept = sightings_kept
        self._evidence_kept = evidence_kept
        self._stopped = Event()
        self._all_looked_at: datetime | None = None

    def stop(self) -> None:
        """Ends the run that is on after the piece that is on; for a process that is about to end."""
        self._stopped.set()

    def run(self, now: datetime, *, most_s: float = MOST_S) -> Dropped:
        """Drops what is too old, oldest first, for `most_s` seconds at most."""
        until_s = self._clock.monotonic_s() + most_s
        received_before, happened_before = now - self._sightings_kept, now - self._evidence_kept
        letters = self._database.write(lambda records: records.dead_letters.drop_before(received_before))
        research = self._database.write(lambda records: records.research.drop_before(happened_before))
        now_ms, before_ms = to_ms(now), to_ms(received_before)
        last = self._all_looked_at
        look_at_all = last is None or not now - _ALL_EVERY < last <= now

        def some_sightings(records: Records, after_seq: int) -> Piece:
            return records.retention.drop_sightings(
                before_ms,
                now_ms=now_ms,
                after_seq=after_seq,
                limit=_SIGHTINGS_PIECE,
                all_of_them=look_at_all,
            )

        def some_evidence(records: Records, after_seq: int) -> Piece:
            piece = records.retention.drop_evidence(
                to_ms(happened_before), now_ms=now_ms, after_seq=after_seq, limit=_EVIDENCE_PIECE
            )
            if piece.dropped:
                since = max(happened_before, evidence_kept_since(records) or happened_before)
                records.catalog.keep_setting(_KEPT_SINCE, str(to_ms(since)))
            return piece

        sightings, all_sightings = self._drop(some_sightings, until_s, rest=_SIGHTINGS_REST)
        if look_at_all and all_sightings:
            self._all_looked_at = now
        evidence, all_evidence = self._drop(some_evidence, until_s, rest=_EVIDENCE_REST)
        return Dropped(sightings, evidence, letters, all_sightings and all_evidence, research)

    def _drop(self, some: Callable[..., Piece], until_s: float, *, rest: int) -> tuple[int, bool]:
        """How many rows were dropped, and whether these were all."""
        dropped, piece = 0, Piece(0, 0, more=True)
        began_s = self._clock.monotonic_s()
        while piece.more and began_s < until_s and not self._stopped.is_set():
            piece = self._database.write(partial(some, after_seq=piece.last_seq))
            dropped += piece.dropped
            if piece.more:
                self._stopped.wait(rest * (self._clock.monotonic_s() - began_s))
            began_s = self._clock.monotonic_s()
        return dropped, not piece.more


def evidence_kept_since(records: Records) -> datetime | None:
    """From when on evidence is complete; None where none was ever dropped.

    A stay that began before it, or that evidence of before it shapes, cannot be folded again: it stays as it is.
    """
    kept = records.catalog.setting(_KEPT_SINCE)
    return None if kept is None else from_ms(int(kept))
