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
