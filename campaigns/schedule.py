"""When is a wall-clock rule due? Moments, dates, days and hours in a time zone, right on both DST nights."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from campaigns.model import WEEKDAYS, Campaign, Hours, Moment, Offer, When
from campaigns.walltimes import wall_times

MINUTES_A_DAY = 24 * 60
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One due time (UTC) of a moment; `key`, its nominal local date and time, is the same every time."""

    due: datetime
    key: str


def utc_of(wall: datetime, tz: str) -> datetime:
    """The instant (UTC) at which clocks in `tz` first show the naive `wall` time or later.

    A wall time that a zone skips gives the first instant after the gap; one that it repeats gives the first.
    """
    zone = ZoneInfo(tz)
    before = wall.replace(tzinfo=zone, fold=0).utcoffset() or timedelta(0)
    after = wall.replace(tzinfo=zone, fold=1).utcoffset() or timedelta(0)
    # Only inside a gap is the offset of the second reading (fold=1) the larger one (PEP 495).
    if before >= after:
        return (wall - before).replace(tzinfo=UTC)
    early, late = (wall - after).replace(tzinfo=UTC), (wall - before).replace(tzinfo=UTC)
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def occurrences(moment: Moment, tz: str, *, start: datetime, end: datetime) -> list[Occurrence]:
    """The due times of a moment in (start, end], in order; an instant has at most one."""
    if isinstance(moment, datetime):
        key = f"{moment.astimezone(ZoneInfo(tz)):%Y-%m-%dT%H:%M}"
        found = {moment.astimezone(UTC): key}
    else:
        # A gap can carry a time into the next day, so a day more is looked at on either side.
        first, last = (edge.astimezone(ZoneInfo(tz)).replace(tzinfo=None) for edge in (start, end))
        found = {}
        for wall in wall_times(moment, first=first - _DAY, last=last + _DAY):
            # Of several times inside one gap, the first names the instant after it.
            found.setdefault(utc_of(wall, tz), f"{wall:%Y-%m-%dT%H:%M}")
    return [Occurrence(due, key) for due, key in found.items() if start < due <= end]


def within(when: When, tz: str, *, instant: datetime) -> bool:
    """Whether clocks in `tz` show these days and hours; a span past midnight belongs to the day it starts."""
    local = instant.astimezone(ZoneInfo(tz))
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    if not when.hours:
        return today in when.days
    minute = local.hour * 60 + local.minute
    return any(
        (today in when.days and span.since <= minute < span.until)
        or (yesterday in when.days and span.since <= minute + MINUTES_A_DAY < span.until)
        for span in when.hours
    )


def on_dates(dated: Campaign | Offer, tz: str, *, instant: datetime) -> bool:
    """Whether the local day in `tz` is within the whole days of a campaign or offer, `until` included."""
    day = instant.astimezone(ZoneInfo(tz)).date()
    return (dated.since or date.min) <= day <= (dated.until or date.max)


@lru_cache(maxsize=1_024)
def local_text(instant: datetime, tz: str) -> str:
    """An instant as people there read it, e.g. `tue 2026-11-03 09:00 Europe/Paris`."""
    local = instant.astimezone(ZoneInfo(tz))
    return f"{WEEKDAYS[local.weekday()]} {local.replace(tzinfo=None).isoformat(' ', 'minutes')} {tz}"


def when_text(when: When) -> str:
    """Days and hours in words close to the YAML, e.g. `mon, tue 08:30-10:30`."""
    every = len(when.days) == len(WEEKDAYS)
    days = "every day" if every else ", ".join(WEEKDAYS[day] for day in sorted(when.days))
    return " ".join([days, *(_hours_text(span) for span in when.hours)])


def dates_text(dated: Campaign | Offer) -> str:
    """The days of a campaign or offer in words, e.g. `from 2026-11-01 until 2026-11-30`."""
    since = f"from {dated.since}" if dated.since else ""
    until = f"until {dated.until}" if dated.until else ""
    return " ".join(part for part in (since, until) if part) or "any date"


def _hours_text(span: Hours) -> str:
    return "-".join(f"{minute // 60 % 24:02d}:{minute % 60:02d}" for minute in (span.since, span.until))
