"""What happened before that an audience can ask for? Plain values of one shopper that the service gathers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class PastVisit:
    """A counted visit."""

    store_id: str
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class PastPurchase:
    """A basket: what was paid for it, in a currency (ISO 4217 letters)."""

    store_id: str
    at: datetime
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class PastRedemption:
    """A coupon's validated use that was not voided."""

    store_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PastResearch:
    """Something that was looked up; `store_id` None where it was about no store."""

    topic: str
    store_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of a shopper, as far back as any live audience looks.

    `existing` says that she is on the retailer's own base; `home_region` names her country and subdivision
    (`FR`, `FR-75`) and is empty where they are not known.
    """

    visits: tuple[PastVisit, ...] = ()
    purchases: tuple[PastPurchase, ...] = ()
    redemptions: tuple[PastRedemption, ...] = ()
    research: tuple[PastResearch, ...] = ()
    existing: bool = False
    home_region: frozenset[str] = frozenset()


NO_HISTORY = History()
FAVOURITE_WITHIN = timedelta(days=180)
REGULAR_WITHIN = timedelta(days=28)
REGULAR_DAYS = 3
HOME_WITHIN = timedelta(days=90)
_EVENING_HOURS = frozenset({*range(19, 24), *range(6)})
_HOME_DAYS = 3


def is_evening(local: datetime) -> bool:
    """Whether people are at home rather than out, by the clock on their wall: from 19:00 to 6:00."""
    return local.hour in _EVENING_HOURS


def home_region(evenings: Iterable[tuple[date, str, str | None]]) -> frozenset[str]:
    """Where a shopper was on most evenings, of (local day, country, subdivision of the store she was seen at).

    Empty with fewer than three evenings there; of equals the first by name.
    """
    days: dict[tuple[str, str], set[date]] = {}
    for day, country, subdivision in evenings:
        days.setdefault((country, subdivision or ""), set()).add(day)
    if not days:
        return frozenset()
    country, subdivision = min(days, key=lambda region: (-len(days[region]), region))
    if len(days[country, subdivision]) < _HOME_DAYS:
        return frozenset()
    return frozenset(
        {country, f"{country}-{subdivision.removeprefix(country + '-')}"} if subdivision else {country}
    )
