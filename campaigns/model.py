"""What can a campaign say? The offer model as plain values; reading it from YAML and judging it live elsewhere.

What is left out of a file has the default of the field. Counts and windows are rolling elapsed time. Limits of one
shopper (`per_shopper`) count sends and ghosts; budget, stock and store pace count sends only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from campaigns.area import Area
from campaigns.audience import EVERYBODY, Audience


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
    @property
    def latitude(self) -> float: ...
    @property
    def longitude(self) -> float: ...


@dataclass(frozen=True, slots=True)
class StoreSelector:
    """Which stores take part: all of them, or those that any given list names or whose point is in the area."""

    all: bool = False
    ids: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    area: Area | None = None

    def matches(self, store: Selectable) -> bool:
        """Whether a store takes part."""
        return (
            self.all
            or store.id in self.ids
            or bool(self.tags & store.tags)
            or store.brand in self.brands
            or (self.area is not None and self.area.holds(store.latitude, store.longitude))
        )


PREMISES = "premises"
"""The zone that is the store itself; every other one lies around it or is a part of it."""


@dataclass(frozen=True, slots=True)
class Near:
    """Fires when a shopper enters an approach zone (`{near: vicinity}`)."""

    zone: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Fires when a shopper enters a zone of the store, usually `premises`."""

    zone: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Fires when a shopper leaves a zone that she was inside of."""

    zone: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """Fires when two fixes in succession lie outside a zone and the way between them leads through it."""

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


@dataclass(frozen=True, slots=True)
class AfterVisit:
    """Comes due `delay` after a counted visit to a store of the campaign ended; the offer is for that store."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class AfterRedemption:
    """Comes due `delay` after a coupon of this campaign was redeemed; the offer is for the store of the redemption.

    Its holdout is an experiment of its own, named `campaign/offer`.
    """

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Research:
    """Fires when a shopper who looked up one of `topics` within the last `within` comes into a zone of a store.

    Also when she looks it up while she is there. Research about one store counts for that store only.
    """

    topics: frozenset[str]
    within: timedelta


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""How days are written, from 0 (Monday) on."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A wall-clock moment of a week; weekdays are 0 (Monday) to 6, minutes count from local midnight."""

    weekdays: frozenset[int]
    minute_of_day: int


@dataclass(frozen=True, slots=True)
class Cron:
    """Wall-clock moments as five fields of cron: minute, hour, day of month, month, day of week."""

    text: str


@dataclass(frozen=True, slots=True)
class RRule:
    """Wall-clock moments as an RFC 5545 recurrence rule, without `RRULE:`, counted from the local `start` on."""

    text: str
    start: datetime


Moment = datetime | Weekly | Cron | RRule
"""When a scheduled send is due: one instant (aware), or wall-clock moments that come again."""


@dataclass(frozen=True, slots=True)
class AudienceNear:
    """Shoppers with evidence within `seen_within` at any store whose point is within `within_m` of the target."""

    within_m: float
    seen_within: timedelta


@dataclass(frozen=True, slots=True)
class At:
    """A scheduled send: one instant or wall-clock moments that come again, to an audience near each store."""

    moment: Moment
    audience_near: AudienceNear


Trigger = Near | Enter | Exit | Dwell | BeaconSeen | Crossing | AfterVisit | AfterRedemption | Research | At


@dataclass(frozen=True, slots=True)
class Hours:
    """A half-open span of local time in minutes after midnight; `until` may pass 1440 (past midnight)."""

    since: int
    until: int


class Holidays(StrEnum):
    """What an offer does on public holidays of the store's place."""

    ANY = "any"
    SKIP = "skip"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class When:
    """When an offer may be made, in the campaign's or the store's local time.

    `open` asks for a store that is open for `closing_buffer` more; `open_on_arrival` for one that is open so long
    after the shopper can be there, by her distance and speed, also where it is still closed now.
    """

    days: frozenset[int] = frozenset(range(7))
    hours: tuple[Hours, ...] = ()
    open: bool = False
    closing_buffer: timedelta = timedelta(0)
    holidays: Holidays = Holidays.ANY
    open_on_arrival: bool = False


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """What a coupon is worth and until when; `expires` is a duration after issue, or the store's closing.

    `stock` is how many coupons of the offer may ever be issued, at all stores together.
    """

    value: Money
    min_basket: Money | None
    expires: timedelta | None
    expires_at_closing: bool = False
    stock: int | None = None


Localized = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one channel by language; only push has a title."""

    body: Localized
    title: Localized | None = None


class Transliterate(StrEnum):
    """How an SMS is spelt so that it needs fewer parts: as written, with plain signs, or without rare accents too."""

    OFF = "off"
    SMART = "smart"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Offer:
    """One proposal of a campaign. `since` and `until` are whole local days within the campaign's, `until` included.

    `per_shopper` holds for one shopper and this offer, `store_pace` for the sends of this offer at one store.
    """

    id: str
    trigger: Trigger
    channels: tuple[Channel, ...]
    message: Mapping[Channel, Texts]
    priority: int = 50
    when: When = When()
    fresh: timedelta = timedelta(minutes=5)
    per_shopper: Rate | None = None
    valid_for: timedelta = timedelta(minutes=45)
    coupon: CouponTerms | None = None
    since: date | None = None
    until: date | None = None
    audience: Audience = EVERYBODY
    store_pace: Rate | None = None
    transliterate: Transliterate = Transliterate.OFF


@dataclass(frozen=True, slots=True)
class Budget:
    """What a campaign may use up over its life, of all offers together: sends, what they cost, coupons issued."""

    messages: int | None = None
    cost: Money | None = None
    coupons: int | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """One YAML file. `since` and `until` are whole local days, `until` included; `timezone` None means the store's.

    `tags` are words by which the house limits pressure; a decision keeps those that held when it was made.
    """

    id: str
    name: str
    since: date | None
    until: date | None
    timezone: str | None
    stores: StoreSelector
    holdout: float
    attribution_window: timedelta
    offers: tuple[Offer, ...]
    budget: Budget = Budget()
    tags: frozenset[str] = frozenset()


DEFAULT_HOLDOUT = 0.10
"""Share of shoppers held out when a campaign does not say (design: a control group by default)."""
