"""Is a message in doubt asked for, for a day and less and less often, and never sent again?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from m2s.app.channel import Accepted, Address, Refused, SendResult, Unknown
from m2s.app.deliver import LEASE_S, Deliver
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.delivery.retry import DOUBT_LASTS
from tests.app.delivering import worker
from tests.app.world import Phone, World

FALLBACKS = '[{"channel": "sms", "title": null, "body": "Warm by SMS"}]'


@dataclass
class Provider:
    """Says nothing when it is sent a message, and knows what it knows when it is asked."""

    knows: Accepted | Refused | Exception | None = None
    sent: list[str] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def send(self, message: MessageRow, _address: Address, _coupon: CouponRow | None) -> SendResult:
        self.sent.append(message.id)
        return Unknown("no answer")

    def find(self, message: MessageRow, address: Address) -> Accepted | Refused | None:
        self.asked.append((message.id, address.phone))
        if isinstance(self.knows, Exception):
            raise self.knows
        return self.knows


def in_doubt(world: World, provider: Provider) -> tuple[Deliver, MessageRow]:
    message = world.decided(world.shopper("ann"), channel="sms")
    sending = worker(world, sms=provider)
    sending.drain()
    assert world.message(message).state == "unknown"
    return sending, message


def asked_until(world: World, sending: Deliver, end: datetime) -> int:
    """Runs the job every minute."""
    ended = 0
    while world.clock.now() < end:
        ended += sending.ask(world.clock.now())
        world.clock.advance(timedelta(minutes=1))
    return ended


@pytest.mark.parametrize(
    ("knows", "state", "reason", "attempt"),
    [
        (Accepted("p-1"), "accepted", "found", ("accepted", "p-1")),
        (Refused("invalid", "no such number"), "refused", "invalid", ("refused", None)),
    ],
)
def test_what_the_provider_knows_is_adopted(
    world: World, knows: Accepted | Refused, state: str, reason: str, attempt: tuple[str, str | None]
) -> None:
    provider = Provider(knows)
    sending, message = in_doubt(world, provider)
    assert sending.ask(world.clock.now()) == 0
    assert provider.asked == [], "asked before the provider could know"
    world.clock.advance(timedelta(minutes=1))
    assert sending.ask(world.clock.now()) == 1
    assert provider.asked == [(message.id, "+33612345678")]
    kept = world.message(message)
    assert (kept.state, kept.reason) == (state, reason)
    told = world.rows("SELECT outcome, provider_id FROM attempts ORDER BY seq")
    assert told == [("unknown", None), attempt]


@pytest.mark.parametrize("knows", [None, ConnectionResetError("while it was asked")])
def test_what_nobody_finds_is_asked_for_a_day_then_left_and_never_sent_again(
    world: World, knows: Exception | None
) -> None:
    provider = Provider(knows)
    sending, message = in_doubt(world, provider)
    since = world.clock.now()
    assert asked_until(world, sending, since + DOUBT_LASTS) == 0
    assert world.message(message).state == "unknown"
    asked = len(provider.asked)
    assert 20 < asked < 40
    assert asked_until(world, sending, since + DOUBT_LASTS + timedelta(minutes=2)) == 1
    kept = world.message(message)
    assert (kept.state, kept.reason) == ("unknown_final", "no answer")
    assert asked_until(world, sending, since + 2 * DOUBT_LASTS) == 0
    sending.drain()
    assert (provider.sent, len(provider.asked)) == ([message.id], asked + 1)


def test_a_provider_that_cannot_be_asked_is_not(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    sending = worker(world, sms=Phone(lambda _message: Unknown("no answer")))
    sending.drain()
    assert asked_until(world, sending, world.clock.now() + DOUBT_LASTS + timedelta(minutes=2)) == 1
    assert world.message(message).state == "unknown_final"


def test_an_answer_that_came_after_the_lease_is_adopted(world: World) -> None:
    def slow(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(seconds=LEASE_S))
        worker(world).recover_lost()
        return Accepted("late")

    message = world.decided(world.shopper("ann"), channel="sms")
    sending = worker(world, sms=Phone(slow))
    sending.drain()
    assert world.message(message).state == "unknown"
    world.clock.advance(timedelta(minutes=1))
    assert sending.ask(world.clock.now()) == 1
    assert world.message(message).state == "accepted"


def test_told_to_stop_it_asks_no_more(world: World) -> None:
    provider = Provider(Accepted("1"))
    sending, _ = in_doubt(world, provider)
    world.clock.advance(timedelta(minutes=1))
    sending.stop()
    assert (sending.ask(world.clock.now()), provider.asked) == (0, [])


# A push in doubt is sent again, and stays one that may have been sent before


def doubted(world: World, answers: list[SendResult]) -> tuple[Deliver, MessageRow, Phone]:
    """A push with a way by SMS whose calls are answered so, the first without an answer."""
    message = world.decided(world.shopper("ann"), fallbacks=FALLBACKS)
    sms = Phone()
    left = [Unknown("no answer"), *answers]
    sending = worker(world, push=Phone(lambda _message: left.pop(0)), sms=sms)
    sending.drain()
    assert world.message(message).state == "planned"
    world.clock.advance(timedelta(seconds=1))
    return sending, message, sms


def test_a_push_that_may_have_been_sent_never_goes_by_sms_too(world: World) -> None:
    sending, message, sms = doubted(world, [Refused("unregistered", "no such token")])
    sending.drain()
    assert (world.message(message).state, sms.sent) == ("refused", [])


def test_a_push_that_may_have_been_sent_is_not_said_to_have_expired(world: World) -> None:
    sending, message, _ = doubted(world, [])
    world.clock.set(message.valid_until)
    assert sending.expire(world.clock.now()) == 1
    kept = world.message(message)
    assert (kept.state, kept.reason) == ("unknown_final", "valid_until")


def test_a_push_that_may_have_been_sent_is_not_said_to_have_been_cancelled(world: World) -> None:
    sending, message, _ = doubted(world, [])
    world.withdraw("ann", "push")
    sending.drain()
    kept = world.message(message)
    assert (kept.state, kept.reason) == ("unknown_final", "consent")


def test_a_push_in_doubt_that_is_accepted_in_the_end_is_no_more_in_doubt(world: World) -> None:
    sending, message, _ = doubted(world, [Accepted("2")])
    sending.drain()
    assert world.message(message).state == "accepted"
