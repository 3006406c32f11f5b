"""May a marketing message reach somebody now, by the law of her own place? Windows and local holidays."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from campaigns import calendars
from campaigns.laws import Profile, profile, window_text
from campaigns.model import WEEKDAYS
from campaigns.schedule import local_text, utc_of


class LawVerdict(msgspec.Struct, frozen=True, gc=False):
    """Whether a message may go; `local` is the recipient's time, `rule` the window or what forbids it."""

    allowed: bool
    local: str
    rule: str


# No calendar closes a window for longer; it bounds the search for the next opening.
_LONGEST_CLOSURE_DAYS = 31


def allowed(
    law: str, instant: datetime, *, tz: str, country: str, subdivision: str | None = None
) -> LawVerdict:
    """Whether a message may go at `instant` to somebody who lives by `tz` in `country` (ISO, two letters).

    `law` names a profile; `subdivision` is an ISO 3166-2 code with or without its country, or a French
    department. Raises ValueError for a profile that does not exist.
    """
    rules = profile(law)
    local = instant.astimezone(ZoneInfo(tz))
    shut = _closed_day(rules, local.date(), tz=tz, country=country, subdivision=subdivision)
    is_open = shut is None and any(opens <= local.time() < closes for opens, closes in rules.hours)
    return LawVerdict(is_open, local_text(instant, tz), f"{rules.name}: {shut or window_text(rules.name)}")


def next_opening(
    law: str, instant: datetime, *, tz: str, country: str, subdivision: str | None = None
) -> datetime:
    """The first instant at or after `instant` at which a message may go; arguments as for `allowed`."""
    if allowed(law, instant, tz=tz, country=country, subdivision=subdivision).allowed:
        return instant
    rules = profile(law)
    today = instant.astimezone(ZoneInfo(tz)).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_LONGEST_CLOSURE_DAYS)):
        if _closed_day(rules, day, tz=tz, country=country, subdivision=subdivision) is None:
            openings = (utc_of(datetime.combine(day, opens), tz) for opens, _ in rules.hours)
            opening = next((opening for opening in openings if opening >= instant), None)
            if opening is not None:
                return opening
    raise ValueError(f"{law} has no opening within {_LONGEST_CLOSURE_DAYS} days of {instant} in {country}")


def _closed_day(rules: Profile, day: date, *, tz: str, country: str, subdivision: str | None) -> str | None:
    """Why no message may go on a local day at all, or None."""
    if day.weekday() not in rules.weekdays:
        return f"never on {WEEKDAYS[day.weekday()]}"
    if rules.on_holidays:
        return None
    known = calendars.has_calendar(country)
    where, part = (country, subdivision) if known else (rules.home, None)
    name = calendars.holiday(day, where, subdivision=part, tz=tz if known else "")
    return f"never on public holidays ({name})" if name else None
