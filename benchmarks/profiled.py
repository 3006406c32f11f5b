"""Where does each microsecond go? A sampling profile of the whole job by step, for three mixes."""

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

from benchmarks.floor import COMMITS, PER_COMMIT
from benchmarks.in_process import Job
from benchmarks.measured import Goal, Row
from benchmarks.workload import BUSY, Mix, make_stores
from m2s.adapters.storage.engine import write_engine
from m2s.adapters.storage.records import SqlRecords

MIXES = {
    "the benchmark's mix": BUSY,
    "half inside a zone": Mix(touching=0.5, inside=True),
    "60 % away": Mix(away=0.6),
}
_EVERY_S = 0.000_1
"""Far less than what a commit takes: of what ran before a call into C, half of this is told to be the call's."""
_ROUNDS = 5
_LARGEST = Goal(0.25, at_most=True)
_ANYTHING = ""
_STEPS = (
    ("/sqlalchemy/engine/", "do_commit", "commit"),
    ("/sqlalchemy/", _ANYTHING, "SQL"),
    ("/m2s/adapters/storage/direct.py", "read", "SQL"),
    ("/m2s/adapters/storage/direct.py", "write", "SQL"),
    ("/m2s/adapters/storage/direct.py", "append", "SQL"),
    ("/m2s/adapters/storage/", _ANYTHING, "build rows"),
    ("/m2s/app/dedupe.py", _ANYTHING, "de-duplicate"),
    ("/m2s/core/base/id_set.py", _ANYTHING, "de-duplicate"),
    ("/m2s/app/matching.py", "_take", "build rows"),
    ("/m2s/app/matching.py", "_row", "build rows"),
    ("/m2s/app/matching.py", _ANYTHING, "match"),
    ("/m2s/core/places/", _ANYTHING, "match"),
    ("/m2s/app/occasions.py", _ANYTHING, "decide"),
    ("/m2s/app/deciding.py", _ANYTHING, "decide"),
    ("/m2s/app/decide.py", _ANYTHING, "decide"),
    ("/m2s/app/spending.py", _ANYTHING, "decide"),
    ("/m2s/app/histories.py", _ANYTHING, "decide"),
    ("/m2s/app/facts.py", _ANYTHING, "decide"),
    ("/campaigns/", _ANYTHING, "decide"),
    ("/m2s/app/intake.py", "_moved", "presence"),
    ("/m2s/app/presences.py", _ANYTHING, "presence"),
    ("/m2s/app/firing.py", _ANYTHING, "presence"),
    ("/m2s/app/crossings.py", _ANYTHING, "presence"),
    ("/m2s/core/presence/tracker.py", _ANYTHING, "presence"),
    ("/m2s/core/presence/nearness.py", _ANYTHING, "presence"),
    ("/m2s/core/presence/whereabouts.py", _ANYTHING, "presence"),
    ("/m2s/app/visits.py", _ANYTHING, "visits"),
    ("/m2s/app/visit_events.py", _ANYTHING, "visits"),
    ("/m2s/app/telling.py", _ANYTHING, "visits"),
    ("/m2s/app/folding.py", _ANYTHING, "visits"),
    ("/m2s/app/rivals.py", _ANYTHING, "visits"),
    ("/m2s/core/presence/marks.py", _ANYTHING, "visits"),
    ("/m2s/core/presence/visit.py", _ANYTHING, "visits"),
    ("/m2s/core/presence/rivals.py", _ANYTHING, "visits"),
    ("/benchmarks/in_process.py", "decoded", "decode"),
)
"""File, function and step; what is innermost on the stack counts, and of two lines the first that fits."""
_WITHOUT_GOAL = ("SQL", "commit")
_STEP_NAMES = tuple(dict.fromkeys(step for _, _, step in _STEPS))
_OTHER = "other"


def profiles(folder: Path, *, seed: int) -> list[Row]:
    """A row for each step of each mix."""
    rows = []
    for number, (name, mix) in enumerate(MIXES.items()):
        stores = make_stores(seed, taking_part=1 if mix.inside else 10)
        with closing(Job(folder / f"{number}.sqlite3", stores, seed=seed, mix=mix)) as job:
            rows += _profile(folder / f"{number}.sqlite3", job, name)
    return rows


def _profile(path: Path, job: Job, name: str) -> list[Row]:
    """Profiles the job on this thread, which is the only one that gets signals, in the writer's stead."""
    rounds: list[Counter[str]] = []
    engine = write_engine(path)
    with engine.connect() as connection:
        records = SqlRecords(connection)
        for _ in range(_ROUNDS + 1):
            groups = job.groups()
            with _sampled() as seconds:
                for bodies in groups:
                    batches = job.decoded(bodies)
                    with connection.begin():
                        result = job.engine.intake.process(records, batches)
                    result.publish()
            rounds.append(seconds)
    engine.dispose()
    return _rows(name, rounds[1:])


@contextmanager
def _sampled() -> Iterator[Counter[str]]:
    """CPU seconds of this thread by step.

    A signal that comes during a call into C is seen when that returns, so each sample weighs as much as was used since
    the one before.
    """
    seconds: Counter[str] = Counter()
    last, busy = time.thread_time(), False

    def sample(_number: int, frame: FrameType | None) -> None:
        nonlocal last, busy
        # A signal may come during the handler of another.
        if busy:
            return
        busy = True
        now = time.thread_time()
        seconds[_step(frame)] += now - last  # type: ignore[assignment]  # a counter of seconds
        last, busy = time.thread_time(), False

    before = signal.signal(signal.SIGALRM, sample)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
    try:
        yield seconds
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _step(frame: FrameType | None) -> str:
    while frame is not None:
        step = _step_of(frame.f_code)
        if step is not None:
            return step
        frame = frame.f_back
    return _OTHER


@cache
def _step_of(code: CodeType) -> str | None:
    for part, wanted, step in _STEPS:
        if part in code.co_filename and wanted in (_ANYTHING, code.co_name):
            return step
    return None


def _rows(name: str, rounds: Sequence[Counter[str]]) -> list[Row]:
    rows = []
    for step in (*_STEP_NAMES, _OTHER):
        shares = sorted(one[step] / sum(one.values()) for one in rounds)
        costs = sorted(one[step] / (COMMITS * PER_COMMIT) * 1e6 for one in rounds)
        rows.append(
            Row(
                name=f"profile, {name}: {step}",
                figure=shares[len(shares) // 2],
                spread=(shares[0], shares[-1]),
                goal=None if step in _WITHOUT_GOAL else _LARGEST,
                value=costs[len(costs) // 2],
                unit="of the CPU time",
                beside={"µs of CPU a sighting": costs[len(costs) // 2]},
            )
        )
    return rows
