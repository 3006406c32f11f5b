"""May a marketing message reach somebody now, by the law of her own place? Windows and local holidays."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from campaigns.model import WEEKDAYS
from campaigns.schedule import local_text, utc_of


@dataclass(frozen=True, slots=True)
class Profile:
    """A sending window: weekdays (0 is Monday), local hours [opens, closes), never on a public holiday.

    `home` is the country whose holidays hold where those of the recipient's country are not known.
    """

    name: str
    weekdays: frozenset[int]
    opens: time
    closes: time
    home: str


@dataclass(frozen=True, slots=True)
class LawVerdict:
    """Whether a message may go; `local` is the recipient's time, `rule` the window or what forbids it."""

    allowed: bool
    local: str
    rule: str


# The window that fits the practice of every French SMS operator found.
FR_STRICT = Profile("fr-strict", frozenset(range(6)), opens=time(8, 30), closes=time(20), home="FR")
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (FR_STRICT,)}

# Haut-Rhin and Bas-Rhin are one unit in the holidays package; like Moselle (57) they keep two more days.
_UNIT_OF_DEPARTMENT = {"67": "6AE", "68": "6AE"}
# Overseas stores are often tagged FR and nothing more; their time zone tells which local days hold.
_TERRITORY_OF_ZONE = {
    "America/Guadeloupe": "971",
    "America/Martinique": "972",
    "America/Cayenne": "973",
    "Indian/Reunion": "974",
    "Indian/Mayotte": "976",
    "America/St_Barthelemy": "BL",
    "America/Marigot": "MF",
    "America/Miquelon": "PM",
    "Pacific/Noumea": "NC",
    "Pacific/Tahiti": "PF",
    "Pacific/Marquesas": "PF",
    "Pacific/Gambier": "PF",
    "Pacific/Wallis": "WF",
}
# No calendar closes a window for longer; it bounds the search for the next opening.
_LONGEST_CLOSURE_DAYS = 31


def allowed(
    profile: str, instant: datetime, *, tz: str, country: str, subdivision: str | None = None
) -> LawVerdict:
    """Whether a message may go at `instant` to somebody who lives by `tz` in `country` (ISO, two letters).

    `subdivision` is an ISO 3166-2 code with or without its country, or a French department. Raises ValueError
    for a profile that does not exist.
    """
    law = _profile(profile)
    local = instant.astimezone(ZoneInfo(tz))
    shut = _closed_day(law, local.date(), tz=tz, country=country, subdivision=subdivision)
    is_open = shut is None and law.opens <= local.time() < law.closes
    window = f"{_days_text(law)} {law.opens:%H:%M}-{law.closes:%H:%M}, no public holiday"
    return LawVerdict(is_open, local_text(instant, tz), f"{law.name}: {shut or window}")


def next_opening(
    profile: str, instant: datetime, *, tz: str, country: str, subdivision: str | None = None
) -> datetime:
    """The first instant at or after `instant` at which a message may go; arguments as for `allowed`."""
    if allowed(profile, instant, tz=tz, country=country, subdivision=subdivision).allowed:
        return instant
    law = _profile(profile)
    today = instant.astimezone(ZoneInfo(tz)).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_LONGEST_CLOSURE_DAYS)):
        if _closed_day(law, day, tz=tz, country=country, subdivision=subdivision) is None:
            opening = utc_of(datetime.combine(day, law.opens), tz)
            if opening >= instant:
                return opening
    raise ValueError(
        f"{profile} has no opening within {_LONGEST_CLOSURE_DAYS} days of {instant} in {country}"
    )


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise ValueError(f"there is no send law {name!r}; there are: {', '.join(sorted(PROFILES))}")
    return PROFILES[name]


def _closed_day(law: Profile, day: date, *, tz: str, country: str, subdivision: str | None) -> str | None:
    """Why no message may go on a local day at all, or None."""
    if day.weekday() not in law.weekdays:
        return f"never on {WEEKDAYS[day.weekday()]}"
    where, part = _calendar(country, subdivision, tz=tz, home=law.home)
    holiday = _public_holidays(where, part, day.year).get(day)
    return f"never on public holidays ({holiday})" if holiday else None


@lru_cache(maxsize=1024)
def _calendar(country: str, subdivision: str | None, *, tz: str, home: str) -> tuple[str, str | None]:
    """The country and subdivision of the holidays package whose days hold there."""
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        return home, None
    part = (subdivision or "").removeprefix(f"{country}-")
    if country == "FR":
        part = _UNIT_OF_DEPARTMENT.get(part, part) or _TERRITORY_OF_ZONE.get(tz, "")
    return country, part if part in known[country] else None


@lru_cache(maxsize=1024)
def _public_holidays(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    # Names in a fixed language: without one the package follows the environment of the process.
    return dict(holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US"))


def _days_text(law: Profile) -> str:
    return f"{WEEKDAYS[min(law.weekdays)]}-{WEEKDAYS[max(law.weekdays)]}"
