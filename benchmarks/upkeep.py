"""What does upkeep cost? A rebuild of the visits, and dropping what is too old beside intake."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median
from threading import Thread

import sqlalchemy as sa

from benchmarks.floor import COMMITS, PER_COMMIT
from benchmarks.in_process import Job
from benchmarks.measured import Goal, Round, Row, absolute, compared, in_turns, one_core
from benchmarks.stored import WEEK_MS, store_evidence
from benchmarks.workload import make_stores, opened
from m2s.adapters.storage.engine import read_engine
from m2s.adapters.storage.statements import columns
from m2s.adapters.storage.tables import visits
from m2s.app.rebuild import rebuild_visits
from m2s.app.retention import Retention
from m2s.app.rows import VisitRow

_EVIDENCE = 1_000_000
_STORED = 2_100_000
_OLD_EVIDENCE = 500_000
_KEPT, _ALL = timedelta(milliseconds=WEEK_MS) * 4 / 7, timedelta(days=400)


def rebuild(folder: Path, *, seed: int) -> list[Row]:
    """From a million pieces of evidence; dropped visits come back as they were, byte by byte."""
    path = folder / "rebuild.sqlite3"
    engine = opened(path, make_stores(seed))
    try:
        now = engine.clock.now()
        store_evidence(path, _EVIDENCE, until=now)
        taken_s, digests = [], []
        for _ in range(2):
            began_s = time.perf_counter()
            rebuilt = rebuild_visits(engine.database, engine.catalog(), now=now)
            taken_s.append(time.perf_counter() - began_s)
            digests.append(_digest(path))
            gone = _every_second(path)
            engine.database.write(lambda records, gone=gone: records.sightings.drop_visits(gone))
        assert rebuilt.evidence == _EVIDENCE
    finally:
        engine.stop()
    return [
        absolute(
            "rebuild of the visits of 1 M pieces of evidence",
            [max(taken_s)],
            goal=Goal(60, at_most=True),
            unit="s",
            beside={"visits": rebuilt.stays},
        ),
        absolute(
            "visits that differ after half were dropped and rebuilt",
            [float(digests[0] != digests[1])],
            goal=Goal(0, at_most=True),
            unit="(0: byte-equal)",
        ),
    ]


def retention(folder: Path, *, seed: int) -> list[Row]:
    """Intake while sightings, and then evidence, are dropped that are too old, against the same intake without."""
    stores = make_stores(seed)
    rows = []
    with one_core(), closing(Job(folder / "sightings.sqlite3", stores, seed=seed, stored=_STORED)) as job:
        rows.append(_dropping(job, "a day of sightings", sightings_kept=_KEPT, evidence_kept=_ALL))
    path = folder / "evidence.sqlite3"
    with one_core(), closing(Job(path, stores, seed=seed)) as job:
        store_evidence(path, _OLD_EVIDENCE, until=job.engine.clock.now())
        rows.append(_dropping(job, "a day of evidence", sightings_kept=_ALL, evidence_kept=_KEPT))
    return rows


def _dropping(job: Job, what: str, *, sightings_kept: timedelta, evidence_kept: timedelta) -> Row:
    dropping = Retention(
        job.engine.database, job.engine.clock, sightings_kept=sightings_kept, evidence_kept=evidence_kept
    )
    dropped: list[int] = []
    ours, floor = in_turns(lambda: _beside(dropping, job, dropped), job.round)
    assert min(dropped) > 0, "what was to be dropped did not last for all rounds"
    row = compared(
        f"intake while {what} is dropped, against none dropped", ours, floor, goal=Goal(1.15, at_most=True)
    )
    taken = COMMITS * PER_COMMIT
    return replace(
        row, beside={**row.beside, "dropped for each sighting that was taken": median(dropped) / taken}
    )


def _beside(dropping: Retention, job: Job, dropped: list[int]) -> Round:
    """Intake while a run of dropping goes on, which is stopped as soon as the intake is through."""
    intake, now = job.round(), job.engine.clock.now()
    dropping._stopped.clear()

    def drop() -> None:
        done = dropping.run(now)
        dropped.append(done.sightings + done.evidence)

    def work() -> int:
        before = len(dropped)
        thread = Thread(target=drop)
        thread.start()
        handled = intake()
        dropping.stop()
        thread.join()
        assert len(dropped) > before
        return handled

    return work


def _every_second(path: Path) -> list[VisitRow]:
    rows = _rows(path, sa.select(*columns(visits, VisitRow)).order_by(visits.c.id))
    return [VisitRow(*row) for row in rows][::2]


def _digest(path: Path) -> str:
    digest = sha256()
    for row in _rows(path, sa.select(visits).order_by(visits.c.id)):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _rows(path: Path, query: sa.Select[tuple[object, ...]]) -> Sequence[sa.Row[tuple[object, ...]]]:
    engine = read_engine(path)
    with engine.connect() as connection:
        found = connection.execute(query).all()
    engine.dispose()
    return found
