"""What must be known to decide? Plain values that the service gathers; deciding asks for nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from campaigns.history import NO_HISTORY, History
from campaigns.model import Campaign, Channel, Money, Offer, Rate


class Outcome(StrEnum):
    """The outcome of an occasion."""

    SEND = "send"
    GHOST = "ghost"
    SUPPRESSED = "suppressed"


class StoreFacts(msgspec.Struct, frozen=True, gc=False):
    """One store at the moment of the decision.

    `is_open` and the closings are None where hours are not known. `closes_at` ends the opening that is on now;
    `last_closing_at` is the last closing of the store's day, None where it does not open any more that day.
    Where the store never closes both are None. `opens_at` is the next opening of a closed store, `then_closes_at`
    its end.
    """

    store_id: str
    name: str
    brand: str | None
    address: str | None
    phone: str | None
    timezone: str
    country: str
    subdivision: str | None
    is_open: bool | None
    closes_at: datetime | None
    last_closing_at: datetime | None
    opens_at: datetime | None = None
    then_closes_at: datetime | None = None


class Occasion(msgspec.Struct, frozen=True, gc=False):
    """One moment at which an offer could be made. `key` is stable: the same moment gives the same key.

    `at` is the event time of the evidence that fired the trigger, or the due time of a scheduled send;
    `scheduled` tells the two apart.
    """

    key: str
    shopper_id: str
    device_id: str | None
    trigger: str
    at: datetime
    scheduled: bool
    distance_m: float | None = None
    speed_mps: float | None = None


NO_TAGS: frozenset[str] = frozenset()


class PastOffer(msgspec.Struct, frozen=True, gc=False):
    """One earlier `send` or `ghost` of the shopper; pressure and `per_shopper` count both alike.

    `tags` are those that the campaign had then.
    """

    at: datetime
    campaign_id: str
    offer_id: str
    channel: Channel | None = None
    tags: frozenset[str] = NO_TAGS


class ShopperFacts(msgspec.Struct, frozen=True, gc=False):
    """One shopper at the moment of the decision.

    `consents` holds the channels with a marketing consent in force; `location_consent` the consent to use
    positions for marketing; `reachable` the channels with an address. `inside_store_ids`
    are the stores whose premises the shopper is in now, `left_at` when the last counted visit of each ended.
    `arms` are arms recorded at an earlier first decision, by experiment name ("treatment" or "control").
    `staff_at` are the stores whose staff the shopper is taken for; `history` is there where a live audience asks.
    """

    shopper_id: str
    language: str | None
    timezone: str | None
    country: str | None
    location_consent: bool
    consents: frozenset[Channel]
    reachable: frozenset[Channel]
    past: tuple[PastOffer, ...]
    inside_store_ids: frozenset[str]
    left_at: Mapping[str, datetime]
    arms: Mapping[str, str]
    staff_at: frozenset[str] = frozenset()
    history: History = NO_HISTORY


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What sends have used up so far; ghosts use up nothing.

    `messages`, `cost` and `coupons` are of the campaign, `stock` counts the coupons of the offer, `paced` the sends
    of the offer at the store within the window of its pace, `at_store` all sends of the campaign at the store.
    """

    messages: int = 0
    cost: Decimal = Decimal(0)
    coupons: int = 0
    stock: int = 0
    paced: int = 0
    at_store: int = 0


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An offer that an occasion could make at a store. `salt` is the campaign's published experiment salt.

    `waited_for` is the law's opening that a scheduled send had to wait for.
    """

    campaign: Campaign
    offer: Offer
    offer_version: str
    salt: str
    paused: bool
    occasion: Occasion
    store: StoreFacts
    spent: Spent = Spent()
    waited_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class PressureRule:
    """A rate of the house: of all messages, or of those by one channel, or of campaigns with one tag."""

    rate: Rate
    channel: Channel | None = None
    tag: str | None = None

    @property
    def window(self) -> timedelta:
        """How far back it looks."""
        return self.rate.window


@dataclass(frozen=True, slots=True)
class Policy:
    """House rules across campaigns; `default_law` names the send law at home and where a country has none of its own.

    `prices` are what a push, or a part of an SMS, costs.
    """

    pressure: tuple[PressureRule, ...]
    universal_holdout: float
    universal_salt: str
    default_law: str = "fr-strict"
    prices: Mapping[Channel, Money] = field(default_factory=dict)


class Case(msgspec.Struct, frozen=True, gc=False):
    """One candidate, one shopper, one instant and the house's policy: all that a rule may look at."""

    candidate: Candidate
    shopper: ShopperFacts
    now: datetime
    policy: Policy


class Check(msgspec.Struct, frozen=True, gc=False):
    """One rule's verdict: the value that it saw and the limit that it held it against; both JSON-able."""

    name: str
    passed: bool
    value: str | int | float | bool | None
    limit: str | int | float | bool | None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What was decided, and why. `reason` names the check that failed (None for a send).

    `channel` is the first channel of the offer that the shopper accepts; `arms` are the arms that this
    decision fixes, by experiment name; `valid_until` ends the life of the message.
    """

    candidate: Candidate
    outcome: Outcome
    reason: str | None
    channel: Channel | None
    language: str | None
    trace: tuple[Check, ...]
    arms: Mapping[str, str]
    decided_at: datetime
    valid_until: datetime
