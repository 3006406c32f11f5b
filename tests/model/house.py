"""What is under the model: a real engine on a real file that can die at any step, and a provider that outlives it."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.storage.engine import driver
from m2s.app.channel import Accepted, Address, Refused, RetryLater, SendResult, Unknown
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, MessageRow
from m2s.app.sighting import Answer, Batch
from m2s.bootstrap import Engine, World, build_engine
from m2s.settings import DeliverySettings, Settings

WAIT_S = 30.0
UNIVERSAL_HOLDOUT = 0.1
PRESSURE = ((1, timedelta(days=1)), (3, timedelta(days=7)), (5, timedelta(days=30)))
SIGHTINGS_KEPT = timedelta(days=4)
EVIDENCE_KEPT = timedelta(days=60)
ANSWERS = ("accepts", "refuses", "asks to wait", "is in doubt", "breaks", "kills")


@dataclass(frozen=True)
class Call:
    """One call of the provider, and what it did with the message."""

    at: datetime
    message: MessageRow
    address: Address
    answer: str


class Provider:
    """Answers as it is told and keeps every call: what it knows is what shoppers may have got."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.answer = "accepts"
        self.calls: list[Call] = []
        self.look: Callable[[Call], object] = lambda _call: None

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Takes a message; `kills` ends the service before it hears the answer."""
        del coupon
        if self._house.dying is not None:
            return Unknown("the service is dead")
        call = Call(self._house.clock.now(), message, address, self.answer)
        self.calls.append(call)
        self.look(call)
        match self.answer:
            case "refuses":
                return Refused("bad_address", "nobody lives there")
            case "asks to wait":
                return RetryLater(100.0, "not now")
            case "is in doubt":
                return Unknown("no answer")
            case "breaks":
                raise ConnectionResetError("the line broke")
            case "kills":
                self._house.die()
        return Accepted(f"p-{message.id}")


@dataclass
class House:
    """The engine, its file, its clock and its provider."""

    folder: Path
    clock: SteppedClock
    luck: int
    lives: int = 0
    dying: Path | None = None
    path: Path = field(init=False)
    engine: Engine = field(init=False)
    provider: Provider = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / "m2s.sqlite3"
        self.provider = Provider(self)
        self.open()

    def open(self) -> None:
        """Starts an engine on the file."""
        self.lives += 1
        settings = Settings(
            database_url=f"sqlite:///{self.path}",
            universal_holdout=UNIVERSAL_HOLDOUT,
            dedupe_max_ids=20_000,
            sightings_kept_days=SIGHTINGS_KEPT.days,
            evidence_kept_days=EVIDENCE_KEPT.days,
            delivery=DeliverySettings(calls_at_once=1),
            pressure=[f"{most} per {window.days}d" for most, window in PRESSURE],
        )
        # Another seed for every life: a service that starts again never makes an id that it made before.
        world = World(self.clock, SeededIds(self.clock, seed=1_000 * self.luck + self.lives), io.StringIO())
        self.engine = build_engine(settings, world=world)
        # No setting puts a provider of the test's own in the place of a console, or makes pauses repeatable.
        self.engine.deliver._channels = {"push": self.provider, "sms": self.provider}
        self.engine.deliver._jitter = lambda: 0.5
        self.engine.start(heartbeat=False)
        self._reader = driver().connect(self.path)

    def restart(self) -> None:
        """Stops the engine and starts another one on the same file."""
        self.close()
        self.open()

    def die(self) -> None:
        """Keeps the file as a process that is killed now would leave it; `revive` goes on from there."""
        self.dying = self.folder / f"life{self.lives + 1}.sqlite3"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.path}{suffix}", f"{self.dying}{suffix}")
        self.engine.deliver.stop()

    def revive(self) -> None:
        """Starts an engine on what the dead one left; whatever that did since is in a file that nobody reads."""
        assert self.dying is not None
        self.close()
        self.path, self.dying = self.dying, None
        self.open()

    def close(self) -> None:
        """Stops the engine."""
        self._reader.close()
        self.engine.stop()

    def together(self, batches: Sequence[Batch]) -> list[Answer]:
        """The answers of requests that are committed as one group."""
        gate = self._gate()
        futures = [self.engine.submit(batch) for batch in batches]
        gate.set()
        return [future.result(timeout=WAIT_S) for future in futures]

    def dies_before(self, batch: Batch) -> None:
        """Dies while a request waits for its turn."""
        gate = self._gate()
        unheard = self.engine.submit(batch)
        self.die()
        gate.set()
        unheard.result(timeout=WAIT_S)

    def _gate(self) -> threading.Event:
        gate = threading.Event()
        self.engine.database.submit(lambda _records: gate.wait(timeout=WAIT_S))
        return gate

    def work(self) -> None:
        """Has every job run that is due."""
        self.engine.jobs.run_due(self.clock.now())

    def changes(self) -> tuple[int, int]:
        """Another value whenever anything was committed."""
        ((commits,),) = self.rows("PRAGMA data_version")
        return self.lives, commits

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a plain SQL query finds."""
        with closing(self._reader.execute(query)) as cursor:
            return list(cursor)


class Rehearsal:
    """The database of a house in which every transaction is taken back after it was made."""

    def __init__(self, house: House) -> None:
        self._database = house.engine.database
        self.read = self._database.read

    def write(self, work: Callable[[Records], Any]) -> Any:
        """Returns what `work` would return, and changes nothing."""

        def rehearse(records: Records) -> None:
            raise _Rehearsed(work(records))

        try:
            self._database.write(rehearse)
        except _Rehearsed as done:
            return done.args[0]
        raise AssertionError("the rehearsal was not taken back")


class _Rehearsed(Exception):
    """Takes a transaction back and carries its result out."""
