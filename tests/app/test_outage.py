"""How fast do messages leave, when a provider is well, slow or down, and when two workers send at once?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Barrier, Event, Lock
from typing import Any, cast

import pytest

from m2s.adapters.runtime.metrics import Metrics
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.channel import Accepted, Address, RetryLater, SendResult, Unknown
from m2s.app.deliver import LEASE_S
from m2s.app.lanes import AHEAD, Pace
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Unavailable
from m2s.core.delivery.breaker import LONGEST_REST_S, REST_S
from tests.app.delivering import worker
from tests.app.world import Phone, World

WAIT_S = 30.0


def planned(world: World, number: int, **how: Any) -> list[MessageRow]:
    """Messages of as many shoppers."""
    return [world.decided(world.shopper(f"s{n}"), coupon_for=None, **how) for n in range(number)]


def states(world: World) -> Counter[str]:
    return Counter(state for (state,) in world.rows("SELECT state FROM messages"))


@pytest.mark.parametrize("failing", [RetryLater(0.0, "503"), Unknown("no answer")])
def test_an_outage_of_ten_minutes_costs_few_calls_and_what_is_still_valid_leaves_in_order_of_expiry(
    world: World, failing: SendResult
) -> None:
    calls: list[float] = []
    down_until = world.clock.now() + timedelta(minutes=10)

    def answer(_message: MessageRow) -> SendResult:
        calls.append(world.clock.monotonic_s())
        return Accepted("1") if world.clock.now() >= down_until else failing

    phone = Phone(answer)
    long = planned(world, 30, valid_for=timedelta(hours=1))
    short = [
        world.decided(world.shopper(f"short{n}"), coupon_for=None, valid_for=timedelta(minutes=5 + n))
        for n in range(10)
    ]
    sending = worker(world, push=phone)
    while world.clock.now() < down_until + timedelta(minutes=3):
        sending.drain()
        sending.expire(world.clock.now())
        world.clock.advance(timedelta(seconds=1))
    during = [at_s for at_s in calls if at_s < 600]
    before_it_opened = [at_s for at_s in during if at_s < REST_S]
    assert len(before_it_opened) <= 20
    probes = during[len(before_it_opened) :]
    assert all(later - earlier >= REST_S for earlier, later in pairwise(probes))
    assert len(probes) >= 600 / LONGEST_REST_S - 1
    assert {world.message(row).state for row in long} == {"accepted"}
    stale = [world.message(row).state for row in short if row.valid_until < down_until]
    assert set(stale) <= {"expired", "unknown_final"}
    first_tries = [row for row in phone.sent[len(during) :] if row.tries == 0]
    assert [row.valid_until for row in first_tries] == sorted(row.valid_until for row in first_tries)


def test_a_provider_in_trouble_keeps_no_other_channel_from_sending(world: World) -> None:
    planned(world, 12)
    by_sms = [world.decided(world.shopper(f"t{n}"), channel="sms", coupon_for=None) for n in range(12)]
    worker(world, push=Phone(lambda _message: RetryLater(0.0, "503")), sms=Phone()).drain()
    assert {world.message(row).state for row in by_sms} == {"accepted"}


def test_messages_that_failed_are_at_most_a_tenth_of_the_calls_of_a_minute(world: World) -> None:
    """Every fourth call fails, too few for the breaker."""
    asked = Counter[str]()
    calls: list[tuple[float, bool]] = []

    def answer(message: MessageRow) -> SendResult:
        calls.append((world.clock.monotonic_s(), message.tries > 0))
        asked[message.id] += 1
        return RetryLater(0.0, "500") if len(calls) % 4 == 0 else Accepted("1")

    planned(world, 200)
    sending = worker(world, push=Phone(answer))
    for _ in range(240):
        sending.drain()
        world.clock.advance(timedelta(seconds=1))
    for end_s, _ in calls:
        minute = [again for at_s, again in calls if end_s - 60 < at_s <= end_s]
        assert sum(minute) <= max(6, 0.1 * len(minute))
    assert sum(again for _, again in calls) > 20


@pytest.mark.parametrize("per_s", [0.5, 3.0, 25.0])
def test_the_rate_of_a_channel_is_kept_and_used(world: World, per_s: float) -> None:
    begun: list[float] = []

    def answer(_message: MessageRow) -> SendResult:
        begun.append(world.clock.monotonic_s())
        return Accepted("1")

    planned(world, 60)
    others = [world.decided(world.shopper(f"t{n}"), channel="sms", coupon_for=None) for n in range(30)]
    sending = worker(world, pace=Pace(1, {"push": per_s}), push=Phone(answer), sms=Phone())
    seconds = 0
    while states(world)["planned"]:
        sending.drain()
        world.clock.advance(timedelta(seconds=1))
        seconds += 1
    assert {world.message(row).state for row in others} == {"accepted"}
    assert max(Counter(int(at_s) for at_s in begun).values()) <= max(1, per_s)
    assert seconds <= 60 / per_s + 2


def test_few_of_many_messages_are_in_a_worker_s_hands_at_a_time(world: World) -> None:
    in_hand: list[int] = []

    def answer(_message: MessageRow) -> SendResult:
        now = states(world)
        in_hand.append(now["claimed"] + now["sending"])
        return Accepted("1")

    planned(world, 60)
    assert worker(world, pace=Pace(at_once=2), push=Phone(answer)).drain() == 60
    assert max(in_hand) <= 2 * AHEAD + 2


class Counting(SqlDatabase):
    """A database that counts its transactions."""

    writes: int

    def write(self, work: Callable[[Records], Any], *, then: Callable[[Any], object] | None = None) -> Any:
        """Runs work in one transaction."""
        self.writes += 1
        return super().write(work, then=then)


def test_while_a_provider_is_down_nothing_is_written_between_two_probes(world: World) -> None:
    planned(world, 8)
    world.database.__class__ = Counting
    counting = cast("Counting", world.database)
    sending = worker(world, push=Phone(lambda _message: RetryLater(0.0, "503")))
    counting.writes = 0
    sending.drain()
    assert counting.writes
    counting.writes = 0
    for _ in range(int(REST_S) - 1):
        world.clock.advance(timedelta(seconds=1))
        assert sending.drain() == 0
    assert counting.writes == 0
    world.clock.advance(timedelta(seconds=1))
    assert sending.drain() == 1


class Together:
    """A channel whose calls wait for each other until so many run at once."""

    def __init__(self, many: int) -> None:
        self._gate = Barrier(many)
        self._lock = Lock()
        self.running = self.most = 0
        self.sent: list[str] = []

    def send(self, message: MessageRow, _address: Address, _coupon: CouponRow | None) -> SendResult:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.sent.append(message.id)
        self._gate.wait(WAIT_S)
        with self._lock:
            self.running -= 1
        return Accepted("1")


def test_eight_calls_run_at_once_and_no_more(world: World) -> None:
    planned(world, 40)
    phone = Together(8)
    assert worker(world, pace=Pace(at_once=8), push=phone).drain() == 40
    assert (phone.most, len(set(phone.sent)), states(world)) == (8, 40, {"accepted": 40})


def test_calls_that_hang_leave_another_channel_its_turn(world: World) -> None:
    over = Event()

    def hang(_message: MessageRow) -> SendResult:
        assert over.wait(WAIT_S)
        return Unknown("no answer")

    def last(_message: MessageRow) -> SendResult:
        if states(world)["accepted"] == 4:
            over.set()
        return Accepted("1")

    planned(world, 20)
    for number in range(5):
        world.decided(world.shopper(f"t{number}"), channel="sms", coupon_for=None)
    hanging = Phone(hang)
    worker(world, pace=Pace(at_once=3), push=hanging, sms=Phone(last)).drain()
    assert over.is_set()
    assert states(world)["accepted"] == 5


@pytest.mark.parametrize("channel", ["push", "sms"])
def test_two_workers_never_send_the_same_message(world: World, channel: str) -> None:
    planned(world, 120, channel=channel)
    phone = Phone()
    both = Barrier(2)

    def drain(_number: int) -> int:
        sending = worker(world, {channel: phone}, pace=Pace(at_once=4))
        both.wait(WAIT_S)
        return sending.drain()

    with ThreadPoolExecutor(2) as threads:
        taken = list(threads.map(drain, range(2)))
    assert sum(taken) == 120
    assert len({row.id for row in phone.sent}) == len(phone.sent) == 120
    assert states(world) == {"accepted": 120}


class Failing(SqlDatabase):
    """A database that cannot take what providers have said, as often as it is told."""

    broken: list[Exception]

    def write(self, work: Callable[[Records], Any], *, then: Callable[[Any], object] | None = None) -> Any:
        """Runs work in one transaction, unless it is broken."""
        if work.__qualname__.startswith("Deliver._turn.") and states_of(self)["sending"] and self.broken:
            raise self.broken.pop()
        return super().write(work, then=then)


def states_of(database: SqlDatabase) -> Counter[str]:
    with database.read() as records:
        rows = records.messages._connection.exec_driver_sql("SELECT state FROM messages")  # type: ignore[attr-defined]
        return Counter(state for (state,) in rows)


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), ZeroDivisionError("a flaw")])
def test_what_a_provider_said_is_kept_while_the_database_takes_nothing(
    world: World, error: Exception
) -> None:
    messages = planned(world, 3, channel="sms")
    world.database.__class__ = Failing
    cast("Failing", world.database).broken = [error]
    phone = Phone()
    sending = worker(world, sms=phone)
    if isinstance(error, Unavailable):
        with pytest.raises(Unavailable):
            sending.drain()
        assert states(world)["sending"] == 1
    sending.drain()
    assert set(states(world)) == {"accepted", "claimed"}
    world.clock.advance(timedelta(seconds=LEASE_S))
    claimed, in_doubt = sending.recover_lost()
    assert (claimed > 0, in_doubt) == (True, 0)
    sending.drain()
    assert {world.message(row).state for row in messages} == {"accepted"}
    assert len(phone.sent) == 3


def test_what_may_be_lost_or_doubled_is_counted(world: World) -> None:
    metrics = Metrics()

    def count(name: str, channel: str) -> float:
        return (
            metrics.registry.get_sample_value(f"m2s_messages_maybe_{name}_total", {"channel": channel}) or 0
        )

    world.decided(world.shopper("ann"), valid_for=timedelta(seconds=3))
    world.decided(world.shopper("bea"), channel="sms")
    doubt = Phone(lambda _message: Unknown("no answer"))
    sending = worker(world, metrics=metrics, push=doubt, sms=doubt)
    sending.drain()
    assert (count("doubled", "push"), count("lost", "push")) == (1, 0)
    world.clock.advance(timedelta(seconds=1))
    sending.drain()
    assert (count("doubled", "push"), count("lost", "push")) == (1, 1)
    assert (count("doubled", "sms"), count("lost", "sms")) == (0, 0)
    world.clock.advance(timedelta(hours=24))
    assert sending.ask(world.clock.now()) == 1
    assert (count("doubled", "sms"), count("lost", "sms")) == (0, 1)
    text = metrics.render().decode()
    assert 'm2s_calls_total{channel="sms",result="unknown"} 1.0' in text
    assert 'm2s_messages_total{channel="sms",state="unknown_final"} 1.0' in text
