"""How is the one database used? Reads from a pool of snapshots, writes through the one writer."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from m2s.adapters.storage.engine import (
    BUSY_TIMEOUT_MS,
    check_durable,
    database_path,
    passing,
    read_engine,
    write_engine,
)
from m2s.adapters.storage.lock import FileLock
from m2s.adapters.storage.migrate import check_revision
from m2s.adapters.storage.records import SqlRecords
from m2s.adapters.storage.writer import MAX_GROUP_WEIGHT, MAX_WAITING_WEIGHT, Writer
from m2s.app.groups import GroupHandler
from m2s.app.ports import Records
from m2s.core.base.errors import Conflict, Unavailable

T = TypeVar("T")


class SqlDatabase:
    """One SQLite file. The opener that may write owns it by a lock; `read_only` openers need none and may be many."""

    def __init__(
        self,
        url: str,
        *,
        serves_at: str | None = None,
        read_only: bool = False,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        group_weight: int = MAX_GROUP_WEIGHT,
        waiting_weight: int = MAX_WAITING_WEIGHT,
    ) -> None:
        """Opens the database; `serves_at` is the address that others are told while this process owns the file.

        `group_weight` is the most that is committed together, `waiting_weight` the most that waits for it.

        Raises Invalid for a URL that is none or a disk that cannot sync, Conflict when another process owns the file
        or its tables are not this version's.
        """
        path = database_path(url)
        if not path.exists():
            raise Conflict(
                f"the database {path.absolute()} does not exist yet: is this the right folder?"
                " If so, run `m2s db upgrade`",
                code="database_not_upgraded",
            )
        self._path, self._file = path, _identity(path)
        self._lock: FileLock | None = None
        self._writer: Writer | None = None
        self._readers = read_engine(path, busy_timeout_ms=busy_timeout_ms)
        try:
            with self._reading() as connection:
                check_revision(path, connection)
            if not read_only:
                self._lock = FileLock(path, url=serves_at)
                engine = write_engine(path, busy_timeout_ms=busy_timeout_ms)
                with engine.connect() as connection:
                    check_durable(connection)
                self._writer = Writer(
                    engine.connect, group_weight=group_weight, waiting_weight=waiting_weight
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Records]:
        """A read snapshot; writing through it fails. Raises Unavailable when the database cannot be read now."""
        with self._reading() as connection:
            yield SqlRecords(connection)

    def write(self, work: Callable[[Records], T], *, then: Callable[[T], object] | None = None) -> T:
        """Runs `work` in one transaction on the writer and returns its result after the synced commit.

        `then` gets the result right after the commit, before any other group or work is processed.
        Whatever `work` raises rolls everything back and is raised here. Raises Unavailable when the database cannot
        take writes now (locked for 5 s, disk full, closed).
        """
        writer = self._owner()
        if writer.on_writer_thread():
            raise RuntimeError("a transaction cannot wait for another one on the same writer")
        return writer.submit(work, then).result()

    def submit(self, work: Callable[[Records], T]) -> Future[T]:
        """Queues `work` for a transaction of its own, in the order of submission."""
        return self._owner().submit(work)

    def submit_grouped(self, item: Any) -> Future[Any]:
        """Queues an item for the group handler; what waits together is committed together.

        Raises Unavailable when too much waits already.
        """
        return self._owner().submit_grouped(item)

    def check_room(self) -> None:
        """Raises Unavailable while `submit_grouped` takes nothing because too much waits."""
        self._owner().check_room()

    def check_file(self) -> None:
        """Raises Unavailable when the file was removed or another one put in its place: what is kept is lost then."""
        if _identity(self._path) != self._file:
            raise Unavailable(
                "the database file was removed or replaced while it was open: what is taken now is kept nowhere;"
                " stop the server, put the file in place, and start it again"
            )

    @property
    def waiting_weight(self) -> int:
        """How heavy the items are that wait and are not being committed yet."""
        return self._owner().waiting_weight

    def handle_groups(self, handler: GroupHandler[Any, Any]) -> None:
        """Says who handles the items of `submit_grouped`."""
        self._owner().handle_groups(handler)

    def answer_on(self, call_soon: Callable[[Callable[[], None]], object] | None) -> None:
        """Resolves each group's futures by one call of `call_soon`, e.g. `loop.call_soon_threadsafe`."""
        self._owner().answer_on(call_soon)

    def close(self) -> None:
        """Commits what was submitted, then lets go of the file; closing again does nothing."""
        if self._writer is not None:
            self._writer.close()
        self._readers.dispose()
        if self._lock is not None:
            self._lock.release()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._readers.connect() as connection, connection.begin():
                yield connection
        except Exception as error:
            unavailable = passing(error)
            if unavailable is None:
                raise
            raise unavailable from error

    def _owner(self) -> Writer:
        if self._writer is None:
            raise Conflict("the database was opened to read only", code="read_only")
        return self._writer


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
