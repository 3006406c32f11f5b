"""What must storage do so that a house stays tidy? Ticks, retention, regulars and dead letters, as protocols."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from m2s.app.rows import DeadLetterRow, RegularRow


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of one piece of a ledger: rows dropped, the last row looked at, and whether more may be due."""

    dropped: int
    last_seq: int
    more: bool


class JobRecords(Protocol):
    """Claims on heartbeat ticks."""

    def claim_tick(self, job: str, due: datetime, at: datetime) -> bool:
        """True for the first to claim this tick."""
        ...

    def forget_ticks(self, before: datetime) -> None: ...


class RetentionRecords(Protocol):
    """Drops what is too old, a piece of the ledger at a time."""

    def drop_sightings(
        self, before_ms: int, *, now_ms: int, after_seq: int, limit: int, all_of_them: bool = False
    ) -> Piece:
        """Drops, among the next `limit` sightings after `after_seq`, those received before an instant.

        There may be more where the last was old, or to the end where `all_of_them` are to be looked at.
        """
        ...

    def drop_evidence(self, before_ms: int, *, now_ms: int, after_seq: int, limit: int) -> Piece:
        """Drops, among the next `limit` rows of evidence after `after_seq`, those of before an instant."""
        ...


class RegularRecords(Protocol):
    """When shoppers were staff or residents; a pair is a shopper's id and a store's."""

    def pairs_after(self, after_seq: int, *, zone_id: str, limit: int) -> tuple[set[tuple[str, str]], int]:
        """Whose evidence of zones with this id is among the next `limit` rows after `after_seq`, and the last row.

        Where the last row is gone, rows may be numbered anew: then everything is new.
        """
        ...

    def of(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[RegularRow]]:
        """The spans of each pair that has any, by reason and time."""
        ...

    def between(self, since: datetime, until: datetime, *, store_id: str | None = None) -> list[RegularRow]:
        """The spans that have an instant in [since, until)."""
        ...

    def replace(self, rows: Mapping[tuple[str, str], Sequence[RegularRow]]) -> None:
        """Puts rows in the place of all that are kept of each pair."""
        ...


class DeadLetterRecords(Protocol):
    """What could not be processed, kept to be looked at and tried again."""

    def keep(self, row: DeadLetterRow, *, most: int) -> None:
        """Adds a letter, or counts one more try of the same; beyond `most` the oldest go."""
        ...

    def all(self) -> Sequence[DeadLetterRow]:
        """Every letter, oldest first."""
        ...

    def get(self, letter_id: str) -> DeadLetterRow | None: ...

    def drop(self, letter_id: str) -> bool:
        """False when there is no such letter."""
        ...

    def drop_before(self, before: datetime) -> int:
        """Drops letters received before an instant; returns how many."""
        ...
