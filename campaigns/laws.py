"""Which rules hold for marketing messages, by country? One table: a new law is one entry in `PROFILES`.

A profile says when a message may go, and what an SMS needs. Nothing here is legal advice: each entry names its
sources, and the default is the strictest practice found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import time
from functools import cache

from campaigns.model import WEEKDAYS

Span = tuple[time, time]
"""Local hours from the first time until before the second."""

_MONDAY_TO_FRIDAY, _MONDAY_TO_SATURDAY, _EVERY_DAY = (frozenset(range(days)) for days in (5, 6, 7))
_FRANCE = frozenset({"FR", "GP", "MQ", "GF", "RE", "YT", "BL", "MF", "PM", "NC", "PF", "WF"})
_UNITED_STATES = frozenset({"US", "PR", "GU", "VI", "AS", "MP"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A sending window by local weekday (0 is Monday) and hours, and the rules of an SMS.

    `on_holidays` allows public holidays; `home` is the country whose holidays hold where those of the recipient's
    country are not known. `countries` are those for which the profile is made. `named_senders`: an SMS may come
    from a name, which cannot be answered; `stop_prefix` begins the numbers to which it then says STOP, None where
    the law names none.
    """

    name: str
    weekdays: frozenset[int]
    hours: tuple[Span, ...]
    on_holidays: bool
    countries: frozenset[str]
    sources: tuple[str, ...]
    home: str = "FR"
    named_senders: bool = True
    stop_prefix: str | None = None


FR_STRICT = Profile(
    name="fr-strict",
    weekdays=_MONDAY_TO_SATURDAY,
    hours=((time(8, 30), time(20)),),
    on_holidays=False,
    countries=_FRANCE,
    sources=(
        "what French SMS operators were seen to let through: github.com/element-hq/element-web issue 7672",
        "developers.brevo.com/reference/sendtransacsms",
    ),
    stop_prefix="36",
)
_CHARTER = replace(
    FR_STRICT,
    name="fr-charte-2026",
    hours=((time(8), time(21, 30)),),
    sources=("af2m.org, charte business messaging 2026", "ecranmobile.fr a78664"),
)
_ALL = (
    FR_STRICT,
    _CHARTER,
    # The charter tolerates Sundays and holidays; whoever wants them has to say so.
    replace(_CHARTER, name="fr-charte-2026+sundays", weekdays=_EVERY_DAY),
    replace(_CHARTER, name="fr-charte-2026+holidays", on_holidays=True),
    replace(_CHARTER, name="fr-charte-2026+sundays+holidays", weekdays=_EVERY_DAY, on_holidays=True),
    replace(
        FR_STRICT,
        name="fr-router-legacy",
        hours=((time(8), time(22)),),
        sources=(
            "af2m.org, charter in force from 2024-09-01",
            "developers.brevo.com/reference/sendtransacsms",
        ),
    ),
    # The hours of marketing calls; kept because they are often taken for those of SMS.
    replace(
        FR_STRICT,
        name="fr-voice",
        weekdays=_MONDAY_TO_FRIDAY,
        hours=((time(10), time(13)), (time(14), time(20))),
        sources=("décret 2022-1313", "loi 2025-594 (opt-in for calls since 2026-08-11): cms.law"),
    ),
    Profile(
        name="us-tcpa",
        weekdays=_EVERY_DAY,
        hours=((time(8), time(21)),),
        on_holidays=True,
        countries=_UNITED_STATES,
        sources=(
            "hours, 47 CFR 64.1200(c)(1): twilio.com error 30610; natlawreview.com 2025-03-14",
            "revocation in any reasonable way: govinfo.gov FR 2024-04587",
        ),
        named_senders=False,
    ),
    Profile(
        name="uk-pecr",
        weekdays=_EVERY_DAY,
        hours=((time(8), time(21)),),
        on_holidays=True,
        countries=frozenset({"GB"}),
        sources=("custom of the trade; the PECR name no hours",),
    ),
    Profile(
        name="default",
        weekdays=_EVERY_DAY,
        hours=((time(8), time(20)),),
        on_holidays=True,
        countries=frozenset(),
        sources=("a vendor's default quiet hours: help.getvero.com, SMS quiet hours",),
    ),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in _ALL}


def profile(name: str) -> Profile:
    """The profile of that name. Raises ValueError for one that does not exist."""
    if name not in PROFILES:
        raise ValueError(f"there is no send law {name!r}; there are: {', '.join(sorted(PROFILES))}")
    return PROFILES[name]


@cache
def window_text(name: str) -> str:
    """A profile's window in words, e.g. `mon-sat 08:30-20:00, no public holiday`. Raises ValueError as `profile`."""
    law = profile(name)
    days = f"{WEEKDAYS[min(law.weekdays)]}-{WEEKDAYS[max(law.weekdays)]}"
    spans = ", ".join(f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in law.hours)
    return f"{days} {spans}" + ("" if law.on_holidays else ", no public holiday")


def law_of(country: str, *, default: str) -> Profile:
    """The profile of a country (ISO, two letters): `default` where it is made for it, else the country's own.

    `default` also where it has none. Raises ValueError for a default that does not exist.
    """
    chosen = profile(default)
    if country in chosen.countries:
        return chosen
    return next((law for law in PROFILES.values() if country in law.countries), chosen)
