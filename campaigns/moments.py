"""How are days, hours, instants and time zones written in a campaign file, and what do they mean?

Every function takes one value's text and returns its meaning, or raises `BadValueError` with the right form.
"""

from calendar import month_name, monthrange
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from re import compile as pattern
from zoneinfo import available_timezones

from campaigns.model import WEEKDAYS, Hours, Weekly
from campaigns.problems import shown, suggestion
from campaigns.values import BadValueError

_WEEKDAY_NAMES = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
)
FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Years in which a campaign can run; far enough from the ends of the calendar for any local time."""

DATE_FORM = pattern(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_LOOSE_DATE = pattern(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_DAY_FIRST = pattern(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
INSTANT_FORM = pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
HOURS_FORM = pattern(r"([0-9]{2}):([0-9]{2}) ?- ?([0-9]{2}):([0-9]{2})")
_CLOCK = pattern(r"([0-9]{2}):([0-9]{2})")


def local_date(text: str) -> date:
    """A day such as 2026-11-01."""
    try:
        day = date.fromisoformat(text) if DATE_FORM.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise BadValueError(f"{shown(text)} is not a day", _date_hint(text))
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadValueError(
            f"{shown(text)} is out of range", f"years {FIRST_YEAR} to {LAST_YEAR}", code="out_of_range"
        )
    return day


def _date_hint(text: str) -> str:
    """What is wrong with a day, or which one was meant; `01/11/2026` is read day first."""
    found = _LOOSE_DATE.fullmatch(text)
    if found:
        year, month, day = (int(part) for part in found.groups())
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year = (int(part) for part in found.groups())
    else:
        return "year-month-day, as in 2026-11-30"
    with suppress(ValueError):
        return f"did you mean {date(year, month, day)}?"
    if 1 <= month <= 12 and year:
        return f"{month_name[month]} {year} has {monthrange(year, month)[1]} days"
    return "year-month-day, as in 2026-11-30; months are 01 to 12"


def moment(text: str) -> datetime | Weekly:
    """A weekly wall-clock time such as `sat 10:00`, or an RFC 3339 instant with its offset."""
    return instant(text) if text[:4].isdigit() else weekly(text)


def instant(text: str) -> datetime:
    """An RFC 3339 instant with its offset; in UTC."""
    hint = "a time with its offset, as in 2026-11-07T10:00:00+01:00, or a weekday and a time, as in sat 10:00"
    try:
        at = datetime.fromisoformat(text.upper()) if INSTANT_FORM.fullmatch(text) else None
        if at is not None and FIRST_YEAR < at.year < LAST_YEAR:
            return at.astimezone(UTC)
    except ValueError:
        pass
    raise BadValueError(f"{shown(text)} is not an instant", hint)


def weekly(text: str) -> Weekly:
    """One or more weekdays and a local time of day: `sat 10:00`, `mon-fri 11:30`, `mon,thu 09:00`."""
    head, _, tail = text.rpartition(" ")
    clock = _CLOCK.fullmatch(tail)
    if not clock or not head or int(clock[1]) > 23 or int(clock[2]) > 59:
        hint = 'a weekday and a time from 00:00 to 23:59, as in "sat 10:00"'
        raise BadValueError(f"{shown(text)} is not a weekly time", hint)
    found = frozenset[int]().union(*(weekdays(part.strip()) for part in head.split(",")))
    return Weekly(found, int(clock[1]) * 60 + int(clock[2]))


def weekdays(text: str) -> frozenset[int]:
    """One weekday or a span of them (`sat`, `mon-sat`, `fri-mon`); Monday is 0."""
    ends = text.split("-")
    if len(ends) > 2 or not all(end in WEEKDAYS for end in ends):
        near = "-".join(_near_weekday(end) or "" for end in ends)
        hint = "mon tue wed thu fri sat sun, or a span such as mon-sat"
        meant = len(ends) <= 2 and all(near.split("-"))
        raise BadValueError(
            f"{shown(text)} is not a weekday", f"did you mean {near}? {hint}" if meant else hint
        )
    first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


def _near_weekday(text: str) -> str | None:
    """The weekday whose English or French name begins with a word of at least three letters."""
    word = text.strip().lower()
    found = next((place for place, name in enumerate(_WEEKDAY_NAMES) if name.startswith(word)), None)
    return WEEKDAYS[found % 7] if found is not None and len(word) >= 3 else None


def hours(text: str) -> Hours:
    """A span of local time such as 08:30-10:30; an end at or before the start is on the next day."""
    found = HOURS_FORM.fullmatch(text)
    if not found:
        raise BadValueError(f"{shown(text)} is not a span of hours", 'from-until, as in "08:30-10:30"')
    since = int(found[1]) * 60 + int(found[2])
    until = int(found[3]) * 60 + int(found[4])
    if max(int(found[2]), int(found[4])) > 59 or since >= 1440 or until > 1440 or since == until:
        hint = "times from 00:00 to 24:00 that differ; 22:00-02:00 passes midnight"
        raise BadValueError(f"{shown(text)} is not a span of hours", hint, code="out_of_range")
    return Hours(since, until if until > since else until + 1440)


def timezone(text: str) -> str | None:
    """An IANA time zone, or None for `store`: each store's own."""
    if text == "store":
        return None
    known = timezones()
    if text not in known:
        hint = suggestion(text, known) or "store, or an IANA name such as Europe/Paris"
        raise BadValueError(f"{shown(text)} is not a time zone", hint, code="unknown_timezone")
    return text


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """The names of places and offsets in the zone database, without those that mean what this machine is set to."""
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}
