"""Who wakes the jobs up? APScheduler as a heartbeat in UTC; the jobs decide what is due and who may run it."""

import logging
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from m2s.app.jobs import Jobs

_log = logging.getLogger(__name__)
# A beat that is left out because the one before still runs is no cause for a warning every second.
_log.setLevel(logging.ERROR)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Heartbeat:
    """Beats every job at its own period, aligned to whole periods since 1970, each in at most one thread."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Starts beating. Raises RuntimeError when it beats already."""
        if self._scheduler is not None:
            raise RuntimeError("the heartbeat has been started already")
        # One thread a job: a slow provider must not keep visits from closing.
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(self._jobs.names))},
            logger=_log,
        )
        for name in self._jobs.names:
            every = timedelta(seconds=self._jobs.every_s(name))
            scheduler.add_job(
                self._jobs.beat,
                IntervalTrigger(seconds=every.seconds, start_date=_next_boundary(every), timezone=UTC),
                args=(name,),
                id=name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, every.seconds // 2),
            )
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """Stops beating and returns when every job that was running has ended."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            return
        # Without the pause a beat that finds its threads ended already is an error in the log.
        scheduler.pause()
        scheduler.shutdown(wait=True)


def _next_boundary(every: timedelta) -> datetime:
    return _EPOCH + ((datetime.now(UTC) - _EPOCH) // every + 1) * every
