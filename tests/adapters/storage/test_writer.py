"""Is what was acknowledged committed, in order, and does one bad item cost its neighbours nothing?"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import write_engine
from m2s.adapters.storage.writer import MAX_GROUP_WEIGHT, MAX_WAITING_WORKS
from m2s.app.groups import GroupResult
from m2s.app.ports import Records
from m2s.core.base.errors import Unavailable

WAIT_S = 60.0


@dataclass
class Words:
    """A handler of groups of words: each letter is kept as one sighting; `!` cannot be kept."""

    groups: list[list[str]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    broken_publish: bool = False

    def weight(self, item: str) -> int:
        return len(item)

    def process(self, records: Records, items: Sequence[str]) -> GroupResult[str]:
        self.groups.append(list(items))
        for letter in "".join(items):
            keep(records, letter)
            if letter == "!":
                raise ValueError("! cannot be kept")

        def publish() -> None:
            self.published.extend(items)
            if self.broken_publish:
                raise ValueError("cannot be published")

        return GroupResult([f"kept {item}" for item in items], publish)

    def split(self, item: str) -> list[str]:
        return list(item)

    def join(self, item: str, answers: Sequence[str]) -> str:
        return f"{item}: {', '.join(answers)}"

    def refuse(self, _records: Records, item: str, error: Exception) -> GroupResult[str]:
        return GroupResult([f"refused {item}: {error}"], lambda: None)


def keep(records: Records, letter: str) -> None:
    records.sightings.add_sightings([("dev", letter, 1, 1, None, None, None, 0, None, None, "location")])


def kept(database: SqlDatabase) -> str:
    with database.read() as records:
        return "".join(letter for _, ids in records.sightings.recent_ids(0) for letter in ids)[::-1]


class Gate:
    """Holds the writer inside a transaction, so that what is submitted meanwhile must wait together."""

    def __init__(self, database: SqlDatabase) -> None:
        self._open = threading.Event()
        entered = threading.Event()

        def hold(_records: Records) -> None:
            entered.set()
            assert self._open.wait(WAIT_S)

        self._done = database.submit(hold)
        assert entered.wait(WAIT_S)

    def open(self) -> None:
        self._open.set()
        self._done.result(WAIT_S)


def submit_together(database: SqlDatabase, items: Sequence[str]) -> list[Future[Any]]:
    gate = Gate(database)
    futures = [database.submit_grouped(item) for item in items]
    gate.open()
    return futures


@pytest.fixture
def words(database: SqlDatabase) -> Words:
    handler = Words()
    database.handle_groups(handler)
    return handler


def test_work_that_raises_leaves_nothing_and_the_caller_gets_the_error(database: SqlDatabase) -> None:
    def work(records: Records) -> None:
        keep(records, "a")
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        database.write(work)
    assert kept(database) == ""


def test_even_an_exit_inside_work_does_not_stop_the_writer(database: SqlDatabase) -> None:
    def work(records: Records) -> None:
        keep(records, "a")
        raise SystemExit

    with pytest.raises(SystemExit):
        database.write(work)
    database.write(lambda records: keep(records, "b"))
    assert kept(database) == "b"


def test_what_waits_together_is_one_group(database: SqlDatabase, words: Words) -> None:
    futures = submit_together(database, ["ab", "c", "de"])
    assert [future.result(WAIT_S) for future in futures] == ["kept ab", "kept c", "kept de"]
    assert words.groups == [["ab", "c", "de"]]
    assert words.published == ["ab", "c", "de"]
    assert kept(database) == "abcde"


def test_a_group_is_no_heavier_than_the_limit_unless_one_item_is(database: SqlDatabase, words: Words) -> None:
    half = "x" * (MAX_GROUP_WEIGHT // 2)
    futures = submit_together(database, [half, half, "y", half * 3, "z"])
    for future in futures:
        future.result(WAIT_S)
    assert [[len(item) for item in group] for group in words.groups] == [
        [len(half), len(half)],
        [1],
        [3 * len(half)],
        [1],
    ]


def test_the_limit_of_a_group_can_be_set(url: str) -> None:
    with SqlDatabase(url, group_weight=1) as database:
        words = Words()
        database.handle_groups(words)
        for future in submit_together(database, ["a", "b", "c"]):
            future.result(WAIT_S)
    assert words.groups == [["a"], ["b"], ["c"]]


def test_a_full_queue_refuses_items_at_once_and_not_other_work(url: str) -> None:
    with SqlDatabase(url, waiting_weight=5) as database:
        database.handle_groups(Words())
        gate = Gate(database)
        waiting = [database.submit_grouped("abc"), database.submit_grouped("def")]
        assert database.waiting_weight == 6
        with pytest.raises(Unavailable, match="6 sightings wait"):
            database.submit_grouped("g")
        with pytest.raises(Unavailable):
            database.check_room()
        work = database.submit(lambda records: keep(records, "1"))
        gate.open()
        work.result(WAIT_S)
        assert [future.result(0) for future in waiting] == ["kept abc", "kept def"]
        assert database.waiting_weight == 0
        assert database.submit_grouped("g").result(WAIT_S) == "kept g"
        assert kept(database) == "abcdef1g"


def test_too_much_waiting_work_is_refused_and_what_waits_is_done(database: SqlDatabase) -> None:
    gate = Gate(database)
    waiting = [database.submit(lambda _: None) for _ in range(MAX_WAITING_WORKS)]
    with pytest.raises(Unavailable, match="transactions wait"):
        database.submit(lambda _: None)
    gate.open()
    waiting[-1].result(WAIT_S)
    database.write(lambda records: keep(records, "a"))
    assert kept(database) == "a"


def test_work_and_items_keep_the_order_of_their_submission(database: SqlDatabase, words: Words) -> None:
    gate = Gate(database)
    last: Future[Any] = database.submit_grouped("ab")
    database.submit(lambda records: keep(records, "1"))
    database.submit_grouped("c")
    database.submit_grouped("d")
    database.submit(lambda records: keep(records, "2"))
    last = database.submit_grouped("e")
    gate.open()
    last.result(WAIT_S)
    assert words.groups == [["ab"], ["c", "d"], ["e"]]
    assert kept(database) == "ab1cd2e"


def test_one_poisonous_item_does_not_cost_its_neighbours(database: SqlDatabase, words: Words) -> None:
    futures = submit_together(database, ["ab", "c!d", "e"])
    assert [future.result(WAIT_S) for future in futures] == [
        "kept ab",
        "c!d: kept c, refused !: ! cannot be kept, kept d",
        "kept e",
    ]
    assert kept(database) == "abcde"
    assert words.published == ["ab", "c", "d", "e"]


def test_an_item_that_cannot_be_split_is_refused(database: SqlDatabase, words: Words) -> None:
    assert database.submit_grouped("!").result(WAIT_S) == "refused !: ! cannot be kept"
    assert words.groups == [["!"]]
    assert kept(database) == ""


def test_a_refusal_keeps_what_it_writes_and_one_that_fails_does_not_stop_the_writer(
    database: SqlDatabase,
) -> None:
    class Keeping(Words):
        def refuse(self, records: Records, item: str, error: Exception) -> GroupResult[str]:
            keep(records, "x" if self.broken_publish else "r")
            if self.broken_publish:
                raise error
            return GroupResult([item], lambda: None)

    handler = Keeping()
    database.handle_groups(handler)
    assert database.submit_grouped("a!b").result(WAIT_S) == "a!b: kept a, !, kept b"
    assert kept(database) == "arb"
    handler.broken_publish = True
    with pytest.raises(ValueError, match="cannot be kept"):
        database.submit_grouped("!").result(WAIT_S)
    assert database.submit_grouped("c").result(WAIT_S) == "kept c"
    assert kept(database) == "arbc"


def test_a_handler_that_forgets_an_answer_is_not_committed(database: SqlDatabase) -> None:
    class Forgetful(Words):
        def process(self, records: Records, items: Sequence[str]) -> GroupResult[str]:
            return GroupResult(super().process(records, items).answers[:-1], lambda: None)

    database.handle_groups(Forgetful())
    assert database.submit_grouped("a").result(WAIT_S) == "refused a: 1 items got 0 answers"
    assert kept(database) == ""


def test_items_met_by_a_locked_database_are_told_to_come_again_and_not_refused(
    path: Path, database: SqlDatabase, words: Words
) -> None:
    with write_engine(path).begin():
        futures = [database.submit_grouped(item) for item in ("a", "b")]
        assert [type(future.exception(WAIT_S)) for future in futures] == [Unavailable, Unavailable]
    assert database.submit_grouped("c").result(WAIT_S) == "kept c"
    assert kept(database) == "c"
    assert words.published == ["c"]


def test_an_answer_comes_only_after_the_commit_and_the_publication(
    database: SqlDatabase, words: Words
) -> None:
    seen: list[tuple[str, list[str]]] = []
    future = submit_together(database, ["a"])[0]
    future.add_done_callback(lambda _: seen.append((kept(database), list(words.published))))
    future.result(WAIT_S)
    database.write(lambda _: None)
    assert seen == [("a", ["a"])]


def test_a_failed_publication_does_not_undo_the_answer(database: SqlDatabase, words: Words) -> None:
    words.broken_publish = True
    assert database.submit_grouped("a").result(WAIT_S) == "kept a"
    assert kept(database) == "a"


def test_a_group_is_answered_by_one_call_of_the_loop(database: SqlDatabase, words: Words) -> None:
    calls: list[Callable[[], None]] = []
    called = threading.Event()

    def call_soon(answer: Callable[[], None]) -> None:
        calls.append(answer)
        called.set()

    database.answer_on(call_soon)
    futures = submit_together(database, ["a", "b"])
    assert called.wait(WAIT_S)
    assert not any(future.done() for future in futures)
    calls[0]()
    assert [future.result(0) for future in futures] == ["kept a", "kept b"]
    assert len(calls) == 1
    assert words.groups == [["a", "b"]]


def test_a_closed_loop_still_gets_its_group_answered(database: SqlDatabase, words: Words) -> None:
    def closed(_answer: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    database.answer_on(closed)
    assert database.submit_grouped("a").result(WAIT_S) == "kept a"
    assert words.groups == [["a"]]


def test_an_item_whose_caller_went_away_before_it_was_taken_is_not_kept(
    database: SqlDatabase, words: Words
) -> None:
    gate = Gate(database)
    gone = database.submit_grouped("a")
    stays = database.submit_grouped("b")
    assert gone.cancel()
    gate.open()
    assert stays.result(WAIT_S) == "kept b"
    assert kept(database) == "b"
    assert words.groups == [["b"]]


def test_closing_commits_what_was_submitted_and_takes_nothing_after(url: str) -> None:
    database = SqlDatabase(url)
    database.handle_groups(Words())
    gate = Gate(database)
    futures = [database.submit_grouped("a"), database.submit(lambda records: keep(records, "b"))]
    closing = threading.Thread(target=database.close)
    closing.start()
    gate.open()
    closing.join(WAIT_S)
    assert not closing.is_alive()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(Unavailable, match="closed"):
        database.write(lambda records: keep(records, "c"))
    with SqlDatabase(url, read_only=True) as again:
        assert kept(again) == "ab"


def test_waiting_for_a_write_inside_a_write_is_refused(database: SqlDatabase) -> None:
    with pytest.raises(RuntimeError, match="cannot wait for another one"):
        database.write(lambda _: database.write(lambda _: None))


def test_many_threads_lose_nothing(database: SqlDatabase, words: Words) -> None:
    def post(letter: str) -> None:
        for _ in range(20):
            database.submit_grouped(letter).result(WAIT_S)

    threads = [threading.Thread(target=post, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(kept(database)) == sorted("abcdefgh" * 20)
    assert len(words.published) == 160
