"""What must happen again and again? The one list of heartbeat jobs; whoever claims a tick's row runs it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from m2s.app.clocks import Clocks
from m2s.app.deliver import Deliver
from m2s.app.follow_ups import FollowUps
from m2s.app.guard import Guard
from m2s.app.notify import Notify
from m2s.app.plan import PlanSends
from m2s.app.ports import Database, Records
from m2s.app.receipts import KEPT as RECEIPTS_KEPT
from m2s.app.regulars import Regulars
from m2s.app.retention import Retention
from m2s.core.base.instants import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_KEPT = timedelta(days=1)
_ANSWERS_KEPT = timedelta(days=7)
_PACES_KEPT = timedelta(days=366)
_NOTICES_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Job:
    """One duty of the heartbeat, due at every whole multiple of `every_s` seconds since 1970 (UTC)."""

    name: str
    every_s: int
    run: Callable[[datetime], object]


def standard_jobs(
    database: Database,
    *,
    close_visits: Callable[[datetime], object],
    plan: PlanSends,
    deliver: Deliver,
    retention: Retention,
    regulars: Regulars,
    guard: Guard,
    follow_ups: FollowUps,
    clocks: Clocks,
    notify: Notify,
) -> tuple[Job, ...]:
    """The jobs of a serving process, in the order in which ticks of the same instant should run."""

    def forget(now: datetime) -> None:
        def work(records: Records) -> None:
            records.jobs.forget_ticks(now - _TICKS_KEPT)
            records.access.forget_answers(now - _ANSWERS_KEPT)
            records.spending.drop_paced(now - _PACES_KEPT)
            records.webhooks.drop_before(now - _NOTICES_KEPT)
            records.receipts.drop_before(now - RECEIPTS_KEPT)

        database.write(work)

    return (
        Job("close_visits", 30, close_visits),
        Job("plan_sends", 60, plan.catch_up),
        Job("follow_ups", 60, follow_ups.run),
        Job("recover_leases", 30, lambda _now: deliver.recover_lost()),
        Job("expire", 60, deliver.expire),
        Job("deliver", 1, lambda _now: deliver.drain()),
        Job("ask", 60, deliver.ask),
        Job("forget", 3600, forget),
        Job("retention", 60, retention.run),
        Job("regulars", 3600, regulars.run),
        Job("guard", 600, guard.run),
        Job("keep_clocks", 10, clocks.keep),
        Job("notify", 1, notify.run),
    )


class Jobs:
    """Runs jobs, each tick (job, due) once however many processes beat."""

    def __init__(self, database: Database, clock: Clock, *, jobs: Sequence[Job]) -> None:
        self._database = database
        self._clock = clock
        self._jobs = {job.name: job for job in jobs}
        self._lock = threading.Lock()
        self._last_due: dict[str, datetime] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The jobs in their order."""
        return tuple(self._jobs)

    def every_s(self, name: str) -> int:
        """A job's period in seconds. Raises KeyError for a job that is not in the list."""
        return self._jobs[name].every_s

    def tick(self, name: str, due: datetime) -> bool:
        """Runs a job if nobody has run this tick of it yet; says whether it did."""

        def claim(records: Records) -> bool:
            return records.jobs.claim_tick(name, due, self._clock.now())

        claimed = self._database.write(claim)
        if claimed:
            self._jobs[name].run(self._clock.now())
        with self._lock:
            self._last_due[name] = due
        return claimed

    def beat(self, name: str) -> bool:
        """Runs the tick that is due now."""
        return self.tick(name, self._boundary(name, self._clock.now()))

    def run_due(self, now: datetime) -> int:
        """Runs every job whose period began anew since it last ran here, once and in order; returns how many.

        For a stepped clock, in place of the scheduler.
        """
        ran = 0
        for name in self.names:
            due = self._boundary(name, now)
            last = self._last_due.get(name)
            if last is None or last < due:
                ran += self.tick(name, due)
        return ran

    def _boundary(self, name: str, now: datetime) -> datetime:
        every = timedelta(seconds=self._jobs[name].every_s)
        return _EPOCH + (now - _EPOCH) // every * every
