"""Which time does a command mean? Whole local days, those of a store named or else of the first one; an instant."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from m2s.core.base.instants import FIRST_YEAR, LAST_YEAR, parse_rfc3339

if TYPE_CHECKING:
    from m2s.core.places.store import Store

DAY = ["%Y-%m-%d"]


def in_reach(day: datetime | None) -> datetime | None:
    """Refuses a day so far off that its local time or the next day may not exist."""
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise typer.BadParameter(f"{day.date()} is out of range; years {FIRST_YEAR} to {LAST_YEAR}")
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


def instant(text: str) -> datetime:
    """The instant that `--at` names."""
    try:
        found = parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not a time with an offset, such as 2026-11-02T09:30:00+01:00", param_hint="--at"
        ) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise typer.BadParameter(
            f"{text!r} is out of range; years {FIRST_YEAR} to {LAST_YEAR}", param_hint="--at"
        )
    return found
