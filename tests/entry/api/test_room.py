"""Is what bodies hold bounded, and who makes way when there is no room?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Message

from m2s.core.base.errors import Unavailable
from m2s.entry.api.bodies import read_body
from m2s.entry.api.room import Held, Room


class Sender:
    """A client that sends when it is told to."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> bytes:
        with self.room.hold() as held:
            return await read_body(self.pieces.get, [], limit=1000, held=held)

    async def send(self, size: int, *, more: bool = True) -> None:
        """Sends a piece and waits until it is held, or nobody reads any more."""
        until = self.room.held_bytes + size
        self.pieces.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})
        while not self.pieces.empty() or not (self.reading.done() or self.room.held_bytes == until):
            await asyncio.sleep(0)


def run(story: Callable[[Room], object], most_bytes: int) -> Room:
    room = Room(most_bytes)

    async def play() -> None:
        await asyncio.wait_for(story(room), 20)  # type: ignore[arg-type]  # every story is a coroutine

    asyncio.run(play())
    assert room.held_bytes == 0
    assert room.arriving == {}
    return room


def test_bodies_within_the_room_are_read_side_by_side() -> None:
    async def story(room: Room) -> None:
        senders = [Sender(room) for _ in range(4)]
        for sender in senders:
            await sender.send(100)
        assert room.held_bytes == 400
        for sender in senders:
            sender.pieces.put_nowait({"type": "http.request", "body": b"y"})
        assert [len(await sender.reading) for sender in senders] == [101] * 4

    run(story, 404)


def test_the_body_that_has_been_arriving_longest_makes_way() -> None:
    async def story(room: Room) -> None:
        stalled, second, quick = [Sender(room) for _ in range(3)]
        await stalled.send(400)
        await second.send(400)
        quick.pieces.put_nowait({"type": "http.request", "body": b"x" * 300})
        assert len(await quick.reading) == 300
        with pytest.raises(Unavailable) as refused:
            await stalled.reading
        assert refused.value.code == "bodies_full"
        second.pieces.put_nowait({"type": "http.request", "body": b"end"})
        assert len(await second.reading) == 403

    run(story, 1000)


def test_a_body_whose_end_arrives_while_it_has_to_make_way_is_refused() -> None:
    async def story(room: Room) -> None:
        stalled = Sender(room)
        await stalled.send(400)
        with room.hold() as quick:
            stalled.pieces.put_nowait({"type": "http.request", "body": b"end"})
            quick.take(300)
            with pytest.raises(Unavailable):
                await stalled.reading
            assert room.held_bytes == 300

    run(story, 600)


def test_where_nothing_is_arriving_the_newest_is_refused() -> None:
    room = Room(1000)
    with room.hold() as first, room.hold() as second:
        first.take(900)
        second.take(100)
        with pytest.raises(Unavailable):
            second.take(1)
    with room.hold() as again:
        again.take(1000)
    assert room.held_bytes == 0


def test_a_body_larger_than_the_room_is_refused_and_lets_go() -> None:
    async def story(room: Room) -> None:
        large = Sender(room)
        await large.send(60)
        large.pieces.put_nowait({"type": "http.request", "body": b"x" * 60, "more_body": True})
        with pytest.raises(Unavailable):
            await large.reading

    run(story, 100)


def test_who_is_stopped_lets_go() -> None:
    async def story(room: Room) -> None:
        sender = Sender(room)
        await sender.send(60)
        sender.reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sender.reading

    run(story, 100)


def test_what_one_holds_is_counted_once() -> None:
    room = Room(100)
    held: Held = room.hold()
    with held:
        held.take(40)
        held.give_way()
        assert room.held_bytes == 0
    assert room.held_bytes == 0
