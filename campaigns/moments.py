"""How are days, hours, instants and time zones written in a campaign file, and what do they mean?

Every function takes one value's text and returns its meaning, or raises `BadValueError` with the right form.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from re import compile as pattern
from zoneinfo import available_timezones

from campaigns.model import Hours, Weekly
from campaigns.problems import shown, suggestion
from campaigns.values import BadValueError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Years in which a campaign can run; far enough from the ends of the calendar for any local time."""

_DATE = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_HOURS = pattern(r"([0-9]{2}):([0-9]{2}) ?- ?([0-9]{2}):([0-9]{2})")
_CLOCK = pattern(r"([0-9]{2}):([0-9]{2})")


def local_date(text: str) -> date:
    """A day such as 2026-11-01."""
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise BadValueError(f"{shown(text)} is not a day", "year-month-day, as in 2026-11-30")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadValueError(
            f"{shown(text)} is out of range", f"years {FIRST_YEAR} to {LAST_YEAR}", code="out_of_range"
        )
    return day


def moment(text: str) -> datetime | Weekly:
    """A weekly wall-clock time such as `sat 10:00`, or an RFC 3339 instant with its offset."""
    return instant(text) if text[:4].isdigit() else weekly(text)


def instant(text: str) -> datetime:
    """An RFC 3339 instant with its offset; in UTC."""
    hint = "a time with its offset, as in 2026-11-07T10:00:00+01:00, or a weekday and a time, as in sat 10:00"
    try:
        at = datetime.fromisoformat(text.upper()) if _INSTANT.fullmatch(text) else None
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
        near = next((short for short in WEEKDAYS if text.lower().startswith(short)), None)
        hint = "mon tue wed thu fri sat sun, or a span such as mon-sat"
        hint = f"did you mean {near}? {hint}" if near else hint
        raise BadValueError(f"{shown(text)} is not a weekday", hint)
    first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
    return frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))


def hours(text: str) -> Hours:
    """A span of local time such as 08:30-10:30; an end at or before the start is on the next day."""
    found = _HOURS.fullmatch(text)
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
    known = _timezones()
    if text not in known:
        hint = suggestion(text, known) or "store, or an IANA name such as Europe/Paris"
        raise BadValueError(f"{shown(text)} is not a time zone", hint, code="unknown_timezone")
    return text


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}
