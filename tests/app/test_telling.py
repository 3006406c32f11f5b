"""Are endpoints told what happened, in the transaction in which it happened, and only what they asked for?"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from m2s.app.channel import Refused
from m2s.app.deliver import Deliver
from m2s.app.endpoints import NoticeRow
from m2s.app.ports import Database, Records
from m2s.app.redeem import Redeem
from m2s.app.telling import Event, tell
from m2s.app.webhooks import Webhooks
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.delivery.message import State
from m2s.core.delivery.outward import Outward
from tests.app.delivering import worker
from tests.app.town import HARBOUR, Town, fix
from tests.app.world import PORT, Phone, World

URL = "https://shop.example/m2s"


def endpoint(database: Database, ids: Ids, clock: Clock, *events: str, url: str = URL) -> str:
    webhooks = Webhooks(database, ids, clock=clock, outward=Outward())
    return webhooks.add(url, events or ["*"]).id


def notices(database: Database, webhook_id: str) -> list[NoticeRow]:
    """What waits for an endpoint, in the order of its ids."""
    with database.read() as records:
        found = records.webhooks.notices(webhook_id, state=None, before=None, limit=1_000)
    return [row for row, _ in found][::-1]


def told(database: Database, webhook_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Types and data of what waits for an endpoint."""
    bodies = [json.loads(row.body) for row in notices(database, webhook_id)]
    return [(body["type"], body["data"]) for body in bodies]


def of_town(town: Town, *events: str) -> str:
    town.furnish()
    return endpoint(town.engine.database, town.engine.publish._ids, town.clock, *events)


def kinds(town: Town, webhook_id: str) -> list[str]:
    return [kind for kind, _ in told(town.engine.database, webhook_id)]


@pytest.fixture
def hook(world: World) -> str:
    return endpoint(world.database, world.ids, world.clock)


def test_a_visit_is_told_when_it_starts_and_when_silence_ends_it(town: Town) -> None:
    hook = of_town(town, "visit.*")
    town.post(town.device("ann"), fix("p0", age_s=360), fix("p1"))
    assert kinds(town, hook) == ["visit.started"]
    town.wait(hours=2)
    (visit,) = town.visits()
    (_, started), (kind, ended) = told(town.engine.database, hook)
    assert kind == "visit.ended"
    assert started == {
        "visit_id": visit.id,
        "shopper_id": "shp_ann",
        "store_id": HARBOUR,
        "start": rfc3339(visit.start_at),
        "end": rfc3339(visit.end_at),
        "status": "open",
        "confidence": visit.confidence,
        "replaces": [],
    }
    assert ended == {**started, "status": "closed"}
    town.wait(hours=2)
    assert kinds(town, hook) == ["visit.started", "visit.ended"]


def test_a_visit_that_is_told_late_starts_and_ends_at_once(town: Town) -> None:
    hook = of_town(town)
    answer = town.post(town.device("ann"), fix("p0", age_s=20_000), fix("p1", age_s=19_500))
    assert sorted(kinds(town, hook)) == ["visit.ended", "visit.started"]
    assert [event["type"] for event in answer.events] == ["visit.started"]


def test_late_evidence_takes_a_visit_back_and_that_is_told(town: Town) -> None:
    hook = of_town(town, "visit.started", "visit.retracted")
    device = town.device("ann")
    town.post(device, fix("p0", age_s=7_200), fix("p1", age_s=6_800))
    town.wait(seconds=1)
    answer = town.post(device, fix("drove-by", "left", age_s=7_202))
    assert [event["type"] for event in answer.events] == kinds(town, hook)[1:] == ["visit.retracted"]


def test_two_endpoints_are_told_what_each_wants(town: Town) -> None:
    some = of_town(town, "visit.started")
    ids, clock = town.engine.publish._ids, town.clock
    none = endpoint(town.engine.database, ids, clock, "coupon.*", url="https://till.example/")
    every = endpoint(town.engine.database, ids, clock, "*", url="https://all.example/")
    town.post(town.device("ann"), fix("p0", age_s=360), fix("p1"))
    town.wait(hours=2)
    assert (kinds(town, some), kinds(town, none)) == (["visit.started"], [])
    assert kinds(town, every) == ["visit.started", "visit.ended"]
    first = [notices(town.engine.database, hook)[0].event_id for hook in (some, every)]
    assert first[0] == first[1], "one event has one id"


def test_where_nobody_wants_to_be_told_nothing_is_kept(town: Town) -> None:
    hook = of_town(town)
    town.engine.webhooks.change(hook, active=False)
    town.post(town.device("ann"), fix("p0", age_s=360), fix("p1"))
    town.wait(hours=2)
    assert town.count("visits") == 1
    assert town.count("webhook_notices") == 0


def test_what_is_rolled_back_is_not_told(world: World, hook: str) -> None:
    def work(records: Records) -> None:
        tell(records, [Event("visit.started", lambda: {"visit_id": "vis_1"})], at=world.clock.now())
        assert records.webhooks.due(hook, world.clock.now(), limit=10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.database.write(work)
    assert notices(world.database, hook) == []


def test_the_same_event_is_never_two(world: World, hook: str) -> None:
    event = Event("visit.started", lambda: {"visit_id": "vis_1"})
    for _ in range(2):
        world.database.write(lambda records: tell(records, [event], at=world.clock.now()))
    world.clock.advance(timedelta(milliseconds=1))
    world.database.write(lambda records: tell(records, [event], at=world.clock.now()))
    ids = [row.event_id for row in notices(world.database, hook)]
    assert len(ids) == 2
    assert ids == sorted(ids)


def test_a_redemption_is_told_once_and_so_is_taking_it_back(world: World, hook: str) -> None:
    redeem = Redeem(world.database, world.clock, ids=world.ids, catalog=lambda: world.catalog)
    code = world.coupon_of(world.decided(world.shopper("ann"))).code
    answers = [
        redeem.redeem(
            world.till(),
            code,
            store_id=PORT,
            basket_id="b-1",
            amount=Decimal("12.50"),
            currency="EUR",
            idempotency_key="once",
            body_hash=b"body",
        )
        for _ in range(2)
    ]
    world.clock.advance(timedelta(minutes=1))
    for _ in range(2):
        redeem.void(world.till(), answers[0]["redemption_id"])
    (first, redeemed), (second, voided) = told(world.database, hook)
    assert (first, second) == ("coupon.redeemed", "coupon.voided")
    assert redeemed["code"] == code
    assert (redeemed["shopper_id"], redeemed["amount"], redeemed["voided_at"]) == ("shp_ann", "12.50", None)
    assert voided == {**redeemed, "voided_at": rfc3339(world.clock.now())}


def drained(world: World, deliver: Deliver) -> None:
    deliver.drain()
    world.clock.advance(timedelta(days=2))
    deliver.expire(world.clock.now())


def test_every_message_is_told_when_it_has_come_to_an_end(world: World, hook: str) -> None:
    sent = world.decided(world.shopper("ann"))
    refused = world.decided(world.shopper("bea"), channel="sms")
    cancelled = world.decided(world.shopper("cat"))
    late = world.decided(world.shopper("dot"), channel="fax")
    world.withdraw("cat", "push")
    deliver = worker(world, push=Phone(), sms=Phone(answer=lambda _: Refused("number", "no such number")))
    drained(world, deliver)
    states = {data["message_id"]: kind for kind, data in told(world.database, hook)}
    assert states[sent.id] == "message.accepted"
    assert states[refused.id] == "message.refused"
    assert states[cancelled.id] == "message.cancelled"
    assert set(states) == {sent.id, refused.id, cancelled.id, late.id}
    assert {f"message.{world.message(row).state}" for row in (sent, refused, cancelled, late)} == set(
        states.values()
    )


def test_a_message_that_expires_is_told_without_its_words(world: World, hook: str) -> None:
    message = world.decided(world.shopper("ann"), valid_for=timedelta(minutes=1))
    world.clock.advance(timedelta(minutes=1))
    assert worker(world).expire(world.clock.now()) == 1
    assert told(world.database, hook) == [
        (
            "message.expired",
            {
                "message_id": message.id,
                "decision_id": message.decision_id,
                "shopper_id": "shp_ann",
                "campaign_id": "morning",
                "offer_id": "warm",
                "store_id": PORT,
                "channel": "push",
                "state": str(State.EXPIRED),
                "reason": "valid_until",
                "valid_until": rfc3339(message.valid_until),
            },
        )
    ]
