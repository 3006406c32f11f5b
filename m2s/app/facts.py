"""What does deciding need to know of a shopper and a store? Gathered in a few reads for a whole group at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.facts import ShopperFacts, StoreFacts
from campaigns.model import Channel
from m2s.app.known import Known
from m2s.app.rows import DeviceRow, ShopperRow
from m2s.core.places.hours import hours_of
from m2s.core.places.store import Store

_LEFT_LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class People:
    """Shoppers by id, and the devices of each."""

    shoppers: Mapping[str, ShopperRow]
    devices: Mapping[str, Sequence[DeviceRow]]


def load_shoppers(
    records: Known,
    shopper_ids: Iterable[str],
    *,
    now: datetime,
    inside: Mapping[str, frozenset[str]],
    history: timedelta,
    people: People | None = None,
) -> dict[str, ShopperFacts]:
    """Facts by shopper id; `people` are the shoppers where the caller has read them.

    `inside` names the stores whose premises a shopper is in now; `history` is the longest window that pressure
    or a per-shopper limit looks back over.
    """
    wanted = sorted(set(shopper_ids))
    if people is None:
        people = People(records.devices.shoppers(wanted), records.devices.devices_of(wanted))
    shoppers, devices = people.shoppers, people.devices
    consents = records.devices.consents(wanted)
    granted = {
        shopper_id: {(row.purpose, row.channel) for row in consents.get(shopper_id, ()) if row.granted}
        for shopper_id in wanted
    }
    past = records.decisions.past(wanted, now - history)
    arms = records.decisions.arms(wanted)
    left = records.sightings.last_visits(wanted, now - _LEFT_LATELY)
    return {
        shopper.id: ShopperFacts(
            shopper_id=shopper.id,
            language=_latest(devices.get(shopper.id, []), "language"),
            timezone=_latest(devices.get(shopper.id, []), "timezone"),
            country=shopper.country,
            location_consent=("location", None) in granted[shopper.id],
            consents=frozenset(
                [channel for channel in Channel if ("marketing", channel) in granted[shopper.id]]
            ),
            reachable=_reachable(shopper, devices.get(shopper.id, [])),
            past=tuple(past.get(shopper.id, ())),
            inside_store_ids=inside.get(shopper.id, frozenset()),
            left_at=left.get(shopper.id, {}),
            arms=arms.get(shopper.id, {}),
        )
        for shopper in shoppers.values()
    }


def store_facts(store: Store, now: datetime) -> StoreFacts:
    """A store as deciding sees it at an instant."""
    hours = hours_of(store.opening_hours, store.timezone, store.country, subdivision=store.subdivision)
    is_open = hours.is_open(now)
    opens_at = None if is_open else hours.opens_at(now)
    return StoreFacts(
        store_id=store.id,
        name=store.name,
        brand=store.brand,
        address=store.address,
        phone=store.phone,
        timezone=store.timezone,
        country=store.country,
        subdivision=store.subdivision,
        is_open=is_open,
        closes_at=hours.closes_at(now),
        last_closing_at=hours.last_closing_of_day(now),
        opens_at=opens_at,
        then_closes_at=None if opens_at is None else hours.closes_at(opens_at),
    )


def _latest(devices: Sequence[DeviceRow], field: str) -> str | None:
    return next((value for device in devices if (value := getattr(device, field)) is not None), None)


def _reachable(shopper: ShopperRow, devices: Sequence[DeviceRow]) -> frozenset[Channel]:
    reachable = {Channel.WEBHOOK}
    if any(device.push_token for device in devices):
        reachable.add(Channel.PUSH)
    if shopper.phone:
        reachable.add(Channel.SMS)
    return frozenset(reachable)
