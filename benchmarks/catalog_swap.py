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
_Beside = tuple[float, list[float]]
"""Seconds that something took, and the ms from each commit of the load to the next meanwhile."""


def swaps(folder: Path, *, seed: int) -> list[Row]:
    """How long publishing takes, and how long no commit follows another at most meanwhile."""
    with closing(Job(folder / "catalog.sqlite3", make_stores(seed, _STORES), seed=seed, size=_SIZE)) as job:
        _, quiet_ms = _beside(job, lambda: time.sleep(_QUIET_S))
        stores, campaigns = (
            [_beside(job, partial(work, job.engine, number)) for number in range(_TIMES)]
            for work in (_publish_store, _apply_campaign)
        )
        anew_s = [_built_anew_s(job.engine) for _ in range(_TIMES)]
    beside = {"ms without": max(quiet_ms), "median without": median(quiet_ms)}
    return [
        *_rows("one of 100 000 stores published: checked, committed, built, swapped", stores, beside),
        *_rows("a campaign of 100 000 stores applied: checked, committed, built, swapped", campaigns, beside),
        absolute(
            "catalog of 100 000 stores built as at a start, from read stores", anew_s, goal=None, unit="s"
        ),
    ]


def _publish_store(engine: Engine, number: int) -> None:
    store = next(iter(engine.catalog().stores.values()))
    engine.publish.publish_stores([replace(store, name=f"Changed {number}")])


def _apply_campaign(engine: Engine, number: int) -> None:
    engine.publish.apply_campaign(None, CAMPAIGN.replace("Hello", f"Hello {number}"))


def _built_anew_s(engine: Engine) -> float:
    stores, campaigns = engine.catalog().stores.values(), engine.publish.campaigns()
    with making_much():
        began_s = time.perf_counter()
        build_catalog(1, stores, campaigns)
        return time.perf_counter() - began_s


def _rows(name: str, measured: Sequence[_Beside], without: dict[str, float]) -> list[Row]:
    pauses_ms = [max(gaps_ms) for _, gaps_ms in measured]
    return [
        absolute(name, [taken_s for taken_s, _ in measured], goal=Goal(1.5, at_most=True), unit="s"),
        absolute(
            f"{name}: longest time between two commits of the intake",
            [max(pauses_ms)],
            goal=Goal(50, at_most=True),
            unit="ms",
            beside={"median of the longest": median(pauses_ms), **without},
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
    gaps_ms = list(_gaps_ms(job, batches, go_on=thread.is_alive))
    thread.join()
    return taken_s[0], gaps_ms


def _gaps_ms(job: Job, batches: Iterator[Batch], *, go_on: Callable[[], bool]) -> Iterator[float]:
    committed_s = time.perf_counter()
    while go_on():
        batch = next(batches, None)
        if batch is None:
            batches = _ready(job)
            committed_s = time.perf_counter()
            continue
        job.engine.submit(batch).result()
        before_s, committed_s = committed_s, time.perf_counter()
        yield (committed_s - before_s) * 1e3


def _ready(job: Job) -> Iterator[Batch]:
    return iter([batch for bodies in job.groups(_READY) for batch in job.decoded(bodies)])
