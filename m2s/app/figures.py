"""What do figures start from? Counts and narrow rows of a span of time, as a protocol that storage fulfils."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from m2s.app.rows import VisitRow


@dataclass(frozen=True, slots=True)
class CountRow:
    """How `many` of one thing there were for one offer at one store, in the span or quarter that begins at `at`.

    `what` is the outcome of a decision, `exposure` or `redemption`; `reason` is that of the decision. Local
    midnights of every time zone lie between two quarters of an hour.
    """

    what: str
    reason: str | None
    store_id: str
    campaign_id: str
    offer_id: str
    at: datetime
    many: int


@dataclass(frozen=True, slots=True)
class OfferedRow:
    """One send or ghost of a campaign; `reason` says which holdout made the ghost."""

    shopper_id: str
    store_id: str
    outcome: str
    reason: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class HeardRow:
    """How many `phones` heard a beacon of a store on a day (its number since 1970), the last at `last_ms`.

    `beacon` is `major/minor`. They are counted by `strength_db`: a phone's mean that day, over the measured power.
    """

    store_id: str
    beacon: str
    day: int
    strength_db: int | None
    phones: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class PresentRow:
    """How many phones were surely in a store on a day: heard a beacon of it, or knew themselves inside."""

    store_id: str
    day: int
    phones: int


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A beacon heard by a phone that knew in the same minute where it was; one of a quarter of an hour.

    It was then within `within_m` of the position: by its accuracy, and as far as it may have gone in between.
    """

    uuid: str
    major: int
    minor: int
    device_id: str
    at_ms: int
    latitude: float
    longitude: float
    within_m: float


class ReportRecords(Protocol):
    """Read-only rows for figures; a span is half-open, and what is None does not narrow."""

    def visits(
        self,
        since: datetime,
        until: datetime,
        *,
        store_id: str | None = None,
        kinds: Collection[str] | None = None,
    ) -> list[VisitRow]:
        """Stays that start in the span, oldest first."""
        ...

    def counts(
        self,
        since: datetime,
        until: datetime,
        *,
        store_id: str | None = None,
        campaign_id: str | None = None,
        by_quarter: bool = False,
    ) -> list[CountRow]:
        """Decisions by outcome and reason, messages that a channel accepted, and redemptions not taken back.

        Each of these over the whole span, or by the quarter of an hour.
        """
        ...

    def offered(self, campaign_id: str) -> list[OfferedRow]:
        """Every send and ghost of a campaign ever, oldest first."""
        ...

    def heard(self, since_ms: int, until_ms: int, *, store_id: str | None = None) -> list[HeardRow]:
        """Who heard which beacon, by day and strength; mock locations do not count."""
        ...

    def present(self, since_ms: int, until_ms: int, *, store_id: str | None = None) -> list[PresentRow]:
        """How many phones were at which store, by day; mock locations do not count."""
        ...

    def placed(self, since_ms: int, until_ms: int, *, accuracy_m: float) -> list[PlacedRow]:
        """Where beacons were heard, as far as positions are kept and at least so accurate."""
        ...
