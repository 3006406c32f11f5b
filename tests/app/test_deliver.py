"""Is every message sent at most as often as its channel bears, and never against the last look at the rules?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from campaigns.decision import SPREAD
from m2s.adapters.runtime.metrics import Metrics
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.channel import Accepted, Refused, RetryLater, SendResult, Unknown
from m2s.app.deliver import LEASE_S
from m2s.app.lanes import Pace
from m2s.app.ports import Records
from m2s.app.rows import MessageRow
from tests.app.delivering import worker
from tests.app.world import Phone, World, catalog_of, paused
from tests.changed import replace


def answering(result: SendResult) -> Callable[[MessageRow], SendResult]:
    return lambda _message: result


def attempts(world: World) -> list[tuple[Any, ...]]:
    return world.rows("SELECT outcome, detail FROM attempts ORDER BY seq")


def test_a_due_message_is_sent_once_with_its_address_and_coupon(world: World) -> None:
    phone = Phone()
    message = world.decided(world.shopper("ann"))
    assert worker(world, push=phone).drain() == 1
    assert worker(world, push=phone).drain() == 0
    assert world.message(message).state == "accepted"
    assert [row.id for row in phone.sent] == [message.id]
    assert (phone.addresses[0].push_token, phone.addresses[0].platform) == ("token", "ios")
    assert phone.coupons == [world.coupon_of(message)]
    assert attempts(world) == [("accepted", None)]


def test_sending_is_committed_before_the_provider_is_called_and_no_transaction_is_open(world: World) -> None:
    seen: list[str] = []

    def look(message: MessageRow) -> SendResult:
        seen.append(world.message(message).state)
        world.database.write(lambda records: records.catalog.keep_setting("while", "sending"))
        return Accepted("1")

    world.decided(world.shopper("ann"))
    worker(world, push=Phone(look)).drain()
    assert seen == ["sending"]


def test_a_message_is_not_sent_before_its_time(world: World) -> None:
    phone = Phone()
    message = world.decided(world.shopper("ann"))
    later = replace(
        message, id="msg_later", decision_id="dec_later", not_before=message.not_before + timedelta(minutes=5)
    )
    world.database.write(lambda records: records.messages.add([later]))
    assert worker(world, push=phone).drain() == 1
    assert world.message(later).state == "planned"


def test_a_consent_withdrawn_after_the_decision_cancels_the_message(world: World) -> None:
    phone = Phone()
    message = world.decided(world.shopper("ann"))
    world.withdraw("ann", "push")
    worker(world, push=phone).drain()
    kept = world.message(message)
    assert (kept.state, kept.reason, phone.sent) == ("cancelled", "consent", [])


def test_a_lost_address_cancels_the_message(world: World) -> None:
    message = world.decided(world.shopper("ann", push_token=None))
    worker(world, push=Phone()).drain()
    assert (world.message(message).state, world.message(message).reason) == ("cancelled", "channel")


def test_a_channel_without_an_adapter_cancels_the_message(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    worker(world, push=Phone()).drain()
    assert (world.message(message).state, world.message(message).reason) == ("cancelled", "channel")


def test_another_message_since_the_decision_cancels_by_pressure_but_its_own_decision_does_not(
    world: World,
) -> None:
    shopper = world.shopper("ann")
    first = world.decided(shopper, valid_for=timedelta(days=3))
    world.clock.advance(timedelta(minutes=1))
    second = world.decided(shopper, valid_for=timedelta(days=3))
    phone = Phone()
    worker(world, push=phone).drain()
    assert {world.message(first).reason, world.message(second).reason} == {"pressure"}
    assert phone.sent == []
    world.clock.advance(timedelta(days=2))
    third = world.decided(shopper)
    worker(world, push=phone).drain()
    assert (world.message(third).state, world.message(third).reason) == ("cancelled", "pressure")
    world.clock.advance(timedelta(days=8))
    fourth = world.decided(shopper)
    worker(world, push=phone).drain()
    assert world.message(fourth).state == "accepted"


@pytest.mark.parametrize(
    "change", [paused, lambda world: replace(world, catalog=catalog_of(state="stopped"))]
)
def test_a_paused_or_stopped_campaign_sends_nothing_more(
    world: World, change: Callable[[World], World]
) -> None:
    message = world.decided(world.shopper("ann"))
    worker(change(world), push=Phone()).drain()
    assert (world.message(message).state, world.message(message).reason) == ("cancelled", "offer_active")


def test_a_proximity_message_outside_the_legal_window_is_cancelled(world: World) -> None:
    world.clock.set(datetime(2026, 11, 3, 18, 59, 30, tzinfo=UTC))
    message = world.decided(world.shopper("ann"))
    world.clock.advance(timedelta(minutes=1))
    worker(world, push=Phone()).drain()
    assert (world.message(message).state, world.message(message).reason) == ("cancelled", "send_law")


def test_a_scheduled_message_outside_the_legal_window_waits_for_the_opening(world: World) -> None:
    phone = Phone()
    world.clock.set(datetime(2026, 11, 3, 18, 59, 30, tzinfo=UTC))
    message = world.decided(world.shopper("ann"), offer_id="sunday", valid_for=timedelta(days=2))
    world.clock.advance(timedelta(minutes=1))
    worker(world, push=phone).drain()
    kept = world.message(message)
    opening = datetime(2026, 11, 4, 7, 30, tzinfo=UTC)
    assert (kept.state, phone.sent) == ("planned", [])
    assert opening <= kept.not_before < opening + SPREAD
    world.clock.set(kept.not_before)
    worker(world, push=phone).drain()
    assert world.message(message).state == "accepted"


def test_a_message_past_its_validity_expires_unsent(world: World) -> None:
    phone = Phone()
    message = world.decided(world.shopper("ann"))
    world.clock.set(message.valid_until)
    worker(world, push=phone).drain()
    assert (world.message(message).state, phone.sent) == ("expired", [])


def test_the_expiring_job_ends_what_is_planned_and_over(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    assert worker(world).expire(message.valid_until - timedelta(milliseconds=1)) == 0
    assert worker(world).expire(message.valid_until) == 1
    assert world.message(message).state == "expired"


def test_a_message_that_expires_while_its_neighbours_are_sent_does_not_leave(world: World) -> None:
    def slow(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(hours=1))
        return Accepted("1")

    phone = Phone(slow)
    messages = [world.decided(world.shopper(name)) for name in ("ann", "bea")]
    worker(world, push=phone).drain()
    assert sorted(world.message(row).state for row in messages) == ["accepted", "expired"]
    assert len(phone.sent) == 1


def test_a_refusal_is_final_and_keeps_its_code(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(Refused("unregistered", "no such token")))).drain()
    assert (world.message(message).state, world.message(message).reason) == ("refused", "unregistered")
    assert attempts(world) == [("refused", "unregistered: no such token")]


def test_a_provider_that_asks_to_wait_is_asked_again_and_again_while_the_message_is_valid(
    world: World,
) -> None:
    message = world.decided(world.shopper("ann"), channel="sms", valid_for=timedelta(minutes=10))
    phone = Phone(answering(RetryLater(0.0, "busy")))
    busy = worker(world, sms=phone)
    waits = []
    while (kept := world.message(message)).state == "planned":
        waits.append((kept.not_before - world.clock.now()).total_seconds())
        world.clock.set(kept.not_before)
        busy.drain()
    assert waits == [0, 1, 4, 16, *[64] * 9]
    assert (kept.state, kept.reason) == ("expired", "valid_until")
    assert len(phone.sent) == len(waits)


def test_an_outage_that_ends_while_the_message_is_valid_costs_no_message(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")
    down_until = world.clock.now() + timedelta(minutes=30)

    def answer(_message: MessageRow) -> SendResult:
        return Accepted("1") if world.clock.now() >= down_until else RetryLater(0.0, "no connection")

    patient = worker(world, sms=Phone(answer))
    while (kept := world.message(message)).state == "planned":
        world.clock.set(kept.not_before)
        patient.drain()
    assert kept.state == "accepted"


def test_a_longer_wait_that_the_provider_asks_for_is_kept(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(RetryLater(120.0, "busy")))).drain()
    assert world.message(message).not_before == world.clock.now() + timedelta(seconds=120)


@pytest.mark.parametrize("after_s", [3600.0, 1e300, float("inf")])
def test_a_wait_beyond_the_validity_ends_the_message(world: World, after_s: float) -> None:
    message = world.decided(world.shopper("ann"))
    worker(world, push=Phone(answering(RetryLater(after_s, "busy")))).drain()
    assert world.message(message).state == "expired"


def crash(_message: MessageRow) -> SendResult:
    raise ConnectionResetError("after the provider had taken it")


@pytest.mark.parametrize("answer", [crash, answering(Unknown("no answer"))])
def test_an_sms_in_doubt_stays_unknown_and_is_never_sent_again(
    world: World, answer: Callable[[MessageRow], SendResult]
) -> None:
    phone = Phone(answer)
    message = world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=phone).drain()
    assert world.message(message).state == "unknown"
    for _ in range(3):
        world.clock.advance(timedelta(minutes=2))
        worker(world, sms=phone).recover()
        worker(world, sms=phone).recover_lost()
        worker(world, sms=phone).drain()
    assert [row.id for row in phone.sent] == [message.id]
    assert world.message(message).state == "unknown"


def test_what_a_crashing_adapter_said_is_kept_by_its_kind_only(world: World) -> None:
    world.decided(world.shopper("ann"), channel="sms")
    worker(world, sms=Phone(crash)).drain()
    assert attempts(world) == [("unknown", "ConnectionResetError")]


def test_a_push_in_doubt_is_sent_again_under_the_same_id_while_it_is_valid(world: World) -> None:
    phone = Phone(answering(Unknown("no answer")))
    message = world.decided(world.shopper("ann"), valid_for=timedelta(minutes=8))
    doubting = worker(world, push=phone)
    for _ in range(8):
        doubting.drain()
        world.clock.advance(timedelta(seconds=64))
    assert [row.id for row in phone.sent] == [message.id] * 8
    assert (world.message(message).state, world.message(message).reason) == ("unknown_final", "valid_until")


class Killed(BaseException):
    """The process dies."""


def killed(_message: MessageRow) -> SendResult:
    raise Killed


@pytest.mark.parametrize(("channel", "times"), [("sms", 1), ("push", 2)])
def test_after_a_kill_while_sending_a_push_is_sent_again_and_an_sms_is_not(
    world: World, channel: str, times: int
) -> None:
    message = world.decided(world.shopper("ann"), channel=channel)
    dying = Phone(killed)
    with pytest.raises(Killed):
        worker(world, {channel: dying}).drain()
    assert world.message(message).state == "sending"
    phone = Phone()
    restarted = worker(world, {channel: phone})
    assert restarted.recover() == (0, 1)
    restarted.drain()
    assert len(dying.sent) + len(phone.sent) == times


def claim(world: World, channel: str) -> list[MessageRow]:
    """What a worker does that dies as soon as it has claimed."""
    leased_until_s = world.clock.monotonic_s() + LEASE_S

    def work(records: Records) -> list[MessageRow]:
        return records.messages.claim(
            channel, now=world.clock.now(), leased_until_s=leased_until_s, limit=5, most_again=0
        )

    return world.database.write(work)


def test_after_a_kill_messages_that_were_only_claimed_are_sent_once(world: World) -> None:
    messages = [world.decided(world.shopper(f"s{number}"), channel="sms") for number in range(5)]
    assert len(claim(world, "sms")) == 5
    phone = Phone()
    assert worker(world, sms=phone).drain() == 0
    assert worker(world, sms=phone).recover() == (5, 0)
    worker(world, sms=phone).drain()
    assert sorted(row.id for row in phone.sent) == sorted(row.id for row in messages)


def test_it_is_known_for_how_long_a_message_lies_with_a_worker_that_is_gone(world: World) -> None:
    metrics = Metrics()
    sending = worker(world, sms=Phone(), metrics=metrics)
    metrics.delivery.watch_overdue(sending.overdue_s)

    def overdue_s() -> float | None:
        return metrics.registry.get_sample_value("m2s_messages_overdue_seconds")

    assert overdue_s() == 0
    world.decided(world.shopper("ann"), channel="sms")
    assert len(claim(world, "sms")) == 1
    world.clock.advance(timedelta(seconds=400))
    assert overdue_s() == 400
    sending.recover_lost()
    sending.drain()
    assert overdue_s() == 0


def test_a_message_that_kills_every_worker_is_given_up(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    dying = Phone(killed)
    for _ in range(5):
        with pytest.raises(Killed):
            worker(world, push=dying).drain()
        worker(world, push=dying).recover()
    worker(world, push=dying).drain()
    assert (world.message(message).state, world.message(message).reason) == ("dead_letter", "lost")
    assert len(dying.sent) == 5


def test_messages_that_were_sent_beside_a_killer_are_not_given_up_with_it(world: World) -> None:
    messages = [world.decided(world.shopper(f"s{number}"), coupon_for=None) for number in range(12)]
    killer = messages[3]

    def answer(message: MessageRow) -> SendResult:
        if message.id == killer.id:
            raise Killed
        return Accepted("1")

    for _ in range(5):
        # All at once: whoever was being sent is lost with the worker, whatever its provider had said.
        dying = worker(world, push=Phone(answer), pace=Pace(at_once=8))
        with pytest.raises(Killed):
            dying.drain()
        worker(world).recover()
    worker(world, push=Phone(answer), pace=Pace(at_once=8)).drain()
    states = {row.id: world.message(row).state for row in messages}
    assert states.pop(killer.id) == "dead_letter"
    assert set(states.values()) == {"accepted"}


def test_a_message_that_only_waited_beside_a_killer_is_not_given_up(world: World) -> None:
    world.decided(world.shopper("ann"))
    world.clock.advance(timedelta(seconds=1))
    beside = world.decided(world.shopper("bea"))
    for _ in range(5):
        with pytest.raises(Killed):
            worker(world, push=Phone(killed)).drain()
        worker(world, push=Phone()).recover()
    worker(world, push=Phone()).drain()
    assert world.message(beside).state == "accepted"


def test_a_message_that_cannot_be_judged_is_a_dead_letter_and_its_neighbours_leave(world: World) -> None:
    bad, good = (world.decided(world.shopper(name), offer_id="sunday") for name in ("ann", "bea"))
    astray = {"timezone": "Mars/Olympus"}
    world.database.write(
        lambda records: records.devices.update_device("dev_ann", astray, at=world.clock.now())
    )
    phone = Phone()
    worker(world, push=phone).drain()
    assert (world.message(bad).state, world.message(bad).reason) == ("dead_letter", "error")
    assert [row.id for row in phone.sent] == [good.id]


def test_the_last_of_many_slow_messages_is_not_taken_over_while_it_is_sent(world: World) -> None:
    messages = [world.decided(world.shopper(f"s{number}")) for number in range(6)]

    def slow(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(seconds=11))
        worker(world).recover_lost()
        return Accepted("1")

    phone = Phone(slow)
    worker(world, push=phone).drain()
    assert sorted(row.id for row in phone.sent) == sorted(row.id for row in messages)
    assert {world.message(row).state for row in messages} == {"accepted"}


class Paused(SqlDatabase):
    """The database of a worker that is stopped after its claim, past the end of its lease."""

    meanwhile: Callable[[], object]

    def write(self, work: Callable[[Records], Any], *, then: Callable[[Any], object] | None = None) -> Any:
        """Runs work in one transaction."""
        result = super().write(work, then=then)
        if work.__qualname__.startswith("Deliver._claim.") and result:
            self.meanwhile()
        return result


@pytest.mark.parametrize("channel", ["push", "sms"])
def test_a_worker_that_stood_still_past_its_lease_does_not_send_what_another_has_sent(
    world: World, channel: str
) -> None:
    message = world.decided(world.shopper("ann"), channel=channel)
    mine, others = Phone(), Phone()
    stopped = worker(world, {channel: mine})

    def meanwhile() -> None:
        database.meanwhile = lambda: None
        world.clock.advance(timedelta(seconds=LEASE_S))
        other = worker(world, {channel: others})
        assert other.recover_lost() == (1, 0)
        assert other.drain() == 1

    world.database.__class__ = Paused
    database = cast("Paused", world.database)
    database.meanwhile = meanwhile
    assert stopped.drain() == 1
    assert (len(mine.sent), len(others.sent)) == (0, 1)
    assert world.message(message).state == "accepted"


def test_a_worker_told_to_stop_ends_the_call_that_runs_and_starts_no_other(world: World) -> None:
    messages = [world.decided(world.shopper(name)) for name in ("ann", "bea")]

    def answer(_message: MessageRow) -> SendResult:
        stopping.stop()
        return Accepted("1")

    phone = Phone(answer)
    stopping = worker(world, push=phone)
    stopping.drain()
    assert stopping.drain() == 0
    assert sorted(world.message(row).state for row in messages) == ["accepted", "planned"]
    later = worker(world, push=phone)
    later.recover()
    later.drain()
    assert sorted(row.id for row in phone.sent) == sorted(row.id for row in messages)


def test_a_lease_is_respected_until_it_has_run_out(world: World) -> None:
    message = world.decided(world.shopper("ann"))
    claim(world, "push")
    other = worker(world, push=Phone())
    world.clock.advance(timedelta(seconds=LEASE_S - 1))
    assert (other.recover_lost(), other.drain()) == ((0, 0), 0)
    world.clock.advance(timedelta(seconds=1))
    assert (other.recover_lost(), other.drain()) == ((1, 0), 1)
    assert world.message(message).state == "accepted"


def test_a_worker_that_lost_its_lease_while_sending_settles_nothing(world: World) -> None:
    message = world.decided(world.shopper("ann"), channel="sms")

    def too_slow(_message: MessageRow) -> SendResult:
        world.clock.advance(timedelta(seconds=LEASE_S))
        worker(world).recover_lost()
        return Accepted("late")

    worker(world, sms=Phone(too_slow)).drain()
    assert world.message(message).state == "unknown"
    assert attempts(world) == [("accepted", None)]
