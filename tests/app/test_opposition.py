"""Does an opposition hold for a number, whoever comes with it and however the provider told of it?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from m2s.app.channel import Accepted, Refused, SendResult
from m2s.app.inputs import BaseRow, Pivots, Statement
from m2s.app.opposition import oppose_number, reinstate_number
from m2s.app.rows import ConsentRow, MessageRow
from tests.app.delivering import worker
from tests.app.people import customers, identify, registered, shopper_of
from tests.app.world import Phone, World

PHONE = "+33612345678"


def wants(world: World, shopper_id: str, channel: str = "sms") -> bool:
    with world.database.read() as records:
        said = records.devices.consents([shopper_id]).get(shopper_id, [])
    return any(row.granted for row in said if row.channel == channel)


def opposed(world: World, phone: str = PHONE) -> list[str]:
    return world.database.write(lambda records: oppose_number(records, phone, "sms", at=world.clock.now()))


def in_base(world: World, at: datetime) -> None:
    """A customer of the retailer's own base who agreed then."""
    consent = ConsentRow("marketing", "sms", True, "paper", at)
    taken = customers(world).take(
        [BaseRow(Pivots(customer_id="c1", phone=PHONE), statements=[Statement(consent, "till")])]
    )
    assert taken.accepted == 1


def customer(world: World) -> str:
    ((shopper_id,),) = world.rows("SELECT shopper_id FROM pivots WHERE kind = 'customer_id'")
    return str(shopper_id)


def test_a_refusal_for_an_opposition_holds_for_who_comes_with_the_number_later(world: World) -> None:
    world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=Phone(lambda _message: Refused("blocked", "21610", opted_out=True))).drain()
    device = registered(world)
    identify(world).identify(device, Pivots(phone=PHONE), vouched=True)
    assert not wants(world, shopper_of(world, device))
    assert [row[0] for row in world.rows("SELECT channel FROM oppositions")] == ["sms"]
    assert PHONE not in str(world.rows("SELECT * FROM oppositions"))


def test_an_opposition_of_push_is_of_the_shopper_alone(world: World) -> None:
    shopper = world.shopper("ann")
    world.decided(shopper, channel="push")
    worker(world, push=Phone(lambda _message: Refused("blocked", "x", opted_out=True))).drain()
    assert (wants(world, shopper, "push"), wants(world, shopper)) == (False, True)
    assert world.rows("SELECT * FROM oppositions") == []


def test_a_customer_without_a_device_is_opposed_too(world: World) -> None:
    in_base(world, world.clock.now())
    world.clock.advance(timedelta(hours=1))
    assert opposed(world) == [customer(world)]
    assert not wants(world, customer(world))


@pytest.mark.parametrize(("hours", "wanted"), [(-1, False), (1, True)])
def test_the_base_is_believed_where_it_tells_of_a_later_agreement(
    world: World, hours: int, wanted: bool
) -> None:
    agreed_at = world.clock.now() + timedelta(hours=hours)
    opposed(world)
    world.clock.advance(timedelta(hours=2))
    in_base(world, agreed_at)
    assert wants(world, customer(world)) == wanted


def test_who_is_reinstated_gets_messages_by_the_text_that_she_agreed_to(world: World) -> None:
    shopper = world.shopper("ann")
    for act in (oppose_number, reinstate_number):
        world.clock.advance(timedelta(hours=1))
        now = world.clock.now()
        whose = world.database.write(lambda records, act=act, now=now: act(records, PHONE, "sms", at=now))
        assert whose == [shopper]
    with world.database.read() as records:
        (said,) = [row for row in records.devices.consents([shopper])[shopper] if row.channel == "sms"]
    assert (said.granted, said.text_version) == (True, "v1")


def test_a_call_that_runs_when_stop_comes_ends_as_it_ends_and_the_next_one_never_begins(world: World) -> None:
    first, second = (world.decided(world.shopper(name), channel="sms") for name in ("ann", "bob"))

    def answer(message: MessageRow) -> SendResult:
        opposed(world)
        return Accepted(message.id)

    phone = Phone(answer)
    worker(world, sms=phone).drain()
    assert [row.id for row in phone.sent] == [first.id]
    assert [world.message(one).state for one in (first, second)] == ["accepted", "cancelled"]


def test_an_old_agreement_that_comes_late_is_not_taken_for_the_last_word(world: World) -> None:
    shopper, agreed_at = world.shopper("ann"), world.clock.now()
    world.clock.advance(timedelta(hours=1))
    world.withdraw("ann", "sms")
    world.clock.advance(timedelta(hours=1))
    late = Statement(ConsentRow("marketing", "sms", True, "paper", agreed_at - timedelta(days=1)), "till")
    world.database.write(lambda records: records.identities.state(shopper, [late], now=world.clock.now()))
    opposed(world)
    world.clock.advance(timedelta(hours=1))
    now = world.clock.now()
    assert world.database.write(lambda records: reinstate_number(records, PHONE, "sms", at=now)) == []
    assert not wants(world, shopper)


def test_who_gets_messages_already_says_nothing_anew_by_start(world: World) -> None:
    world.shopper("ann")
    now = world.clock.now()
    assert world.database.write(lambda records: reinstate_number(records, PHONE, "sms", at=now)) == []
