"""Who wakes the jobs up? A heartbeat of one thread a job; the jobs decide what is due and who may run it."""

import logging
import threading
import time
from collections.abc import Callable

from m2s.app.jobs import Jobs

_log = logging.getLogger(__name__)


class Heartbeat:
    """Beats every job at its own period, aligned to whole periods since 1970, each in a thread of its own.

    No pause is longer than the job's period, whatever happens to the clock meanwhile: a scheduler that remembers the
    instant of the next beat would stand still for an hour when the clock is set back by one.
    """

    def __init__(self, jobs: Jobs, *, now_s: Callable[[], float] = time.time) -> None:
        """`now_s` tells the seconds since 1970."""
        self._jobs = jobs
        self._now_s = now_s
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts beating. Raises RuntimeError when it beats already."""
        if self._threads:
            raise RuntimeError("the heartbeat has been started already")
        self._stopping.clear()
        # One thread a job: a slow provider must not keep visits from closing.
        self._threads = [
            threading.Thread(target=self._beat, args=(name,), name=f"m2s-{name}", daemon=True)
            for name in self._jobs.names
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops beating and returns when every job that was running has ended."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _beat(self, name: str) -> None:
        every_s = self._jobs.every_s(name)
        while not self._stopping.wait(every_s - self._now_s() % every_s):
            try:
                self._jobs.beat(name)
            except Exception:
                _log.exception("the job %s failed; it is run again at its next beat", name)
