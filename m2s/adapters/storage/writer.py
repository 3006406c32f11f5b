"""How are writes kept in order and durable? One thread, one connection; what arrives meanwhile is the next group.

What waits is bounded: a full queue refuses at once, so that neither memory nor the wait for an answer grows.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Condition, Thread, current_thread
from typing import Any, TypeVar

import sqlalchemy as sa

from m2s.adapters.storage.engine import passing
from m2s.adapters.storage.records import SqlRecords
from m2s.app.groups import GroupHandler
from m2s.app.ports import Records
from m2s.core.base.errors import Unavailable

T = TypeVar("T")
MAX_GROUP_WEIGHT = 2_000
"""Sightings per commit; more gains nothing and makes everybody wait longer."""
MAX_WAITING_WEIGHT = 20_000
"""Sightings that may wait for a commit."""
MAX_WAITING_WORKS = 1_000
"""Other transactions that may wait. They are counted apart, so that sightings never push a redemption out."""

_QUEUE_FULL = "queue_full"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    run: Callable[[Records], Any]
    then: Callable[[Any], object] | None
    future: Future[Any]


@dataclass(frozen=True, slots=True)
class _Item:
    item: Any
    weight: int
    future: Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    answer: Any = None
    error: BaseException | None = None


class Writer:
    """Runs work and groups of items in the order of their submission, each in one synced transaction."""

    def __init__(
        self,
        connect: Callable[[], sa.Connection],
        *,
        group_weight: int = MAX_GROUP_WEIGHT,
        waiting_weight: int = MAX_WAITING_WEIGHT,
    ) -> None:
        """`group_weight` bounds what is committed together; a heavier item is committed alone.

        No item is taken while `waiting_weight` or more waits.
        """
        self._group_weight = group_weight
        self._most_waiting_weight = waiting_weight
        self._waiting_weight = self._waiting_works = 0
        self._connection = connect()
        self._records = SqlRecords(self._connection)
        (self._patience_ms,) = self._connection.connection.cursor().execute("PRAGMA busy_timeout").fetchone()
        self._waits_ms = self._patience_ms
        self._group: GroupHandler[Any, Any] | None = None
        self._call_soon: Callable[[Callable[[], None]], object] | None = None
        self._waiting: deque[_Work | _Item] = deque()
        self._arrived = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="m2s-writer", daemon=True)
        self._thread.start()

    def handle_groups(self, group: GroupHandler[Any, Any]) -> None:
        """Says who handles the items of `submit_grouped`."""
        self._group = group

    def answer_on(self, call_soon: Callable[[Callable[[], None]], object] | None) -> None:
        """Resolves the futures of a whole group by one call, e.g. of a loop's `call_soon_threadsafe`; None: at once."""
        self._call_soon = call_soon

    def submit(self, work: Callable[[Records], T], then: Callable[[T], object] | None = None) -> Future[T]:
        """Queues `work` for a transaction of its own; the future has its result after the synced commit.

        `then` gets the result right after the commit, before anything else is processed. Raises Unavailable when
        the writer is closed or too much work waits.
        """
        future: Future[T] = Future()
        self._put(_Work(work, then, future))
        return future

    def submit_grouped(self, item: Any) -> Future[Any]:
        """Queues an item to be committed with whatever else waits; the future has the handler's answer to it.

        Raises Unavailable when the writer is closed or full.
        """
        if self._group is None:
            raise RuntimeError("nobody handles groups: call handle_groups first")
        future: Future[Any] = Future()
        self._put(_Item(item, self._group.weight(item), future))
        return future

    @property
    def waiting_weight(self) -> int:
        """How heavy the items are that wait and are not being committed yet."""
        return self._waiting_weight

    def check_room(self) -> None:
        """Raises Unavailable while no item is taken because too much waits."""
        if self._waiting_weight >= self._most_waiting_weight:
            raise Unavailable(f"{self._waiting_weight} sightings wait for the disk already", code=_QUEUE_FULL)

    def on_writer_thread(self) -> bool:
        """Whether the caller runs on the writer's thread, where waiting for a write would never end."""
        return current_thread() is self._thread

    def close(self) -> None:
        """Commits everything that was submitted before, then stops the thread and closes the connection."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join()

    def _put(self, entry: _Work | _Item) -> None:
        with self._arrived:
            if self._closed:
                raise Unavailable("the database is closed")
            if isinstance(entry, _Item):
                self.check_room()
                self._waiting_weight += entry.weight
            elif self._waiting_works >= MAX_WAITING_WORKS:
                raise Unavailable(f"{self._waiting_works} transactions wait already", code=_QUEUE_FULL)
            else:
                self._waiting_works += 1
            self._waiting.append(entry)
            self._arrived.notify()

    def _run(self) -> None:
        while taken := self._take():
            first = taken[0]
            if isinstance(first, _Work):
                self._do(first)
            else:
                self._do_group([entry for entry in taken if isinstance(entry, _Item)])
        self._connection.close()

    def _take(self) -> list[_Work | _Item]:
        with self._arrived:
            while not self._waiting:
                if self._closed:
                    return []
                self._arrived.wait()
            first = self._waiting.popleft()
            taken = [first]
            if isinstance(first, _Work):
                self._waiting_works -= 1
                return taken
            weight = first.weight
            while self._waiting and isinstance(following := self._waiting[0], _Item):
                if weight + following.weight > self._group_weight:
                    break
                weight += following.weight
                taken.append(self._waiting.popleft())
            self._waiting_weight -= weight
            return taken

    def _do(self, work: _Work) -> None:
        if work.future.set_running_or_notify_cancel():
            outcome = self._outcome(self._commit, work.run)
            if outcome.error is None and work.then is not None:
                self._publish(work.then, outcome.answer)
            _resolve([work.future], [outcome])

    def _do_group(self, entries: Sequence[_Item]) -> None:
        wanted = [entry for entry in entries if entry.future.set_running_or_notify_cancel()]
        if not wanted:
            return
        futures = [entry.future for entry in wanted]
        outcomes = self._outcomes([entry.item for entry in wanted])
        if self._call_soon is not None:
            try:
                self._call_soon(lambda: _resolve(futures, outcomes))
            except RuntimeError:
                _log.debug("the event loop is closed; answering from the writer's thread")
            else:
                return
        _resolve(futures, outcomes)

    def _outcomes(self, items: Sequence[Any]) -> list[_Outcome]:
        whole = self._outcome(self._process, items)
        if whole.error is None:
            return [_Outcome(answer) for answer in whole.answer]
        if isinstance(whole.error, Unavailable) or not isinstance(whole.error, Exception):
            return [whole for _ in items]
        if len(items) == 1:
            error = whole.error
            return [self._outcome(self._in_parts, items[0], error)]
        _log.warning("a group of %d failed (%r); each is tried alone", len(items), whole.error)
        return [self._outcome(self._alone, item) for item in items]

    def _alone(self, item: Any) -> Any:
        try:
            return self._process([item])[0]
        except Unavailable:
            raise
        except Exception as error:
            return self._in_parts(item, error)

    def _in_parts(self, item: Any, error: Exception) -> Any:
        handler = self._handler()
        parts = handler.split(item)
        if len(parts) <= 1:
            refused = self._commit(lambda records: handler.refuse(records, item, error))
            self._publish(refused.publish)
            return refused.answers[0]
        return handler.join(item, [self._alone(part) for part in parts])

    def _process(self, items: Sequence[Any]) -> Sequence[Any]:
        handler = self._handler()

        def work(records: Records) -> Any:
            result = handler.process(records, items)
            if len(result.answers) != len(items):
                raise RuntimeError(f"{len(items)} items got {len(result.answers)} answers")
            return result

        result = self._commit(work)
        self._publish(result.publish)
        answers: Sequence[Any] = result.answers
        return answers

    def _commit(self, work: Callable[[Records], T]) -> T:
        try:
            with self._connection.begin():
                result = work(self._records)
        except Exception as error:
            unavailable = passing(error)
            if unavailable is None:
                raise
            # Whoever is next in the queue has waited for the same lock already.
            self._wait_for_locks(0)
            raise unavailable from error
        self._wait_for_locks(self._patience_ms)
        return result

    def _wait_for_locks(self, longest_ms: int) -> None:
        if longest_ms != self._waits_ms:
            self._connection.connection.cursor().execute(f"PRAGMA busy_timeout={longest_ms}")
            self._waits_ms = longest_ms

    @staticmethod
    def _publish(publish: Callable[..., object], *arguments: Any) -> None:
        try:
            publish(*arguments)
        except Exception:
            _log.exception("what was committed could not be published")

    def _handler(self) -> GroupHandler[Any, Any]:
        if self._group is None:
            raise RuntimeError("nobody handles groups")
        return self._group

    @staticmethod
    def _outcome(call: Callable[..., Any], *arguments: Any) -> _Outcome:
        try:
            return _Outcome(call(*arguments))
        except BaseException as error:
            # The thread must outlive whatever the work raises; the waiting caller gets it.
            return _Outcome(error=error)


def _resolve(futures: Sequence[Future[Any]], outcomes: Sequence[_Outcome]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if outcome.error is None:
            future.set_result(outcome.answer)
        else:
            future.set_exception(outcome.error)
