"""Does a large catalog come into force without a pause? One of 100 000 stores is published again under load."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from threading import Thread

from benchmarks.in_process import Job
from benchmarks.measured import Goal, Row, absolute
from benchmarks.workload import make_stores

_STORES = 100_000
_SWAPS = 3
_QUIET_S = 2.0
_ENOUGH_S = 20.0
_SIZE = 20


def swaps(folder: Path, *, seed: int) -> list[Row]:
    """How long publishing takes, and how long a request waits for its commit at most meanwhile."""
    with closing(Job(folder / "catalog.sqlite3", make_stores(seed, _STORES), seed=seed, size=_SIZE)) as job:
        until_s = time.monotonic() + _QUIET_S
        quiet_ms = list(_answers_ms(job, lambda: time.monotonic() < until_s))
        swapped: list[tuple[float, float]] = []
        while len(swapped) < _SWAPS and sum(taken_s for taken_s, _ in swapped) < _ENOUGH_S:
            swapped.append(_swapped(job, len(swapped)))
        taken_s, longest_ms = zip(*swapped, strict=True)
    return [
        absolute(
            "publishing one of 100 000 stores: build and swap",
            taken_s,
            goal=Goal(1.5, at_most=True),
            unit="s",
        ),
        absolute(
            "longest wait of a request for its commit meanwhile",
            [max(longest_ms)],
            goal=Goal(50, at_most=True),
            unit="ms",
            beside={"ms without": max(quiet_ms), "median without": median(quiet_ms)},
        ),
    ]


def _swapped(job: Job, number: int) -> tuple[float, float]:
    """Seconds that one publishing took, and the longest wait in ms."""
    engine = job.engine
    store = replace(next(iter(engine.catalog().stores.values())), name=f"Changed {number}")
    taken_s: list[float] = []

    def publish() -> None:
        began_s = time.perf_counter()
        engine.publish.publish_stores([store])
        taken_s.append(time.perf_counter() - began_s)

    publishing = Thread(target=publish)
    publishing.start()
    longest_ms = max(_answers_ms(job, publishing.is_alive))
    publishing.join()
    return taken_s[0], longest_ms


def _answers_ms(job: Job, go_on: Callable[[], bool]) -> Iterator[float]:
    """How long each request waited, one after the other."""
    while go_on():
        for bodies in job.groups(1):
            for batch in job.decoded(bodies):
                began_s = time.perf_counter()
                job.engine.submit(batch).result()
                yield (time.perf_counter() - began_s) * 1e3
