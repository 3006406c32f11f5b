"""How much of bodies is held at a time? So many bytes in all, from the first that arrives to the answer.

Where there is no room left, the body that has been arriving longest makes way: who sends at once is not hindered by
those who begin large bodies and do not end them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from m2s.core.base.errors import Unavailable

MOST_HELD_BYTES = 32 * 1024 * 1024


class Held:
    """The bytes that one request holds in a room; a context that lets go of them."""

    __slots__ = ("_gave_way", "_room", "bytes")

    def __init__(self, room: "Room") -> None:
        self.bytes = 0
        self._room = room
        self._gave_way = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def take(self, more_bytes: int) -> None:
        """Holds so many bytes more; raises Unavailable when there is no room, or it had to make way."""
        if self._gave_way:
            raise _full()
        self.bytes += more_bytes
        self._room.held_bytes += more_bytes
        if self._room.held_bytes > self._room.most_bytes:
            self._room.make_way(self)

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Inside, the rest of a body is waited for, and may have to make way; raises Unavailable then."""
        try:
            async with asyncio.timeout(None) as patience:
                self._room.arriving[self] = patience
                yield
        except TimeoutError:
            raise _full() from None
        finally:
            self._room.arriving.pop(self, None)

    def give_way(self) -> None:
        """Lets go of everything, before the request itself notices."""
        self._gave_way = True
        self._let_go()

    def _let_go(self) -> None:
        self._room.held_bytes -= self.bytes
        self.bytes = 0


class Room:
    """The room for the bodies of one server."""

    def __init__(self, most_bytes: int = MOST_HELD_BYTES) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self.arriving: dict[Held, asyncio.Timeout] = {}
        """Bodies of which more is to come, with what ends their waiting; the oldest first."""

    def hold(self) -> Held:
        """What a request holds: nothing yet."""
        return Held(self)

    def make_way(self, newest: Held) -> None:
        """Ends the oldest arriving bodies until the others fit; raises Unavailable when it is the newest's turn."""
        while self.held_bytes > self.most_bytes:
            oldest = next(iter(self.arriving), newest)
            if oldest is newest:
                raise _full()
            oldest.give_way()
            self.arriving.pop(oldest).reschedule(asyncio.get_running_loop().time())


def _full() -> Unavailable:
    return Unavailable("too many large bodies are under way; send this one again", code="bodies_full")
