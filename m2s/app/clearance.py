"""May a claimed message leave now? The second look, inside the claim: valid, wanted, lawful, within pressure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from campaigns.decision import deferred_until, recheck
from campaigns.facts import Candidate, Occasion, Policy, ShopperFacts
from campaigns.model import At, Channel
from m2s.app.catalog import Catalog
from m2s.app.channel import Address
from m2s.app.facts import load_shoppers, store_facts
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, DeviceRow, MessageRow, ShopperRow
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import MOST_LOST

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed message that may leave, with where it goes."""

    message: MessageRow
    address: Address
    coupon: CouponRow | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a message goes next, why, when it may be tried again, and how often it has failed; None: as before.

    `doubted` says that it may have been sent by the call that has ended.
    """

    state: State
    reason: str | None = None
    not_before: datetime | None = None
    tries: int | None = None
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What messages are held against: the offers in force, the house's policy, the channels that are configured."""

    catalog: Catalog
    policy: Policy
    channels: Collection[str]


def clear(
    records: Records, messages: Sequence[MessageRow], *, rules: Rules, now: datetime
) -> list[tuple[MessageRow, Parcel | Verdict]]:
    """For each claimed message what to send, or what becomes of it instead.

    A message that cannot be judged is a dead letter, so that it does not hold the others back; the log says why.
    """
    shopper_ids = {message.shopper_id for message in messages}
    history = max((rate.window for rate in rules.policy.pressure), default=timedelta(0))
    facts = load_shoppers(records, shopper_ids, now=now, inside={}, history=history)
    shoppers = records.devices.shoppers(shopper_ids)
    devices = records.devices.devices_of(shopper_ids)
    coupons = records.coupons.coupons_of(message.decision_id for message in messages)
    cleared: list[tuple[MessageRow, Parcel | Verdict]] = []
    for message in messages:
        try:
            held = _held(message, facts.get(message.shopper_id), rules=rules, now=now)
        except Exception as error:
            _log.error("delivery.unjudged", message_id=message.id, error=repr(error))
            held = Verdict(State.DEAD_LETTER, "error")
        if held is not None:
            cleared.append((message, ended(message, held)))
            continue
        address = address_of(message, shoppers[message.shopper_id], devices.get(message.shopper_id, []))
        cleared.append((message, Parcel(message, address, coupons.get(message.decision_id))))
    return cleared


def ended(message: MessageRow, verdict: Verdict) -> Verdict:
    """What becomes of a message that does not leave any more: of one that may have left before, nobody knows."""
    if message.doubted and verdict.state in (State.CANCELLED, State.EXPIRED):
        return replace(verdict, state=State.UNKNOWN_FINAL)
    return verdict


def _held(
    message: MessageRow, shopper: ShopperFacts | None, *, rules: Rules, now: datetime
) -> Verdict | None:
    """What keeps a message from leaving now; None when nothing does."""
    if now >= message.valid_until:
        return Verdict(State.EXPIRED, "valid_until")
    if message.lost >= MOST_LOST:
        return Verdict(State.DEAD_LETTER, "lost")
    if message.is_answer:
        reachable = shopper.reachable if shopper is not None else frozenset()
        can_leave = message.channel in rules.channels and message.channel in reachable
        return None if can_leave else Verdict(State.CANCELLED, "channel")
    candidate = _candidate(message, rules.catalog, now=now)
    if candidate is None:
        return Verdict(State.CANCELLED, "offer_active")
    if shopper is None or message.channel not in rules.channels:
        return Verdict(State.CANCELLED, "channel")
    failed = recheck(
        candidate,
        _without(shopper, message),
        now=now,
        policy=rules.policy,
        valid_until=message.valid_until,
        channel=Channel(message.channel),
    )
    if failed is None:
        return None
    if failed.name == "send_law":
        opening = deferred_until(candidate, shopper, now=now, policy=rules.policy)
        if opening is not None and opening < message.valid_until:
            return Verdict(State.PLANNED, failed.name, opening)
    return Verdict(State.CANCELLED, failed.name)


def _candidate(message: MessageRow, catalog: Catalog, *, now: datetime) -> Candidate | None:
    """The message's offer as it is today; None when it is paused, stopped or gone."""
    campaign = catalog.campaigns.get(message.campaign_id)
    store = catalog.stores.get(message.store_id)
    if campaign is None or campaign.paused or store is None:
        return None
    offer = next((offer for offer in campaign.campaign.offers if offer.id == message.offer_id), None)
    if offer is None:
        return None
    occasion = Occasion(
        key=message.id,
        shopper_id=message.shopper_id,
        device_id=message.device_id,
        trigger="message",
        at=message.created_at,
        scheduled=isinstance(offer.trigger, At),
    )
    return Candidate(
        campaign=campaign.campaign,
        offer=offer,
        offer_version=campaign.version,
        salt=campaign.salt,
        paused=campaign.paused,
        occasion=occasion,
        store=store_facts(store, now),
    )


def _without(shopper: ShopperFacts, message: MessageRow) -> ShopperFacts:
    """The shopper's past but for the decision that made this message."""
    own = (message.created_at, message.campaign_id, message.offer_id)
    past = list(shopper.past)
    for offered in shopper.past:
        if (offered.at, offered.campaign_id, offered.offer_id) == own:
            past.remove(offered)
            break
    return replace(shopper, past=tuple(past))


def address_of(message: MessageRow, shopper: ShopperRow, devices: Sequence[DeviceRow]) -> Address:
    """The device of the occasion where it can be reached, else the shopper's latest that can; and her phone."""
    reachable = [device for device in devices if device.push_token]
    own = [device for device in reachable if device.id == message.device_id]
    device = next(iter(own or reachable), None)
    return Address(
        device_id=device.id if device else message.device_id,
        push_token=device.push_token if device else None,
        platform=device.platform if device else None,
        phone=shopper.phone,
    )
