"""May a claimed message leave now? The second look, inside the claim: valid, wanted, lawful, within pressure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import structlog

from campaigns.decision import deferred_until, recheck
from campaigns.facts import Candidate, Occasion, Policy, ShopperFacts, StoreFacts
from campaigns.model import At, Channel, Offer
from m2s.app.catalog import Catalog
from m2s.app.channel import Address, ChannelAdapter, Divided
from m2s.app.facts import People, load_shoppers, store_facts
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, DeviceRow, MessageRow, ShopperRow
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import MOST_LOST

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed message that may leave, with where it goes; `provider` carries it where its channel has several."""

    message: MessageRow
    address: Address
    coupon: CouponRow | None
    provider: str = ""

    @property
    def lane(self) -> tuple[str, str]:
        """The channel and the provider that it leaves by."""
        return self.message.channel, self.provider


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
    channels: Mapping[str, ChannelAdapter]


def clear(
    records: Records, messages: Sequence[MessageRow], *, rules: Rules, now: datetime
) -> list[tuple[MessageRow, Parcel | Verdict]]:
    """For each claimed message what to send, or what becomes of it instead.

    A message that cannot be judged is a dead letter, so that it does not hold the others back; the log says why.
    """
    shopper_ids = {message.shopper_id for message in messages}
    history = max((rate.window for rate in rules.policy.pressure), default=timedelta(0))
    shoppers = records.devices.shoppers(shopper_ids)
    devices = records.devices.devices_of(shopper_ids)
    people = People(shoppers, devices)
    facts = load_shoppers(records, shopper_ids, now=now, inside={}, history=history, people=people)
    offers = _Offers(rules.catalog, now)
    coupons = records.coupons.coupons_of(message.decision_id for message in messages)
    divided = {name: adapter for name, adapter in rules.channels.items() if isinstance(adapter, Divided)}
    cleared: list[tuple[MessageRow, Parcel | Verdict]] = []
    for message in messages:
        try:
            held = _held(message, facts.get(message.shopper_id), rules=rules, offers=offers)
        except Exception as error:
            _log.error("delivery.unjudged", message_id=message.id, error=repr(error))
            held = Verdict(State.DEAD_LETTER, "error")
        if held is not None:
            cleared.append((message, ended(message, held)))
            continue
        address = address_of(message, shoppers[message.shopper_id], devices.get(message.shopper_id, []))
        adapter = divided.get(message.channel)
        provider = "" if adapter is None else adapter.provider_of(address)
        cleared.append((message, Parcel(message, address, coupons.get(message.decision_id), provider)))
    return cleared


def ended(message: MessageRow, verdict: Verdict) -> Verdict:
    """What becomes of a message that does not leave any more: of one that may have left before, nobody knows."""
    if message.doubted and verdict.state in (State.CANCELLED, State.EXPIRED):
        return replace(verdict, state=State.UNKNOWN_FINAL)
    return verdict


def _held(
    message: MessageRow, shopper: ShopperFacts | None, *, rules: Rules, offers: "_Offers"
) -> Verdict | None:
    """What keeps a message from leaving now; None when nothing does."""
    now = offers.now
    if now >= message.valid_until:
        return Verdict(State.EXPIRED, "valid_until")
    if message.lost >= MOST_LOST:
        return Verdict(State.DEAD_LETTER, "lost")
    if message.is_answer:
        reachable = shopper.reachable if shopper is not None else frozenset()
        can_leave = message.channel in rules.channels and message.channel in reachable
        return None if can_leave else Verdict(State.CANCELLED, "channel")
    candidate = offers.of(message)
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
        later = deferred_until(
            candidate, shopper, now=now, policy=rules.policy, valid_until=message.valid_until
        )
        if later is not None:
            return Verdict(State.PLANNED, failed.name, later)
    return Verdict(State.CANCELLED, failed.name)


class _Offers:
    """The offers of messages as they are at an instant; what many messages share is looked up once."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self.now = now
        self._catalog = catalog
        self._offers: dict[tuple[str, str, str], Offer | None] = {}
        self._stores: dict[str, StoreFacts] = {}

    def of(self, message: MessageRow) -> Candidate | None:
        """The message's offer by its channel; None when it is paused, stopped or gone."""
        campaign = self._catalog.campaigns.get(message.campaign_id)
        store = self._catalog.stores.get(message.store_id)
        offer = self._offer(message)
        if campaign is None or campaign.paused or store is None or offer is None:
            return None
        if store.id not in self._stores:
            self._stores[store.id] = store_facts(store, self.now)
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
            store=self._stores[store.id],
        )

    def _offer(self, message: MessageRow) -> Offer | None:
        name = message.campaign_id, message.offer_id, message.channel
        if name not in self._offers:
            campaign = self._catalog.campaigns.get(message.campaign_id)
            offers = campaign.campaign.offers if campaign else ()
            found = next((offer for offer in offers if offer.id == message.offer_id), None)
            self._offers[name] = found and replace(found, channels=(Channel(message.channel),))
        return self._offers[name]


def _without(shopper: ShopperFacts, message: MessageRow) -> ShopperFacts:
    """The shopper's past but for the decision that made this message."""
    own = (message.created_at, message.campaign_id, message.offer_id)
    past = list(shopper.past)
    for offered in shopper.past:
        if (offered.at, offered.campaign_id, offered.offer_id) == own:
            past.remove(offered)
            break
    return msgspec.structs.replace(shopper, past=tuple(past))


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
        push_token_at=device.push_token_at if device else None,
    )
