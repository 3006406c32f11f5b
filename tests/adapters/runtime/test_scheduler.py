"""Does the heartbeat beat at whole periods, one tick once, and does stopping wait for what runs?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m2s.adapters.runtime.clock import SystemClock
from m2s.adapters.runtime.scheduler import Heartbeat
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import driver
from m2s.adapters.storage.migrate import upgrade
from m2s.app.jobs import Job, Jobs

WAIT_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m2s.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[SqlDatabase]:
    upgrade(f"sqlite:///{path}")
    with SqlDatabase(f"sqlite:///{path}") as opened:
        yield opened


class Work:
    """A job that tells that it runs, and ends when it may."""

    def __init__(self) -> None:
        self.running, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.may_end.set()
        self.started_at: list[datetime] = []

    def run(self, now: datetime) -> None:
        self.started_at.append(now)
        self.running.set()
        self.may_end.wait(WAIT_S)
        self.ended.set()


def heart(database: SqlDatabase, work: Work) -> Heartbeat:
    return Heartbeat(Jobs(database, SystemClock(), jobs=[Job("beat", 1, work.run)]))


def test_stopping_waits_for_the_job_that_runs(database: SqlDatabase) -> None:
    work = Work()
    work.may_end.clear()
    heartbeat = heart(database, work)
    heartbeat.start()
    assert work.running.wait(WAIT_S)
    stopped = threading.Event()

    def stop() -> None:
        heartbeat.stop()
        stopped.set()

    thread = threading.Thread(target=stop)
    thread.start()
    assert not stopped.wait(0.2)
    assert not work.ended.is_set()
    work.may_end.set()
    assert stopped.wait(WAIT_S)
    thread.join()
    assert work.ended.is_set()


def test_two_heartbeats_on_one_database_run_each_tick_once(
    database: SqlDatabase, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Work(), Work()
    hearts = [heart(database, work) for work in (first, second)]
    with caplog.at_level(logging.ERROR):
        for heartbeat in hearts:
            heartbeat.start()
        started = datetime.now(UTC)
        while len(first.started_at) + len(second.started_at) < 2:
            assert (datetime.now(UTC) - started).total_seconds() < WAIT_S
            threading.Event().wait(0.02)
        for heartbeat in hearts:
            heartbeat.stop()
    with closing(driver().connect(path)) as connection:
        ticks = [due_ms for (due_ms,) in connection.execute("SELECT due FROM ticks")]
    assert len(ticks) == len(first.started_at) + len(second.started_at)
    assert all(due_ms % 1000 == 0 for due_ms in ticks)
    assert caplog.records == []


def test_a_job_that_takes_long_holds_no_other_back_and_warns_of_nothing(
    database: SqlDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    slow, beats = Work(), threading.Semaphore(0)
    slow.may_end.clear()
    jobs = [Job("slow", 1, slow.run), Job("other", 1, lambda _now: beats.release())]
    heartbeat = Heartbeat(Jobs(database, SystemClock(), jobs=jobs))
    with caplog.at_level(logging.WARNING):
        heartbeat.start()
        assert slow.running.wait(WAIT_S)
        for _ in range(3):
            assert beats.acquire(timeout=WAIT_S)
        slow.may_end.set()
        heartbeat.stop()
    assert len(slow.started_at) == 1
    assert caplog.records == []


def test_a_heartbeat_is_started_once_and_may_be_stopped_twice(database: SqlDatabase) -> None:
    heartbeat = heart(database, Work())
    heartbeat.start()
    with pytest.raises(RuntimeError, match="already"):
        heartbeat.start()
    heartbeat.stop()
    heartbeat.stop()
