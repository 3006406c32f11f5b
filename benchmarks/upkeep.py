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
_KEPT = timedelta(milliseconds=WEEK_MS) * 4 / 7


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


def retention(folder: Path, *, seed: int) -> Row:
    """Intake while sightings that are too old are dropped, against the same intake without."""
    stores = make_stores(seed)
    with one_core(), closing(Job(folder / "retention.sqlite3", stores, seed=seed, stored=_STORED)) as job:
        dropped: list[int] = []
        ours, floor = in_turns(lambda: _beside(job, dropped), job.round)
    assert min(dropped) > 0, "what was to be dropped did not last for all rounds"
    row = compared(
        "intake while a day of sightings is dropped, against none dropped",
        ours,
        floor,
        goal=Goal(1.15, at_most=True),
    )
    taken = COMMITS * PER_COMMIT
    return replace(row, beside={**row.beside, "dropped for each one taken": median(dropped) / taken})


def _beside(job: Job, dropped: list[int]) -> Round:
    """Intake while a run of dropping goes on, which is stopped as soon as the intake is through."""
    intake, engine = job.round(), job.engine
    dropping = Retention(
        engine.database, engine.clock, sightings_kept=_KEPT, evidence_kept=timedelta(days=400)
    )
    now = engine.clock.now()

    def work() -> int:
        before = len(dropped)
        thread = Thread(target=lambda: dropped.append(dropping.run(now).sightings))
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
