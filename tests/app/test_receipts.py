"""Do receipts count that come before the answer to the call, or in doubt? And are they dropped in the end?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from m2s.app.callbacks import Receipt
from m2s.app.channel import Accepted, SendResult, Unknown
from m2s.app.deliver import LEASE_S
from m2s.app.receipts import KEPT, take_receipt
from m2s.app.rows import MessageRow
from m2s.core.delivery.message import State
from tests.app.delivering import worker
from tests.app.test_doubt import Provider
from tests.app.world import Phone, World


def told(world: World, provider_id: str, status: str, state: State | None, **more: int) -> str:
    """Takes a receipt; what it was found to be."""
    receipt = Receipt(provider_id, status, state, **more)
    now = world.clock.now()
    return world.database.write(lambda records: take_receipt(records, "twilio", receipt, at=now))[0]


def test_a_receipt_may_overtake_the_answer_to_the_call(world: World) -> None:
    def answer(_message: MessageRow) -> SendResult:
        assert told(world, "SM1", "delivered", State.DELIVERED) == "unknown"
        return Accepted("SM1", parts=2)

    message = world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=Phone(answer)).drain()
    assert world.message(message).state == "delivered"
    assert world.rows("SELECT outcome, parts FROM attempts") == [("accepted", 2)]


def test_a_receipt_under_our_own_id_ends_a_doubt(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=Phone(lambda _message: Unknown("silence"))).drain()
    assert world.message(message).state == "unknown"
    assert told(world, message.id, "DELIVRD", State.DELIVERED) == "new"
    assert world.message(message).state == "delivered"


def test_receipts_of_a_message_that_is_found_afterwards_count(world: World) -> None:
    message, provider = world.decided(world.shopper("ann"), channel="sms"), Provider()
    sending = worker(world, sms=provider)
    sending.drain()
    told(world, "SM1", "undelivered 30003", State.UNDELIVERED)
    provider.knows = Accepted("SM1")
    world.clock.advance(timedelta(minutes=1))
    assert sending.ask(world.clock.now()) == 1
    assert (world.message(message).state, world.message(message).reason) == (
        "undelivered",
        "undelivered 30003",
    )


def test_an_answer_that_comes_after_its_receipt_and_its_lease_moves_nothing_back(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    ours = Accepted(message.id)

    def answer(_message: MessageRow) -> SendResult:
        told(world, message.id, "DELIVRD", State.DELIVERED)
        world.clock.advance(timedelta(seconds=LEASE_S + 1))
        assert worker(world, sms=Phone()).recover_lost() == (0, 0)
        return ours

    worker(world, sms=Phone(answer)).drain()
    assert world.message(message).state == "delivered"


def test_each_part_counts_by_what_the_provider_said_of_parts_when_it_took_it(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=Phone(lambda _message: Accepted("SM1", parts=2))).drain()
    told(world, "SM1", "ok", State.DELIVERED, part=1)
    assert world.message(message).state == "accepted"
    told(world, "SM1", "ok", State.DELIVERED, part=3)
    assert world.message(message).state == "accepted", "there is no third part"
    told(world, "SM1", "ok", State.DELIVERED, part=2)
    assert world.message(message).state == "delivered"


@pytest.mark.parametrize(("age", "known"), [(KEPT, 1), (KEPT + timedelta(milliseconds=1), 0)])
def test_a_receipt_for_what_nobody_knows_is_kept_for_a_week(world: World, age: timedelta, known: int) -> None:
    told(world, "SM1", "sent", None)
    world.clock.advance(age)
    world.database.write(lambda records: records.receipts.drop_before(world.clock.now() - KEPT))
    assert world.rows("SELECT count(*) FROM receipts") == [(known,)]
