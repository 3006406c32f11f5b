"""A small world for tests of use cases: two bakeries, campaigns in force, a real database, a stepped clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from campaigns.coupon import make_code
from campaigns.facts import Policy, PressureRule
from campaigns.model import Rate
from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import driver
from m2s.adapters.storage.migrate import upgrade
from m2s.app.catalog import Catalog, build_catalog
from m2s.app.channel import Accepted, Address, SendResult
from m2s.app.inputs import PurchaseRow, ResearchRow
from m2s.app.ports import Records
from m2s.app.rows import (
    CampaignRow,
    ConsentRow,
    CouponRow,
    DecisionRow,
    DeviceRow,
    KeyRow,
    MessageRow,
    VisitRow,
)
from m2s.core.places.geojson import read_collection
from m2s.core.presence.evidence import Evidence, Kind
from tests.changed import replace

MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
"""Tuesday 2026-11-03, 10:00 in Paris."""

PORT, CHURCH, FAR = "port", "church", "far"
"""Two bakeries 1.1 km apart, and one 30 km away."""

_POINTS = {PORT: (48.85, 2.35), CHURCH: (48.86, 2.35), FAR: (49.12, 2.35)}

CAMPAIGN = """
campaign: morning
name: Mornings
stores: {all: true}
holdout: 0%
offers:
  - offer: warm
    trigger: {near: vicinity}
    channels: [push, sms, webhook]
    valid_for: 45m
    coupon: {value: 1.00 EUR, min_basket: 5.00 EUR, expires: 1d}
    message:
      push: {title: {en: "Warm"}, body: {en: "At {store_name}: {value} from {min_basket} until {expires}"}}
      sms: {en: "{store_name}: {value} from {min_basket} until {expires}. STOP {stop_number}"}
      webhook: {en: "{value} from {min_basket} until {expires}"}
  - offer: saturday
    trigger: {at: "sat 10:00", audience_near: {within: 3km, seen_within: 30d}}
    channels: [push]
    valid_for: 4h
    message:
      push: {body: {en: "Saturday at {store_name}"}}
  - offer: sunday
    trigger: {at: "sun 12:00", audience_near: {within: 3km, seen_within: 30d}}
    channels: [push]
    valid_for: 2d
    message:
      push: {body: {en: "A good week at {store_name}"}}
"""


def catalog_of(*, timezones: dict[str, str] | None = None, state: str = "active") -> Catalog:
    """The bakeries, and the campaign in the given state."""
    zones = timezones or {}
    features = [
        {
            "type": "Feature",
            "id": store_id,
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
            "properties": {
                "name": f"Bakery {store_id}",
                "timezone": zones.get(store_id, "Europe/Paris"),
                "country": "FR",
            },
        }
        for store_id, (latitude, longitude) in _POINTS.items()
    ]
    row = CampaignRow("morning", "1", state, "salt", CAMPAIGN, MORNING)
    return build_catalog(1, read_collection({"type": "FeatureCollection", "features": features}), [row])


@dataclass
class Phone:
    """A channel that keeps what it was given and answers as told; a function may also raise."""

    answer: Callable[[MessageRow], SendResult] = lambda message: Accepted(message.id)
    sent: list[MessageRow] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    coupons: list[CouponRow | None] = field(default_factory=list)

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        self.sent.append(message)
        self.addresses.append(address)
        self.coupons.append(coupon)
        return self.answer(message)


@dataclass
class World:
    """The parts of a service, and short ways to fill its tables."""

    path: Path
    database: SqlDatabase
    clock: SteppedClock
    ids: SeededIds
    policy: Policy
    catalog: Catalog

    def shopper(
        self,
        name: str,
        *,
        consents: Sequence[str] = ("push", "sms", "webhook"),
        phone: str | None = "+33612345678",
        push_token: str | None = "token",  # noqa: S107
        platform: str | None = "ios",
    ) -> str:
        """A shopper with one device, consents and a phone; her id is `shp_<name>`."""
        row = DeviceRow(
            id=f"dev_{name}",
            shopper_id=f"shp_{name}",
            platform=platform,
            push_token=push_token,
            language="en",
            timezone="Europe/Paris",
            os_permissions={},
            registered_at=self.clock.now(),
        )

        def work(records: Records) -> None:
            records.devices.add_device(row, token_hash=name.encode())
            if phone is not None:
                records.devices.set_phone(row.shopper_id, phone, country="FR")
            self._consent(records, row, [("location", None), *(("marketing", one) for one in consents)])

        self.database.write(work)
        return row.shopper_id

    def _consent(
        self,
        records: Records,
        row: DeviceRow,
        purposes: Sequence[tuple[str, str | None]],
        granted: bool = True,
    ) -> None:
        now = self.clock.now()
        rows = [ConsentRow(purpose, channel, granted, "v1", now) for purpose, channel in purposes]
        records.devices.add_consents(row, rows, received_at=now)

    def withdraw(self, name: str, channel: str) -> None:
        """Takes a shopper's consent for a channel back."""

        def work(records: Records) -> None:
            row = records.devices.device(f"dev_{name}")
            assert row is not None
            self._consent(records, row, [("marketing", channel)], granted=False)

        self.database.write(work)

    def seen(self, shopper_id: str, store_id: str, at: datetime) -> None:
        """Keeps evidence of a shopper in a store's premises."""
        one = Evidence(
            shopper_id=shopper_id,
            store_id=store_id,
            zone_id="premises",
            device_id="dev",
            sighting_id=self.ids.new("s"),
            kind=Kind.LOCATION,
            at_ms=int(at.timestamp() * 1000),
            inside_probability=1.0,
            boundary_distance_m=-5.0,
            accuracy_m=10.0,
        )
        self.database.write(lambda records: records.sightings.add_evidence([one], zone_version=1))

    def visited(
        self,
        shopper_id: str,
        store_id: str,
        end: datetime,
        *,
        lasting: timedelta = timedelta(minutes=10),
        kind: str = "visit",
    ) -> None:
        """Keeps a stay of a shopper that ended then."""
        row = VisitRow(
            id=self.ids.new("vis"),
            shopper_id=shopper_id,
            store_id=store_id,
            start_at=end - lasting,
            end_at=end,
            dwell_s=round(lasting.total_seconds()),
            kind=kind,
            confidence="high",
            status="closed",
            sources="location",
            replaces=None,
            rule_version="test",
        )
        self.database.write(lambda records: records.sightings.put_visits([row]))

    def bought(self, shopper_id: str, store_id: str, at: datetime, *, amount: str) -> None:
        """Keeps a basket of a shopper."""
        row = PurchaseRow(
            store_id=store_id,
            purchase_id=self.ids.new("pur"),
            shopper_id=shopper_id,
            at=at,
            amount=amount,
            discount="0.00",
            currency="EUR",
            basket_id=None,
            coupon_code=None,
            source="test",
            received_at=at,
        )
        self.database.write(lambda records: records.purchases.add([row]))

    def researched(self, shopper_id: str, topic: str, at: datetime, *, store_id: str | None = None) -> None:
        """Keeps that a shopper looked something up."""
        row = ResearchRow("test", self.ids.new("res"), shopper_id, topic, store_id, None, at, at)
        self.database.write(lambda records: records.research.add([row]))

    def decided(
        self,
        shopper_id: str,
        *,
        channel: str = "push",
        offer_id: str = "warm",
        store_id: str = PORT,
        valid_for: timedelta = timedelta(minutes=45),
        coupon_for: timedelta | None = timedelta(days=1),
        fallbacks: str | None = None,
    ) -> MessageRow:
        """Keeps a send as a decision leaves it: its row, a planned message and, unless None, a coupon."""
        now = self.clock.now()
        decision = DecisionRow(
            id=self.ids.new("dec"),
            occasion_key=self.ids.new("occ"),
            campaign_id="morning",
            offer_id=offer_id,
            offer_version="1",
            shopper_id=shopper_id,
            device_id=None,
            store_id=store_id,
            trigger="near",
            outcome="send",
            reason=None,
            channel=channel,
            trace=[],
            at=now,
            decided_at=now,
            valid_until=now + valid_for,
        )
        message = MessageRow(
            id=self.ids.new("msg"),
            decision_id=decision.id,
            shopper_id=shopper_id,
            device_id=None,
            campaign_id="morning",
            offer_id=offer_id,
            store_id=store_id,
            channel=channel,
            title="Warm",
            body="Still warm",
            state="planned",
            reason=None,
            not_before=now,
            valid_until=now + valid_for,
            created_at=now,
            tries=0,
            fence=0,
            fallbacks=fallbacks,
        )

        def work(records: Records) -> None:
            records.decisions.add([decision])
            records.messages.add([message])
            if coupon_for is not None:
                records.coupons.issue([self._coupon(decision, coupon_for)])

        self.database.write(work)
        return message

    def settled(self, messages: Sequence[MessageRow], state: str) -> None:
        """Puts messages straight into a state."""
        with closing(driver().connect(self.path)) as connection, connection:
            connection.executemany(
                "UPDATE messages SET state = ? WHERE id = ?", [(state, row.id) for row in messages]
            )

    def _coupon(self, decision: DecisionRow, good_for: timedelta) -> CouponRow:
        return CouponRow(
            code=make_code(self.ids.secret(16)),
            decision_id=decision.id,
            shopper_id=decision.shopper_id,
            campaign_id=decision.campaign_id,
            offer_id=decision.offer_id,
            store_id=decision.store_id,
            value="1.00",
            min_basket="5.00",
            currency="EUR",
            issued_at=decision.decided_at,
            expires_at=decision.decided_at + good_for,
            state="issued",
            redemption_id=None,
        )

    def coupon_of(self, message: MessageRow) -> CouponRow:
        """The coupon that came with a message."""
        with self.database.read() as records:
            return records.coupons.coupons_of([message.decision_id])[message.decision_id]

    def messages_of(self, shopper_id: str) -> list[MessageRow]:
        """A shopper's messages, whatever became of them."""
        with self.database.read() as records:
            return records.messages.of_shopper(shopper_id, datetime(2000, 1, 1, tzinfo=UTC))

    def message(self, message: MessageRow) -> MessageRow:
        """A message as it is kept now."""
        return next(row for row in self.messages_of(message.shopper_id) if row.id == message.id)

    def decisions_of(self, shopper_id: str) -> list[DecisionRow]:
        """A shopper's decisions, newest first."""
        with self.database.read() as records:
            return records.decisions.find(
                shopper_id=shopper_id, offer_id=None, since=None, until=None, limit=100
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a plain SQL query finds."""
        with closing(driver().connect(self.path)) as connection:
            return list(connection.execute(query))

    def till(self, store_id: str | None = PORT, key_id: str = "key_till") -> KeyRow:
        """A till's key."""
        return KeyRow(key_id, "till", store_id, self.clock.now(), None)


def open_world(folder: Path, *, now: datetime = MORNING) -> World:
    """A world on a new database; the caller closes it."""
    path = folder / "m2s.sqlite3"
    url = f"sqlite:///{path}"
    upgrade(url)
    clock = SteppedClock(now)
    policy = Policy(
        pressure=(PressureRule(Rate(1, timedelta(days=1))), PressureRule(Rate(2, timedelta(days=7)))),
        universal_holdout=0.0,
        universal_salt="universal",
    )
    return World(path, SqlDatabase(url), clock, SeededIds(clock, seed=1), policy, catalog_of())


def paused(world: World) -> World:
    """The same world with its campaign paused."""
    return replace(world, catalog=catalog_of(state="paused"))
