"""Which days are public holidays at a place? Countries, their regions, and overseas departments of France."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays

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


def has_calendar(country: str) -> bool:
    """Whether the public holidays of a country (ISO, two letters) are known."""
    return country in _known()


def public_holidays(country: str, subdivision: str | None, *, tz: str, year: int) -> Mapping[date, str]:
    """The public holidays of a year with their English names; none where the country has no calendar.

    `subdivision` is an ISO 3166-2 code with or without its country, or a French department; one that is not
    known counts as none. `tz` tells the overseas parts of France, where no subdivision is given.
    """
    if not has_calendar(country):
        return {}
    return _holidays(country, _part(country, subdivision, tz=tz), year)


def holiday(day: date, country: str, *, subdivision: str | None, tz: str) -> str | None:
    """The name of the public holiday that a local day is at a place, or None."""
    return public_holidays(country, subdivision, tz=tz, year=day.year).get(day)


def _part(country: str, subdivision: str | None, *, tz: str) -> str | None:
    """The subdivision as the holidays package knows it."""
    part = (subdivision or "").removeprefix(f"{country}-")
    if country == "FR":
        part = _UNIT_OF_DEPARTMENT.get(part, part) or _TERRITORY_OF_ZONE.get(tz, "")
    return part if part in _known()[country] else None


@lru_cache(maxsize=1)
def _known() -> Mapping[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=True)


@lru_cache(maxsize=1024)
def _holidays(country: str, part: str | None, year: int) -> Mapping[date, str]:
    # Names in a fixed language: without one the package follows the environment of the process.
    return dict(holidays.country_holidays(country, subdiv=part, years=year, language="en_US"))
