"""Does every tick run once, in order, and do all jobs of the list work on a real database?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from m2s.adapters.channels.outward import OutwardPost
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.callbacks import WHOLE, ReceiptRow
from m2s.app.clocks import Clocks
from m2s.app.deciding import House
from m2s.app.deliver import Deliver
from m2s.app.follow_ups import FollowUps
from m2s.app.guard import Guard
from m2s.app.jobs import Job, Jobs, standard_jobs
from m2s.app.notify import Notify
from m2s.app.plan import PlanSends
from m2s.app.regulars import Regulars
from m2s.app.retention import Retention
from m2s.app.rows import AnswerRow
from m2s.core.delivery.outward import Outward
from tests.app.delivering import worker
from tests.app.world import PORT, Phone, World

NOON = datetime(2026, 11, 7, 12, 0, tzinfo=UTC)


def recording(world: World, ran: list[str]) -> Jobs:
    jobs = [
        Job("often", 30, lambda _now: ran.append("often")),
        Job("seldom", 60, lambda _now: ran.append("seldom")),
    ]
    return Jobs(world.database, world.clock, jobs=jobs)


def test_a_tick_runs_in_the_process_that_claims_it_and_in_no_other(world: World) -> None:
    ran: list[str] = []
    first, second = recording(world, ran), recording(world, ran)
    assert [jobs.tick("often", NOON) for jobs in (first, second, first)] == [True, False, False]
    assert second.tick("often", NOON + timedelta(seconds=30))
    assert ran == ["often", "often"]


def test_due_jobs_run_once_for_each_period_in_the_order_of_the_list(world: World) -> None:
    ran: list[str] = []
    jobs = recording(world, ran)
    counts = []
    for seconds in (0, 29, 30, 59, 60, 61):
        counts.append(jobs.run_due(NOON + timedelta(seconds=seconds)))
    assert counts == [2, 0, 1, 0, 2, 0]
    assert ran == ["often", "seldom", "often", "often", "seldom"]


def test_missed_periods_are_run_as_one(world: World) -> None:
    ran: list[str] = []
    jobs = recording(world, ran)
    jobs.run_due(NOON)
    assert jobs.run_due(NOON + timedelta(hours=5)) == 2
    assert jobs.run_due(NOON + timedelta(hours=5, seconds=29)) == 0
    assert ran == ["often", "seldom"] * 2


def test_a_beat_runs_the_tick_at_the_last_whole_period(world: World) -> None:
    jobs = recording(world, [])
    world.clock.set(NOON + timedelta(seconds=59))
    assert jobs.beat("often")
    assert not jobs.tick("often", NOON + timedelta(seconds=30)), "the beat has claimed this tick"
    assert jobs.tick("often", NOON)
    assert jobs.tick("seldom", NOON)


def test_a_job_that_fails_tells_and_its_next_tick_runs(world: World) -> None:
    results = iter([ZeroDivisionError("boom"), None])

    def run(_now: datetime) -> None:
        error = next(results)
        if error is not None:
            raise error

    jobs = Jobs(world.database, world.clock, jobs=[Job("shaky", 1, run)])
    with pytest.raises(ZeroDivisionError):
        jobs.tick("shaky", NOON)
    assert jobs.tick("shaky", NOON + timedelta(seconds=1))


def standard(
    world: World, close_visits: Callable[[datetime], object], *, plan: PlanSends, deliver: Deliver
) -> Sequence[Job]:
    return standard_jobs(
        world.database,
        close_visits=close_visits,
        plan=plan,
        deliver=deliver,
        retention=Retention(
            world.database,
            world.clock,
            sightings_kept=timedelta(days=7),
            evidence_kept=timedelta(days=396),
        ),
        regulars=Regulars(world.database, world.clock, catalog=lambda: world.catalog),
        follow_ups=FollowUps(
            world.database,
            lambda: world.catalog,
            house=House(world.policy, "36111", world.ids),
            observer=Metrics(),
        ),
        guard=Guard(world.database, pause=lambda _campaign_id: None),
        clocks=Clocks(world.database, found=lambda _ahead_s: None),
        notify=Notify(
            world.database,
            OutwardPost(Outward(), clock=world.clock),
            clock=world.clock,
            observer=Metrics().delivery,
        ),
    )


def test_the_standard_jobs_plan_send_expire_and_forget(world: World) -> None:
    phone = Phone()
    closed: list[datetime] = []
    deliver = worker(world, push=phone)
    plan = PlanSends(
        world.database,
        lambda: world.catalog,
        house=House(world.policy, "36111", world.ids),
        observer=Metrics(),
    )
    jobs = Jobs(
        world.database,
        world.clock,
        jobs=standard(world, closed.append, plan=plan, deliver=deliver),
    )
    start = datetime(2026, 11, 7, 8, 59, tzinfo=UTC)
    shopper = world.shopper("ann")
    world.seen(shopper, PORT, start)
    late = world.decided(world.shopper("bea"), channel="sms", valid_for=timedelta(minutes=1))
    for seconds in range(0, 61, 10):
        world.clock.set(start + timedelta(seconds=seconds))
        jobs.run_due(world.clock.now())
    assert [row.offer_id for row in phone.sent] == ["saturday"]
    assert closed == [start, start + timedelta(seconds=30), start + timedelta(seconds=60)]
    assert world.message(late).state == "expired"
    world.clock.advance(timedelta(days=2))
    jobs.run_due(world.clock.now())
    assert world.rows("SELECT count(DISTINCT due) FROM ticks")[0][0] <= 3


def test_an_answer_kept_for_a_repeat_is_forgotten_after_a_week(world: World) -> None:
    deliver = worker(world)
    plan = PlanSends(
        world.database,
        lambda: world.catalog,
        house=House(world.policy, "36111", world.ids),
        observer=Metrics(),
    )
    every = standard(world, lambda _now: None, plan=plan, deliver=deliver)
    (forget,) = (job for job in every if job.name == "forget")
    answer = AnswerRow(b"1", 201, "{}")
    world.database.write(lambda records: records.access.keep_answer("k", "1", answer=answer, at=NOON))
    receipt = ReceiptRow("twilio", "SM1", "sent", None, WHOLE, 1)
    world.database.write(lambda records: records.receipts.keep(receipt, at=NOON))
    forget.run(NOON + timedelta(days=7))
    with world.database.read() as records:
        assert records.access.answer("k", "1") == answer
        assert records.receipts.of("SM1") == [receipt]
    forget.run(NOON + timedelta(days=7, milliseconds=1))
    with world.database.read() as records:
        assert records.access.answer("k", "1") is None
        assert records.receipts.of("SM1") == []
