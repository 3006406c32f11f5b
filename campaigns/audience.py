"""To whom may an offer be made? Facts about a shopper and what a campaign file may ask of them, as plain values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

TOPICS = ("availability", "opening_hours", "address", "product")
"""What can be looked up online."""


class Fact(StrEnum):
    """What is known of a shopper and can be asked for, each a number or a word.

    `visits`, `purchases`, `redemptions` and `researched` are counts. `bought` is the sum of the baskets, `dwell` the
    length of the longest visit in seconds, `last_visit` the seconds since the last visit ended. `distance` is in
    metres from the shopper to the store. `favourite_store` is 1 at the store that she visited most often in the
    last 180 days, `regular` is 1 at a store to which she came on at least 3 of the last 28 days within an hour of
    this time of day; else both are 0. `customers` is `new` or `existing` (on the retailer's own base), `languages`
    the language of her phone, `home_region` where she is most often from 19:00 to 6:00, as country or country and
    subdivision (`FR`, `FR-75`).
    """

    VISITS = "visits"
    PURCHASES = "purchases"
    REDEMPTIONS = "redemptions"
    RESEARCHED = "researched"
    BOUGHT = "bought"
    DWELL = "dwell"
    LAST_VISIT = "last_visit"
    DISTANCE = "distance"
    FAVOURITE_STORE = "favourite_store"
    REGULAR = "regular"
    CUSTOMERS = "customers"
    LANGUAGES = "languages"
    HOME_REGION = "home_region"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One thing asked of a shopper: that a fact lies from `at_least` to `at_most`, or is one of the words `among`.

    The bounds belong to it; None is no bound. `within` looks at what happened so long before the decision, None at
    all that is kept. `here` counts only what happened at the store of the offer. Of numbers, `among` says what is
    counted: the topics of `researched`, the currency of `bought`. A fact that is not known (no last visit, no
    language, no distance) fails.
    """

    fact: Fact
    at_least: float | None = None
    at_most: float | None = None
    within: timedelta | None = None
    among: frozenset[str] = frozenset()
    here: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A named group of shoppers: those for whom all its predicates hold."""

    name: str
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Audience:
    """To whom an offer may be made: all predicates hold, one of `segments` does, none of `not_segments` does.

    `not_inside` None leaves the default: approach zones ask for a shopper who is outside and did not just leave,
    other triggers do not. True asks for it whatever the trigger, False never.
    """

    predicates: tuple[Predicate, ...] = ()
    segments: tuple[Segment, ...] = ()
    not_segments: tuple[Segment, ...] = ()
    not_inside: bool | None = None


EVERYBODY = Audience()
"""Whom an offer addresses that names nobody."""
