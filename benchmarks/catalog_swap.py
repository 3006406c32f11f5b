"""Does a large catalog come into force without a pause? Stores and campaigns are published under load, of 100 000."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from threading import Thread

from benchmarks.in_process import Job
from benchmarks.measured import Goal, Row, absolute
from benchmarks.workload import CAMPAIGN, make_stores
from m2s.adapters.runtime.memory import making_much
from m2s.app.catalog import build_catalog
from m2s.app.sighting import Batch
from m2s.bootstrap import Engine

_STORES = 100_000
_TIMES = 5
_QUIET_S = 2.0
_SIZE = 20
_READY = 100
"""Times 500 sightings that are made before the load begins, and whenever none is left."""
_Gap = tuple[float, float]
"""The ms from one commit of the load to the next, and those in which this process held it up at most.

It cannot have done so for longer than it computed: the rest was spent waiting for the disk, or for other processes.
"""
_Beside = tuple[float, list[_Gap]]
"""Seconds that something took, and the gaps meanwhile."""


def swaps(folder: Path, *, seed: int) -> list[Row]:
    """How long publishing takes, and how long no commit follows another at most meanwhile."""
    with closing(Job(folder / "catalog.sqlite3", make_stores(seed, _STORES), seed=seed, size=_SIZE)) as job:
        _, quiet = _beside(job, lambda: time.sleep(_QUIET_S))
        stores, campaigns = (
            [_beside(job, partial(work, job.engine, number)) for number in range(_TIMES)]
            for work in (_publish_store, _apply_campaign)
        )
        anew_s = [_built_anew_s(job.engine) for _ in range(_TIMES)]
        imported = [_beside(job, partial(_publish_all, job.engine))]
    quiet_ms = [gap_ms for gap_ms, _ in quiet]
    beside = {"ms without": max(quiet_ms), "median without": median(quiet_ms)}
    in_steps = "checked, committed, built, swapped"
    return [
        *_rows(f"one of 100 000 stores published: {in_steps}", stores, beside),
        *_rows(f"a campaign of 100 000 stores applied: {in_steps}", campaigns, beside),
        *_rows(f"100 000 of 100 000 stores published: {in_steps}", imported, beside, has_goal=False),
        absolute(
            "catalog of 100 000 stores built as at a start, from read stores", anew_s, goal=None, unit="s"
        ),
    ]


def _publish_store(engine: Engine, number: int) -> None:
    store = next(iter(engine.catalog().stores.values()))
    engine.publish.publish_stores([replace(store, name=f"Changed {number}")])


def _publish_all(engine: Engine) -> None:
    stores = engine.catalog().stores.values()
    engine.publish.publish_stores([replace(store, name=f"{store.name}, changed") for store in stores])


def _apply_campaign(engine: Engine, number: int) -> None:
    engine.publish.apply_campaign(None, CAMPAIGN.replace("Hello", f"Hello {number}"))


def _built_anew_s(engine: Engine) -> float:
    stores, campaigns = engine.catalog().stores.values(), engine.publish.campaigns()
    with making_much():
        began_s = time.perf_counter()
        build_catalog(1, stores, campaigns)
        return time.perf_counter() - began_s


def _rows(
    name: str, measured: Sequence[_Beside], without: dict[str, float], *, has_goal: bool = True
) -> list[Row]:
    gaps_ms = [max(gap_ms for gap_ms, _ in gaps) for _, gaps in measured]
    held_ms = sorted((held_ms for _, gaps in measured for _, held_ms in gaps), reverse=True)
    return [
        absolute(
            name,
            [taken_s for taken_s, _ in measured],
            goal=Goal(1.5, at_most=True) if has_goal else None,
            unit="s",
        ),
        absolute(
            f"{name}: longest that the intake was held up between two commits",
            [held_ms[0]],
            goal=Goal(50, at_most=True) if has_goal else None,
            unit="ms",
            beside={
                "ms the second longest": held_ms[1],
                "ms by wall time": max(gaps_ms),
                "median of the longest": median(gaps_ms),
                **without,
            },
        ),
    ]


def _beside(job: Job, work: Callable[[], object]) -> _Beside:
    """Does something while requests are posted, each when the one before it is committed."""
    taken_s: list[float] = []

    def timed() -> None:
        began_s = time.perf_counter()
        work()
        taken_s.append(time.perf_counter() - began_s)

    batches = _ready(job)
    thread = Thread(target=timed)
    thread.start()
    gaps = list(_gaps(job, batches, go_on=thread.is_alive))
    thread.join()
    return taken_s[0], gaps


def _gaps(job: Job, batches: Iterator[Batch], *, go_on: Callable[[], bool]) -> Iterator[_Gap]:
    committed_s, used_s = time.perf_counter(), time.process_time()
    while go_on():
        batch = next(batches, None)
        if batch is None:
            batches = _ready(job)
            committed_s, used_s = time.perf_counter(), time.process_time()
            continue
        job.engine.submit(batch).result()
        before_s, committed_s = committed_s, time.perf_counter()
        used_before_s, used_s = used_s, time.process_time()
        gap_ms = (committed_s - before_s) * 1e3
        yield gap_ms, min(gap_ms, (used_s - used_before_s) * 1e3)


def _ready(job: Job) -> Iterator[Batch]:
    return iter([batch for bodies in job.groups(_READY) for batch in job.decoded(bodies)])
