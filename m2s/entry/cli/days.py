"""Which days does a command mean? Whole local days, those of a store named or else of the first one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from m2s.core.places.store import Store

DAY = ["%Y-%m-%d"]
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def in_reach(day: datetime | None) -> datetime | None:
    """Refuses a day so far off that its local time or the next day may not exist."""
    if day is not None and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise typer.BadParameter(f"{day.date()} is out of range; years {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def check_order(first: datetime | None, last: datetime | None) -> None:
    """Refuses a span that ends before it begins."""
    if first is not None and last is not None and last < first:
        raise typer.BadParameter(f"{last:%Y-%m-%d} is before --from {first:%Y-%m-%d}", param_hint="--to")


def zone_of(stores: "Mapping[str, Store]", store_id: str | None = None) -> ZoneInfo:
    """Whose days are meant."""
    chosen = store_id or min(stores, default=None)
    return ZoneInfo(stores[chosen].timezone if chosen else "UTC")


def began(first: datetime, zone: ZoneInfo) -> datetime:
    """When a day begins there."""
    return first.replace(tzinfo=zone)


def ended(last: datetime, zone: ZoneInfo) -> datetime:
    """When a day is over there."""
    return (last + timedelta(days=1)).replace(tzinfo=zone)
