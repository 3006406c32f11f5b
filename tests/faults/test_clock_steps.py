"""Is anything lost, taken twice or sent twice, and does anything stand still, when the service's own clock is set?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.runtime.scheduler import Heartbeat
from m2s.adapters.storage import sightings as ledger
from m2s.app.channel import Address, SendResult
from m2s.app.deliver import LEASE_S
from m2s.app.jobs import Job, Jobs
from m2s.app.rows import CouponRow, MessageRow
from tests.app.delivering import worker
from tests.app.town import MORNING, Town, campaign, fix, open_town
from tests.app.world import Phone, open_world
from tests.faults.clocks import RunningClock, SetClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVERY_H = 12
WAIT_S = 30.0
STEPS = [HOUR, -HOUR, DAY, -DAY]
OFFER = campaign("c", "o: {enter: premises}|valid_for: 45m")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path)
    found.clock = SetClock(MORNING)
    found.restart()
    found.furnish(OFFER)
    yield found
    found.engine.stop()


def put(town: Town, off: timedelta) -> None:
    assert isinstance(town.clock, SetClock)
    town.clock.put(off)


@pytest.mark.parametrize("off", STEPS, ids=str)
@pytest.mark.parametrize("corrected", [False, True], ids=["stays", "corrected"])
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_repeat_is_known_for_72_hours_however_the_clock_was_set(
    town: Town, monkeypatch: pytest.MonkeyPatch, off: timedelta, corrected: bool, restarted: bool
) -> None:
    monkeypatch.setattr(ledger, "_PAGE_OF_TEXT", 2)
    device = town.device("ann")
    hours = range(0, 96, EVERY_H)
    for hour in hours:
        if hour == 12:
            put(town, off)
        if hour == 24 and corrected:
            put(town, -off)
        if restarted:
            town.restart()
        # A phone counts ages by itself, whatever the clock of the service says.
        known = [fix(f"s{then}", age_s=(hour - then) * 3600) for then in hours if 0 < hour - then <= 72]
        told = town.post(device, *known, fix(f"s{hour}"))
        assert (told.accepted, told.duplicates, told.rejected) == (1, len(known), []), hour
        town.clock.advance(EVERY_H * HOUR)
    assert town.count("sightings") == len(hours)


@pytest.mark.parametrize("off", STEPS, ids=str)
def test_jobs_go_on_at_once_after_the_clock_was_set(town: Town, off: timedelta) -> None:
    def beats() -> list[bool]:
        done = []
        for _ in range(3):
            town.clock.advance(timedelta(seconds=60))
            done += [town.engine.jobs.beat(name) for name in ("deliver", "plan_sends", "close_visits")]
        return done

    for _ in range(60):
        assert all(beats())
    put(town, off)
    assert all(beats())
    put(town, -off)
    assert all(beats())


class SetWhileSending(Phone):
    """A channel during whose call the clock is set and other workers look for something to do."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        self._meanwhile()
        return super().send(message, address, coupon)


@pytest.mark.parametrize("off", STEPS, ids=str)
@pytest.mark.parametrize("channel", ["push", "sms"])
def test_a_message_is_sent_once_and_kept_by_its_worker_while_the_clock_is_set(
    tmp_path: Path, channel: str, off: timedelta
) -> None:
    world = open_world(tmp_path)
    clock = SetClock(MORNING)
    world.clock = clock
    others: list[Any] = []

    def meanwhile() -> None:
        clock.put(off)
        clock.advance(timedelta(seconds=LEASE_S - 1))
        others.append(second.recover_lost())
        others.append(second.drain())
        others.append(second.expire(clock.now()))

    idle, busy = Phone(), SetWhileSending(meanwhile)
    second, first = (worker(world, {channel: phone}, clock=clock) for phone in (idle, busy))
    message = world.decided(world.shopper("ann"), channel=channel)
    try:
        assert first.drain() == 1
        clock.put(-off)
        assert second.drain() == 0
        assert others == [(0, 0), 0, 0]
        assert (len(busy.sent), len(idle.sent)) == (1, 0)
        assert world.message(message).state == "accepted"
    finally:
        world.database.close()


@pytest.mark.parametrize("off", [-HOUR, -DAY], ids=str)
def test_a_message_whose_worker_died_is_taken_back_also_when_the_clock_was_set_back(
    tmp_path: Path, off: timedelta
) -> None:
    world = open_world(tmp_path)
    clock = SetClock(MORNING)
    world.clock = clock
    message = world.decided(world.shopper("ann"))
    world.database.write(
        lambda records: records.messages.claim(
            "push", now=clock.now(), leased_until_s=LEASE_S, limit=1, most_again=0
        )
    )
    clock.put(off)
    clock.advance(timedelta(seconds=LEASE_S + 1))
    try:
        lost = world.database.write(
            lambda records: records.messages.release_leases(
                expired_at_s=clock.monotonic_s(), at=clock.now(), resend=["push"]
            )
        )
        assert lost == (1, {})
        assert world.message(message).state == "planned"
    finally:
        world.database.close()


@pytest.mark.parametrize("off", STEPS, ids=str)
def test_what_is_taken_while_the_clock_is_set_is_kept_and_folded(town: Town, off: timedelta) -> None:
    device = town.device("ann")
    for turn in range(6):
        if turn == 3:
            put(town, off)
        for n in range(5):
            town.clock.advance(timedelta(seconds=30))
            assert town.post(device, fix(f"s{turn}-{n}")).accepted == 1
        town.engine.jobs.beat("close_visits")
    before = town.visits()
    assert (town.count("sightings"), town.count("evidence")) == (30, 90)
    town.restart()
    assert town.visits() == before
    # Two stays of seven minutes each: the jump between them is longer than any silence inside a stay.
    assert [row.dwell_s for row in before if row.kind == "visit"] == [420, 420]


@pytest.mark.parametrize("off", [-HOUR, -DAY], ids=str)
def test_the_heartbeat_beats_on_when_the_clock_is_set_back(town: Town, off: timedelta) -> None:
    clock = RunningClock()
    beats = threading.Semaphore(0)
    jobs = Jobs(town.engine.database, clock, jobs=[Job("beat", 1, lambda _now: beats.release())])
    heartbeat = Heartbeat(jobs, now_s=lambda: clock.now().timestamp())
    heartbeat.start()
    try:
        assert beats.acquire(timeout=WAIT_S)
        clock.put(off)
        for _ in range(2):
            assert beats.acquire(timeout=WAIT_S), "the heartbeat stands still"
    finally:
        heartbeat.stop()
