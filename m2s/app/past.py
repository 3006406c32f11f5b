"""What happened before, by shopper? The rows that audiences are judged by, and what storage must do to give them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from campaigns.history import PastPurchase, PastRedemption, PastResearch


@dataclass(frozen=True, slots=True)
class PastStay:
    """A stay of any kind; `counted` says that it is a visit."""

    store_id: str
    start_at: datetime
    end_at: datetime
    counted: bool


@dataclass(frozen=True, slots=True)
class Past:
    """A visit that ended, or a redemption of a coupon of a campaign, at an instant."""

    id: str
    shopper_id: str
    store_id: str
    at: datetime
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The last evidence of a shopper at one store: never where, only how sure it is that it was inside."""

    store_id: str
    zone_id: str
    kind: str
    at: datetime
    inside_probability: float


class HistoryRecords(Protocol):
    """What happened before, by shopper; who has nothing is absent."""

    def last_seen(self, shopper_id: str, since: datetime, until: datetime) -> list[LastSeen]:
        """The last evidence at each zone that happened in [since, until], newest first."""
        ...

    def visits_ended(self, since: datetime, until: datetime) -> list[Past]:
        """Counted visits that are closed and ended in (since, until]."""
        ...

    def redeemed(self, since: datetime, until: datetime) -> list[Past]:
        """Redemptions that were not voided, in (since, until]."""
        ...

    def stays(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastStay]]:
        """Stays of any kind that ended since."""
        ...

    def purchases(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastPurchase]]: ...

    def redemptions(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastRedemption]]: ...

    def research(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastResearch]]: ...


@dataclass(frozen=True, slots=True)
class OptOuts:
    """How many messages of a campaign left, and how many of them were answered by an opt-out."""

    delivered: int
    opted_out: int


class OptOutRecords(Protocol):
    """Which campaigns made shoppers opt out?"""

    def by_campaign(self, since: Mapping[str, datetime], *, answered_within: timedelta) -> dict[str, OptOuts]:
        """Of each campaign since its own instant; those of which nothing left are absent."""
        ...


def resumed_key(campaign_id: str) -> str:
    """The name of the setting that tells when a campaign was last resumed."""
    return f"resumed_at:{campaign_id}"
