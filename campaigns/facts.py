"""What must be known to decide? Plain values that the service gathers; deciding asks for nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from campaigns.model import Campaign, Channel, Offer, Rate


class Outcome(StrEnum):
    """The outcome of an occasion."""

    SEND = "send"
    GHOST = "ghost"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """One store at the moment of the decision.

    `is_open` and the closings are None where hours are not known. `closes_at` ends the opening that is on now;
    `last_closing_at` is the last closing of the store's day, None where it does not open any more that day.
    Where the store never closes both are None.
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


@dataclass(frozen=True, slots=True)
class Occasion:
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


@dataclass(frozen=True, slots=True)
class PastOffer:
    """One earlier `send` or `ghost` of the shopper; pressure and `per_shopper` count both alike."""

    at: datetime
    campaign_id: str
    offer_id: str


@dataclass(frozen=True, slots=True)
class ShopperFacts:
    """One shopper at the moment of the decision.

    `consents` holds the channels with a marketing consent in force; `location_consent` the consent to use
    positions for marketing; `reachable` the channels with an address. `inside_store_ids`
    are the stores whose premises the shopper is in now, `left_at` when the last counted visit of each ended.
    `arms` are arms recorded at an earlier first decision, by experiment name ("treatment" or "control").
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that an occasion could make at a store. `salt` is the campaign's published experiment salt."""

    campaign: Campaign
    offer: Offer
    offer_version: str
    salt: str
    paused: bool
    occasion: Occasion
    store: StoreFacts


@dataclass(frozen=True, slots=True)
class Policy:
    """House rules across campaigns; `default_law` names the send law where a country has none of its own."""

    pressure: tuple[Rate, ...]
    universal_holdout: float
    universal_salt: str
    default_law: str = "fr-strict"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's verdict: the value that it saw and the limit that it held it against; both JSON-able."""

    name: str
    passed: bool
    value: str | int | float | bool | None
    limit: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Decision:
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
