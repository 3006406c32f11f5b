"""What is kept, row by row? Plain values that storage reads and writes; SQL rows never leave the storage room."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec


class DeviceRow(msgspec.Struct, frozen=True, gc=False):
    """One app installation; `clock_offset_ms` is how far its clock was found ahead of ours, None when unknown.

    `push_token_at` is when it last registered its push token; kept when that is written.
    """

    id: str
    shopper_id: str
    platform: str | None
    push_token: str | None
    language: str | None
    timezone: str | None
    os_permissions: Mapping[str, str]
    registered_at: datetime
    clock_offset_ms: int | None = None
    push_token_at: datetime | None = None


class ShopperRow(msgspec.Struct, frozen=True, gc=False):
    """One person; `phone` is E.164."""

    id: str
    phone: str | None
    country: str | None


class ConsentRow(msgspec.Struct, frozen=True, gc=False):
    """One consent statement: purpose `marketing` (per channel) or `location` (channel None)."""

    purpose: str
    channel: str | None
    granted: bool
    text_version: str
    at: datetime


class KeyRow(msgspec.Struct, frozen=True, gc=False):
    """One API key; its secret is known only by its SHA-256."""

    id: str
    role: str
    store_id: str | None
    created_at: datetime
    revoked_at: datetime | None


class CampaignRow(msgspec.Struct, frozen=True, gc=False):
    """One applied campaign; `state` is `active`, `paused` or `stopped`."""

    id: str
    version: str
    state: str
    salt: str
    yaml: str
    applied_at: datetime


class VisitRow(msgspec.Struct, frozen=True, gc=False):
    """One stay at a store as the rule `rule_version` sees it; `kind` says whether it counts (`visit`)."""

    id: str
    shopper_id: str
    store_id: str
    start_at: datetime
    end_at: datetime
    dwell_s: int
    kind: str
    confidence: str
    status: str
    sources: str
    replaces: str | None
    rule_version: str


class RegularRow(msgspec.Struct, frozen=True, gc=False):
    """A span [since, until) in which a shopper is at a store as `staff` or `resident`, and no visit of hers counts."""

    shopper_id: str
    store_id: str
    reason: str
    since: datetime
    until: datetime


class DecisionRow(msgspec.Struct, frozen=True, gc=False):
    """One decision as it is kept; `trace` is the list of checks as JSON-able mappings.

    `tags` are those of the campaign then, as a JSON list; None where it had none.
    """

    id: str
    occasion_key: str
    campaign_id: str
    offer_id: str
    offer_version: str
    shopper_id: str
    device_id: str | None
    store_id: str
    trigger: str
    outcome: str
    reason: str | None
    channel: str | None
    trace: Sequence[Mapping[str, Any]]
    at: datetime
    decided_at: datetime
    valid_until: datetime
    tags: str | None = None


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """One message of the outbox; `m2s.core.delivery.message.State` has its states.

    `tries` counts its calls that failed while the provider was well, `lost` how often a worker was lost while it was
    sending the message; `doubted` says that it may have been sent by such a call. `fallbacks` are its words by the
    offer's later channels (see `m2s/app/fallback.py`), as JSON. An answer to what a shopper asked by SMS has no
    campaign, no offer, and its own id for a decision.
    """

    id: str
    decision_id: str
    shopper_id: str
    device_id: str | None
    campaign_id: str
    offer_id: str
    store_id: str
    channel: str
    title: str | None
    body: str
    state: str
    reason: str | None
    not_before: datetime
    valid_until: datetime
    created_at: datetime
    tries: int
    fence: int
    lost: int = 0
    doubted: bool = False
    fallbacks: str | None = None

    @property
    def is_answer(self) -> bool:
        """Whether it answers what the shopper asked: then neither consent nor pressure nor hours hold it back."""
        return not self.campaign_id


class CouponRow(msgspec.Struct, frozen=True, gc=False):
    """One issued coupon; amounts are decimal text in `currency`; `state` is `issued` or `redeemed`."""

    code: str
    decision_id: str
    shopper_id: str
    campaign_id: str
    offer_id: str
    store_id: str
    value: str
    min_basket: str | None
    currency: str
    issued_at: datetime
    expires_at: datetime
    state: str
    redemption_id: str | None


class RedemptionRow(msgspec.Struct, frozen=True, gc=False):
    """One validated use of a coupon at a till."""

    id: str
    code: str
    shopper_id: str
    campaign_id: str
    offer_id: str
    store_id: str
    key_id: str
    basket_id: str | None
    amount: str | None
    currency: str | None
    at: datetime
    voided_at: datetime | None


class AnswerRow(msgspec.Struct, frozen=True, gc=False):
    """A first answer that the same Idempotency-Key replays."""

    body_hash: bytes
    status: int
    answer: str


class DeadLetterRow(msgspec.Struct, frozen=True, gc=False):
    """What could not be processed: a `sighting` or a `message` as JSON in `body`, with what its request said of time.

    `cause` is what went wrong at the last of its `tries`, which was at `at`. A message's is without its coupon's code.
    """

    id: str
    kind: str
    device_id: str
    received_at_ms: int
    sent_at_ms: int | None
    body: str
    cause: str
    tries: int
    at: datetime
