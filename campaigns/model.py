"""What can a campaign say? The offer model as plain values; reading it from YAML and judging it live elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """What the shopper gets; the service's configuration says which adapter carries it."""

    PUSH = "push"
    SMS = "sms"
    WEBHOOK = "webhook"


class Proximity(StrEnum):
    """How near a beacon must be: each value includes the nearer ones."""

    IMMEDIATE = "immediate"
    NEAR = "near"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency (ISO 4217 letters)."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any sliding window of `window` (rolling elapsed time)."""

    count: int
    window: timedelta


class Selectable(Protocol):
    """What a campaign can choose a store by."""

    @property
    def id(self) -> str: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def brand(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class StoreSelector:
    """Which stores take part: all of them, or those that any given list names."""

    all: bool = False
    ids: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()

    def matches(self, store: Selectable) -> bool:
        """Whether a store takes part."""
        return self.all or store.id in self.ids or bool(self.tags & store.tags) or store.brand in self.brands


@dataclass(frozen=True, slots=True)
class Near:
    """Fires when a shopper enters an approach zone (`{near: vicinity}`)."""

    zone: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Fires when a shopper enters a zone of the store, usually `premises`."""

    zone: str


@dataclass(frozen=True, slots=True)
class Dwell:
    """Fires once per presence when a shopper has stayed in a zone for `duration`."""

    zone: str
    duration: timedelta


@dataclass(frozen=True, slots=True)
class BeaconSeen:
    """Fires once per presence when the beacons of a place are heard at `proximity` for `duration`."""

    place: str
    proximity: Proximity
    duration: timedelta


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""How days are written, from 0 (Monday) on."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A wall-clock moment of a week; weekdays are 0 (Monday) to 6, minutes count from local midnight."""

    weekdays: frozenset[int]
    minute_of_day: int


@dataclass(frozen=True, slots=True)
class AudienceNear:
    """Shoppers with evidence within `seen_within` at any store whose point is within `within_m` of the target."""

    within_m: float
    seen_within: timedelta


@dataclass(frozen=True, slots=True)
class At:
    """A scheduled send: one instant (aware) or a weekly wall-clock moment, to an audience near each store."""

    moment: datetime | Weekly
    audience_near: AudienceNear


Trigger = Near | Enter | Dwell | BeaconSeen | At


@dataclass(frozen=True, slots=True)
class Hours:
    """A half-open span of local time in minutes after midnight; `until` may pass 1440 (past midnight)."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class When:
    """When an offer may be made, in the campaign's or the store's local time."""

    days: frozenset[int] = frozenset(range(7))
    hours: tuple[Hours, ...] = ()
    open: bool = False
    closing_buffer: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """What a coupon is worth and until when; `expires` is a duration after issue, or the store's closing."""

    value: Money
    min_basket: Money | None
    expires: timedelta | None
    expires_at_closing: bool = False


Localized = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one channel by language; only push has a title."""

    body: Localized
    title: Localized | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One proposal of a campaign."""

    id: str
    trigger: Trigger
    channels: tuple[Channel, ...]
    message: Mapping[Channel, Texts]
    priority: int = 50
    when: When = When()
    fresh: timedelta = timedelta(minutes=5)
    consent: bool = True
    per_shopper: Rate | None = None
    valid_for: timedelta = timedelta(minutes=45)
    coupon: CouponTerms | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """One YAML file. `since` and `until` are whole local days, `until` included; `timezone` None means the store's."""

    id: str
    name: str
    since: date | None
    until: date | None
    timezone: str | None
    stores: StoreSelector
    holdout: float
    attribution_window: timedelta
    offers: tuple[Offer, ...]


DEFAULT_HOLDOUT = 0.10
"""Share of shoppers held out when a campaign does not say (design: a control group by default)."""
