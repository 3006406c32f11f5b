"""What follows from what a provider said: for the message, its token, the shopper's consent, and the channel?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaigns.facts import PressureRule
from campaigns.model import Channel, Rate
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.dead_letters import DeadLetters, letter_of
from m2s.app.rows import MessageRow
from m2s.core.base.errors import Conflict
from m2s.core.delivery.breaker import REST_S, STOPPED_S
from m2s.core.delivery.retry import MOST_TRIES
from tests.app.delivering import worker
from tests.app.world import Phone, World
from tests.changed import replace

BY_SMS = {"channel": "sms", "title": None, "body": "Warm by SMS. STOP 36000"}
BY_WEBHOOK = {"channel": "webhook", "title": None, "body": "Warm by webhook"}
FALLBACKS = json.dumps([BY_SMS, BY_WEBHOOK])
GONE = Refused("unregistered", "no such token")


def answering(result: SendResult) -> Callable[[MessageRow], SendResult]:
    return lambda _message: result


def attempts(world: World) -> list[tuple[Any, ...]]:
    return world.rows("SELECT channel, outcome FROM attempts ORDER BY seq")


def token(world: World, name: str = "ann") -> str | None:
    with world.database.read() as records:
        row = records.devices.device(f"dev_{name}")
    assert row is not None
    return row.push_token


def state(world: World, message: MessageRow) -> tuple[str, str | None]:
    kept = world.message(message)
    return kept.state, kept.reason


# Tokens and oppositions


@pytest.mark.parametrize(("later", "kept"), [(timedelta(0), False), (timedelta(milliseconds=1), True)])
def test_a_token_that_the_provider_calls_dead_is_dropped_unless_it_is_newer_than_that(
    world: World, later: timedelta, kept: bool
) -> None:
    dead_since = world.clock.now()
    shopper = world.shopper("ann")
    world.clock.advance(later)
    registered = world.clock.now()
    world.database.write(
        lambda records: records.devices.update_device("dev_ann", {"push_token": "token"}, at=registered)
    )
    world.decided(shopper)
    refused = Refused("gone", "410", token_invalid_before=dead_since)
    worker(world, push=Phone(answering(refused))).drain()
    assert token(world) == ("token" if kept else None)


def test_a_token_that_the_app_has_replaced_meanwhile_is_kept(world: World) -> None:
    def replaced(_message: MessageRow) -> SendResult:
        world.database.write(
            lambda records: records.devices.update_device(
                "dev_ann", {"push_token": "newer"}, at=world.clock.now()
            )
        )
        return Refused("gone", "410", token_invalid_before=world.clock.now() + timedelta(hours=1))

    world.decided(world.shopper("ann"))
    worker(world, push=Phone(replaced)).drain()
    assert token(world) == "newer"


def test_without_a_word_on_the_token_it_is_kept(world: World) -> None:
    world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(GONE))).drain()
    assert token(world) == "token"


def test_an_opposition_that_the_provider_knows_becomes_ours_for_that_channel(world: World) -> None:
    shopper = world.shopper("ann")
    message = world.decided(shopper, channel="sms")
    worker(world, sms=Phone(answering(Refused("blocked", "21610", opted_out=True)))).drain()
    with world.database.read() as records:
        said = {row.channel: row.granted for row in records.devices.consents([shopper])[shopper]}
    assert said == {None: True, "push": True, "sms": False, "webhook": True}
    assert state(world, message) == ("refused", "blocked")
    world.clock.advance(timedelta(days=8))
    again, phone = world.decided(shopper, channel="sms"), Phone()
    worker(world, sms=phone).drain()
    assert (state(world, again), phone.sent) == (("cancelled", "consent"), [])


def test_a_channel_is_told_when_the_phone_last_registered_its_token(world: World) -> None:
    shopper = world.shopper("ann")
    registered, again = world.clock.now(), world.clock.now() + timedelta(days=20)
    phone = Phone()
    world.decided(shopper)
    worker(world, push=phone).drain()
    world.clock.set(again)
    same = {"push_token": "token"}
    world.database.write(lambda records: records.devices.update_device("dev_ann", same, at=again))
    world.decided(shopper)
    worker(world, push=phone).drain()
    assert [address.push_token_at for address in phone.addresses] == [registered, again]


# The next channel


def test_a_refused_push_goes_by_sms_as_the_same_message_with_the_words_of_that_channel(world: World) -> None:
    message = world.decided(world.shopper("ann"), fallbacks=FALLBACKS)
    push, sms = Phone(answering(GONE)), Phone()
    worker(world, push=push, sms=sms).drain()
    (sent,) = sms.sent
    assert (sent.id, sent.decision_id, sent.body) == (message.id, message.decision_id, BY_SMS["body"])
    assert sms.addresses[0].phone == "+33612345678"
    assert sms.coupons == [world.coupon_of(message)]
    kept = world.message(message)
    assert (kept.state, kept.channel, kept.tries) == ("accepted", "sms", 0)
    assert attempts(world) == [("push", "refused"), ("sms", "accepted")]
    assert len(world.messages_of("shp_ann")) == 1


def test_every_channel_of_the_offer_is_tried_in_its_order(world: World) -> None:
    message = world.decided(world.shopper("ann"), fallbacks=FALLBACKS)
    last = Phone()
    worker(world, push=Phone(answering(GONE)), sms=Phone(answering(GONE)), webhook=last).drain()
    assert [row.body for row in last.sent] == [BY_WEBHOOK["body"]]
    assert attempts(world) == [("push", "refused"), ("sms", "refused"), ("webhook", "accepted")]
    assert world.message(message).state == "accepted"


def test_a_channel_that_the_shopper_did_not_agree_to_is_left_out(world: World) -> None:
    world.decided(world.shopper("ann", consents=("push", "webhook")), fallbacks=FALLBACKS)
    sms, last = Phone(), Phone()
    worker(world, push=Phone(answering(GONE)), sms=sms, webhook=last).drain()
    assert (len(sms.sent), len(last.sent)) == (0, 1)


@pytest.mark.parametrize("missing", ["consent", "phone", "adapter", "fallbacks"])
def test_where_there_is_no_other_way_the_refusal_is_the_end(world: World, missing: str) -> None:
    shopper = world.shopper(
        "ann",
        consents=("push",) if missing == "consent" else ("push", "sms"),
        phone=None if missing == "phone" else "+33612345678",
    )
    message = world.decided(shopper, fallbacks=None if missing == "fallbacks" else FALLBACKS)
    sms = Phone()
    channels = {"push": Phone(answering(GONE))} | ({} if missing == "adapter" else {"sms": sms})
    worker(world, channels).drain()
    assert (state(world, message), sms.sent) == (("refused", "unregistered"), [])


@pytest.mark.parametrize(
    "result",
    [
        Unknown("no answer"),
        RetryLater(0.0, "busy"),
        Misconfigured("sender", "403"),
        Refused("too_large", "413", dead_letter=True),
    ],
)
def test_nothing_but_a_definite_refusal_leads_to_another_channel(world: World, result: SendResult) -> None:
    world.decided(world.shopper("ann"), fallbacks=FALLBACKS)
    sms = Phone()
    sending = worker(world, push=Phone(answering(result)), sms=sms)
    for _ in range(60):
        world.clock.advance(timedelta(minutes=1))
        sending.drain()
        sending.expire(world.clock.now())
    assert sms.sent == []


def test_the_last_look_is_taken_again_for_the_other_channel(world: World) -> None:
    """The law's hours end between the refusal and the SMS."""
    world.clock.advance(timedelta(hours=9, minutes=59, seconds=30))

    def late(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(minutes=1))
        return GONE

    message, sms = world.decided(world.shopper("ann"), fallbacks=FALLBACKS), Phone()
    worker(world, push=Phone(late), sms=sms).drain()
    assert (state(world, message), sms.sent) == (("cancelled", "send_law"), [])


def test_its_own_decision_does_not_press_against_the_other_channel_but_another_one_does(world: World) -> None:
    shopper = world.shopper("ann")
    message, sms = world.decided(shopper, fallbacks=FALLBACKS), Phone()

    def meanwhile(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(seconds=1))
        world.decided(shopper, channel="webhook")
        return GONE

    worker(world, push=Phone(meanwhile), sms=sms).drain()
    assert (state(world, message), sms.sent) == (("cancelled", "pressure"), [])


def test_a_message_weighs_on_the_pressure_of_the_channel_that_it_went_by(world: World) -> None:
    one_by_sms = PressureRule(Rate(1, timedelta(days=7)), Channel.SMS)
    world = replace(world, policy=replace(world.policy, pressure=(one_by_sms,)))
    shopper = world.shopper("ann")
    world.decided(shopper, fallbacks=FALLBACKS)
    sms = Phone()
    worker(world, push=Phone(answering(GONE)), sms=sms).drain()
    world.clock.advance(timedelta(days=1))
    second = world.decided(shopper, channel="sms")
    worker(world, sms=sms).drain()
    assert (state(world, second), len(sms.sent)) == (("cancelled", "pressure"), 1)


# Dead letters


@pytest.fixture
def letters(world: World) -> DeadLetters:
    return DeadLetters(world.database, world.clock)


def replay(letters: DeadLetters, letter_id: str) -> str:
    def nobody(_batch: object) -> Any:
        raise AssertionError("a message is no sighting")

    return letters.replay(letter_id, nobody).verdict


def test_a_message_that_the_provider_cannot_take_is_kept_and_sent_by_a_replay(
    world: World, letters: DeadLetters
) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(Refused("too_large", "413", dead_letter=True)))).drain()
    assert state(world, message) == ("dead_letter", "too_large")
    (letter,) = letters.list()
    assert (letter.kind, letter.cause, letter.tries) == ("message", "too_large: 413", 1)
    assert json.loads(letter.body)["message_id"] == message.id
    assert replay(letters, letter.id) == "planned"
    assert letters.list() == []
    phone = Phone()
    worker(world, push=phone).drain()
    assert [row.id for row in phone.sent] == [message.id]
    assert world.message(message).state == "accepted"


def test_a_letter_shows_no_code_that_is_worth_money(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    coupon = world.coupon_of(message)
    words = replace(message, title=coupon.code, body=f"Show {coupon.code} at the till")
    letter = letter_of(words, coupon, cause="bad", at=world.clock.now())
    assert coupon.code not in letter.body
    assert "at the till" in letter.body


def test_a_replay_asks_every_rule_again(world: World, letters: DeadLetters) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(Refused("bad", "400", dead_letter=True)))).drain()
    world.withdraw("ann", "push")
    (letter,) = letters.list()
    assert replay(letters, letter.id) == "planned"
    phone = Phone()
    worker(world, push=phone).drain()
    assert (state(world, message), phone.sent) == (("cancelled", "consent"), [])


def test_a_letter_past_its_messages_validity_cannot_be_replayed_but_dropped(
    world: World, letters: DeadLetters
) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(Refused("bad", "400", dead_letter=True)))).drain()
    (letter,) = letters.list()
    world.clock.set(message.valid_until)
    with pytest.raises(Conflict, match=r"was valid until 2026-11-03T09:45:00"):
        replay(letters, letter.id)
    assert letters.list() == [letter]
    letters.drop(letter.id)
    assert (letters.list(), world.message(message).state) == ([], "dead_letter")


def test_a_message_that_fails_again_and_again_while_others_get_through_is_given_up(
    world: World, letters: DeadLetters
) -> None:
    bad = world.decided(world.shopper("bad"))

    def answer(message: MessageRow) -> SendResult:
        return RetryLater(0.0, "500") if message.id == bad.id else Accepted("1")

    phone = Phone(answer)
    sending = worker(world, push=phone)
    for number in range(8):
        world.decided(world.shopper(f"s{number}"))
        sending.drain()
        world.clock.advance(timedelta(minutes=2))
    assert state(world, bad) == ("dead_letter", "retries")
    assert [row.id for row in phone.sent].count(bad.id) == MOST_TRIES
    assert letters.list()[0].cause == "retries: 500"


# Channels that have to wait


def test_a_provider_that_asks_to_wait_gets_nothing_of_its_channel_meanwhile(world: World) -> None:
    phone, others = Phone(answering(RetryLater(120.0, "429"))), Phone()
    first, second = world.decided(world.shopper("ann")), world.decided(world.shopper("bea"))
    world.decided(world.shopper("cleo"), channel="sms")
    sending = worker(world, push=phone, sms=others)
    sending.drain()
    assert (len(phone.sent), len(others.sent)) == (1, 1)
    world.clock.advance(timedelta(seconds=119))
    assert sending.drain() == 0
    phone.answer = answering(Accepted("1"))
    world.clock.advance(timedelta(seconds=1))
    assert sending.drain() == 2
    assert {world.message(row).state for row in (first, second)} == {"accepted"}


def test_a_phone_that_has_to_wait_holds_nobody_else_up(world: World) -> None:
    message = world.decided(world.shopper("ann"))

    def answer(one: MessageRow) -> SendResult:
        return RetryLater(900.0, "429", of_address=True) if one.id == message.id else Accepted("1")

    others = [world.decided(world.shopper(f"s{number}")) for number in range(10)]
    worker(world, push=Phone(answer)).drain()
    assert {world.message(row).state for row in others} == {"accepted"}
    kept = world.message(message)
    assert (kept.state, kept.not_before) == ("planned", world.clock.now() + timedelta(seconds=900))


def test_waits_that_the_provider_needs_double(world: World) -> None:
    message = world.decided(world.shopper("ann"), valid_for=timedelta(hours=3))
    sending = worker(world, push=Phone(answering(RetryLater(0.0, "429", least_s=60.0))))
    waits = []
    for _ in range(4):
        sending.drain()
        waits.append((world.message(message).not_before - world.clock.now()).total_seconds())
        world.clock.set(world.message(message).not_before)
    assert waits == [60, 120, 240, 480]


def test_a_misconfigured_channel_stops_with_an_alarm_and_heals_by_a_probe(world: World) -> None:
    metrics = Metrics()
    phone = Phone(answering(Misconfigured("sender", "403")))
    messages = [world.decided(world.shopper(f"s{number}")) for number in range(3)]
    sending = worker(world, metrics=metrics, push=phone)
    sending.drain()
    assert len(phone.sent) == 1
    assert metrics.registry.get_sample_value(*_alarm("misconfigured")) == 1
    world.clock.advance(timedelta(seconds=STOPPED_S - 1))
    assert sending.drain() == 0
    phone.answer = answering(Accepted("1"))
    world.clock.advance(timedelta(seconds=1))
    sending.drain()
    assert metrics.registry.get_sample_value(*_alarm("misconfigured")) == 0
    world.clock.advance(timedelta(seconds=STOPPED_S))
    sending.drain()
    assert {world.message(row).state for row in messages} == {"accepted"}
    assert token(world, "s0") == "token"


def _alarm(cause: str) -> tuple[str, dict[str, str]]:
    return "m2s_channel_held_up", {"channel": "push", "provider": "", "cause": cause}


def test_one_message_that_misconfigures_does_not_stop_the_channel_for_ever(world: World) -> None:
    bad = world.decided(world.shopper("bad"), valid_for=timedelta(hours=6))

    def answer(message: MessageRow) -> SendResult:
        return Misconfigured("sender", "403") if message.id == bad.id else Accepted("1")

    sending = worker(world, push=Phone(answer))
    others = []
    for number in range(60):
        others.append(world.decided(world.shopper(f"s{number}")))
        sending.drain()
        world.clock.advance(timedelta(seconds=REST_S * 10))
        sending.expire(world.clock.now())
    assert {world.message(row).state for row in others[:-6]} == {"accepted"}
    assert state(world, bad) == ("dead_letter", "sender")
