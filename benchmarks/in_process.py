"""What does the whole job cost, and what changes it? In process, 500 sightings a commit, one core."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.floor import COMMITS, PER_COMMIT, RowsAlone, decoder
from benchmarks.measured import Goal, Round, Row, compared, in_turns, one_core
from benchmarks.stored import store_sightings
from benchmarks.workload import BUSY, Body, Feature, Mix, Traffic, make_stores, opened, shopper_of
from m2s.app.groups import GroupResult
from m2s.app.ports import Records
from m2s.app.sighting import Answer, Batch
from m2s.core.base.instants import to_ms

SIZE = 20
"""Sightings in a request, where a row says nothing else."""
_STORED = 5_000_000


class Job:
    """Decode, de-duplicate, match, presence, visits, decide, write and commit, on a new database."""

    def __init__(
        self,
        path: Path,
        stores: Sequence[Feature],
        *,
        seed: int,
        mix: Mix = BUSY,
        size: int = SIZE,
        stored: int = 0,
    ) -> None:
        """`stored` sightings of the last week are there already."""
        self.engine = opened(path, stores)
        now = self.engine.clock.now()
        if stored:
            store_sightings(path, stored, until=now)
        self.engine.start(heartbeat=False)
        self.traffic = Traffic(self.engine, seed=seed, mix=mix)
        self.received_at_ms = to_ms(now)
        self._size = size
        self.engine.settle()

    def groups(self, commits: int = COMMITS) -> list[list[Body]]:
        """Requests, 500 sightings together."""
        return [self.traffic.bodies(PER_COMMIT // self._size, self._size) for _ in range(commits)]

    def round(self) -> Round:
        """The work of one round."""
        groups = self.groups()

        def work() -> int:
            for bodies in groups:
                self._commit(bodies)
            return COMMITS * PER_COMMIT

        return work

    def decoded(self, bodies: Sequence[Body]) -> list[Batch]:
        """Requests as the door hands them over."""
        return [_batch(body, self.received_at_ms) for body in bodies]

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.stop()

    def _commit(self, bodies: Sequence[Body]) -> None:
        batches = self.decoded(bodies)

        def work(records: Records) -> GroupResult[Answer]:
            return self.engine.intake.process(records, batches)

        self.engine.database.write(work, then=lambda result: result.publish())


def _batch(body: Body, received_at_ms: int) -> Batch:
    device, text = body
    items = list(enumerate(decoder.decode(text).sightings))
    return Batch(device, {device: shopper_of(device)}, received_at_ms, None, items, [])


def whole_job(
    folder: Path,
    name: str,
    *,
    seed: int,
    mix: Mix,
    size: int = SIZE,
    stores: Sequence[Feature] = (),
    goal: float | None,
) -> list[Row]:
    """Against decode, rows, one executemany and commit: with the driver as it comes, and as m2s sets it up."""
    with one_core(), ExitStack() as stack:
        job = Job(folder / "whole.sqlite3", stores or make_stores(seed), seed=seed, mix=mix, size=size)
        stack.enter_context(closing(job))
        floors = [
            RowsAlone(
                folder / f"floor-{set_up}.sqlite3",
                job.traffic,
                size=size,
                received_at_ms=job.received_at_ms,
                set_up=set_up,
            )
            for set_up in (False, True)
        ]
        for floor in floors:
            stack.enter_context(closing(floor))
        ours, plain, quick = in_turns(job.round, *(floor.round for floor in floors))
    name = f"whole job, {name}, against rows alone"
    return [
        compared(name, ours, plain, goal=None if goal is None else Goal(goal)),
        compared(f"{name} with m2s's way to bind None", ours, quick, goal=None),
    ]


def random_ids(folder: Path, *, seed: int) -> Row:
    """Ids in no order, against ids of the same form in order of time."""
    stores = make_stores(seed)
    with (
        one_core(),
        closing(Job(folder / "random.sqlite3", stores, seed=seed, mix=Mix(ids="random"))) as ours,
        closing(Job(folder / "ordered.sqlite3", stores, seed=seed, mix=Mix(ids="ordered"))) as floor,
    ):
        costs = in_turns(ours.round, floor.round)
    return compared(
        "random ids (UUID 4) against ids ordered by time (UUID 7)", *costs, goal=Goal(1.2, at_most=True)
    )


def many_stores(folder: Path, *, seed: int) -> Row:
    """Stores of a large chain of chains against those of a small one, as dense."""
    with (
        one_core(),
        closing(Job(folder / "many.sqlite3", make_stores(seed, 100_000), seed=seed)) as ours,
        closing(Job(folder / "few.sqlite3", make_stores(seed, 1_000), seed=seed)) as floor,
    ):
        costs = in_turns(ours.round, floor.round)
    return compared("100 000 stores against 1 000", *costs, goal=Goal(1.15, at_most=True))


def many_stored(folder: Path, *, seed: int) -> Row:
    """A database with a week of sightings against a new one."""
    stores = make_stores(seed)
    with (
        one_core(),
        closing(Job(folder / "full.sqlite3", stores, seed=seed, stored=_STORED)) as ours,
        closing(Job(folder / "new.sqlite3", stores, seed=seed)) as floor,
    ):
        costs = in_turns(ours.round, floor.round)
    return compared("5 M sightings stored against none", *costs, goal=Goal(1.15, at_most=True))
