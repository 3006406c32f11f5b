"""How long may a client keep a connection waiting, and what may it hold meanwhile? uvicorn bounds neither.

One look a second goes through all connections; a request pays for none of it. Times are counted from the look that
first saw a connection wait, so that an error of the clock is always to the client's advantage.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from m2s.core.base.errors import M2sError
from m2s.entry.api.head import MOST_HEAD_BYTES
from m2s.entry.api.problems import HeadTooLarge, TooSlow, document_of

LEAST_BODY_BYTES_PER_S = 1024
MOST_REST_BYTES = 1024 * 1024
"""What is read on of a body that was answered before its end, so that its client gets to see the answer."""
MOST_PIPELINED = 64
"""Requests sent ahead on one connection."""
_FREE_PIECES, _LEAST_PIECE_BYTES = 1_000, 64
"""A body may come in so many pieces; if in more, then of so many bytes on the average."""
_GIVEN_UP_AT_ONCE, _GIVING_UP_PAUSE_S = 25, 0.005
_CROWDED = "crowded"


class Wait(StrEnum):
    """What a connection waits for its client to do."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    REST = "rest"
    ANSWER = "answer"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take."""

    idle_s: float = 15.0
    head_s: float = 10.0
    body_s: float = 20.0
    begun_s: float = 5.0
    """From then on a body has to have come at the least rate."""
    rest_s: float = 5.0
    answer_s: float = 20.0
    """How long a client may take nothing of its answer."""
    leaving_s: float = 5.0
    """The most that anything may take once the server has been told to stop."""
    look_every_s: float = 1.0


class Connections:
    """The open connections of one server. One too many costs those that have waited longest for their clients."""

    def __init__(
        self, most: int, *, cut_off: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        """`cut_off` is told the reason whenever a connection is closed on a client that was not idle."""
        self.patience = patience or Patience()
        self._most = most
        self._cut_off = cut_off
        self._leaving = False
        self._open: dict[BoundedConnection, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._open)

    def accept(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "BoundedConnection":
        """A connection for uvicorn, which names the arguments."""
        return BoundedConnection(config, server_state, app_state, _loop, among=self)

    def add(self, connection: "BoundedConnection") -> None:
        """Takes a connection in, and makes room for it where there are too many."""
        self._open[connection] = None
        connection.since_s = connection.loop.time()
        if self._leaving:
            connection.shutdown()
        if self._loop is None:
            self._loop = connection.loop
            self._loop.call_later(self.patience.look_every_s, self._look)
        if len(self._open) > self._most:
            self._make_room(connection)

    def leave(self) -> None:
        """The server stops: connections that were on their way are closed as they come.

        uvicorn tells only those that it has; the others would be waited for.
        """
        self._leaving = True

    def discard(self, connection: "BoundedConnection") -> None:
        """Forgets a connection that is closed."""
        self._open.pop(connection, None)

    def _make_room(self, newest: "BoundedConnection") -> None:
        # Many at once: a flood of connections must not have all of them looked through for each.
        others = (one for one in self._open if one is not newest and one.waiting_for() is not Wait.NOTHING)
        longest = nsmallest(max(1, self._most // 16), others, key=lambda one: (one.heads > 0, one.since_s))
        for connection in longest or [newest]:
            self._open.pop(connection, None)
            connection.transport.abort()
            self._cut_off(_CROWDED)

    def _look(self) -> None:
        assert self._loop is not None  # noqa: S101 (set before the first look)
        now_s = self._loop.time()
        self._give_up([one for one in self._open if one.is_overdue(one.look(now_s), now_s)])

    def _give_up(self, overdue: "list[BoundedConnection]") -> None:
        # Those who began together are overdue together: others have their turn between a few and the next few.
        assert self._loop is not None  # noqa: S101 (set before the first look)
        now_s = self._loop.time()
        for connection in overdue[:_GIVEN_UP_AT_ONCE]:
            wait = connection.look(now_s)
            if connection in self._open and connection.is_overdue(wait, now_s):
                connection.give_up(wait)
                if wait is not Wait.IDLE:
                    self._cut_off(wait)
        if rest := overdue[_GIVEN_UP_AT_ONCE:]:
            self._loop.call_later(_GIVING_UP_PAUSE_S, self._give_up, rest)
        elif self._open:
            self._loop.call_later(self.patience.look_every_s, self._look)
        else:
            self._loop = None


class BoundedConnection(HttpToolsProtocol):
    """A connection that knows what it waits for, and is cut off when what comes has no end."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        among: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.heads = 0
        self.since_s = 0.0
        self._among = among
        self._seen: tuple[Wait, int, int] | None = None
        self._leaving = False
        self._answering: RequestResponseCycle | None = None
        self._in_body = False
        self._steps = self._without_step_bytes = 0
        self._pieces = self._body_bytes = self._rest_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the others."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows what asyncio declares
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the others."""
        self._among.discard(self)
        super().connection_lost(exc)
        if self._answering is not None:
            # Of requests sent ahead uvicorn tells the last one only, and this one would write to nobody.
            self._answering.disconnected = True
            self._answering.message_event.set()

    def shutdown(self) -> None:
        """The server stops: an answer that is under way is given, with less patience."""
        self._leaving = True
        self.since_s = self.loop.time()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Takes what arrived; the piece in which a head begins and the one in which it ends are not counted."""
        before = self._steps
        super().data_received(data)
        self._without_step_bytes = 0 if self._steps > before else self._without_step_bytes + len(data)
        if self._without_step_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"it is larger than {MOST_HEAD_BYTES} bytes"))

    def on_headers_complete(self) -> None:
        """A step on: the head is complete."""
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests ahead")
        self._steps += 1
        self.heads += 1
        self._in_body = True
        self._pieces = self._body_bytes = self._rest_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A step on: a piece of the body."""
        self._steps += 1
        self._pieces += 1
        self._body_bytes += len(body)
        if self._pieces > _FREE_PIECES and self._pieces * _LEAST_PIECE_BYTES > self._body_bytes:
            raise ValueError("too many pieces")
        if self.cycle.response_complete:
            self._rest_bytes += len(body)
            if self._rest_bytes > MOST_REST_BYTES:
                self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A step on: the request is complete."""
        self._steps += 1
        self._in_body = False
        super().on_message_complete()

    def waiting_for(self) -> Wait:
        """What its client has to do next."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return Wait.ANSWER
        if self.flow.read_paused:
            return Wait.NOTHING
        answered = self.cycle is None or self.cycle.response_complete
        if self._in_body:
            if answered:
                return Wait.REST
            return Wait.NOTHING if self.cycle.waiting_for_100_continue else Wait.BODY
        if answered:
            return Wait.IDLE if self.heads and not self._without_step_bytes else Wait.HEAD
        return Wait.NOTHING

    def look(self, now_s: float) -> Wait:
        """Notes what it waits for, and since when if that is new."""
        wait = self.waiting_for()
        seen = (wait, self.heads, self.transport.get_write_buffer_size())
        if seen != self._seen:
            self._seen = seen
            self.since_s = now_s
        return wait

    def is_overdue(self, wait: Wait, now_s: float) -> bool:
        """Whether its client has taken longer than it may."""
        patience = self._among.patience
        waited_s = now_s - self.since_s
        if self._leaving and wait is not Wait.NOTHING and waited_s >= patience.leaving_s:
            return True
        match wait:
            case Wait.IDLE:
                return waited_s >= patience.idle_s
            case Wait.HEAD:
                return waited_s >= patience.head_s
            case Wait.BODY:
                too_few = self._body_bytes < waited_s * LEAST_BODY_BYTES_PER_S
                return waited_s >= patience.body_s or (waited_s >= patience.begun_s and too_few)
            case Wait.REST:
                return waited_s >= patience.rest_s
            case Wait.ANSWER:
                return waited_s >= patience.answer_s
            case Wait.NOTHING:
                return False

    def give_up(self, wait: Wait) -> None:
        """Ends the connection; a client that had begun a request is told why."""
        if wait is Wait.ANSWER:
            self.transport.abort()
        elif wait is Wait.BODY or (wait is Wait.HEAD and self._without_step_bytes):
            self._refuse(TooSlow(f"its {wait} came too slowly; send it again"))
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: M2sError) -> None:
        """Answers what is not answered yet, and closes."""
        status, body, headers = document_of(error)
        headers += [("content-length", str(len(body))), ("connection", "close")]
        lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers), "\r\n"]
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (self._in_body and not cycle.response_started):
            self.transport.write("\r\n".join(lines).encode() + body)
        if cycle is not None:
            # What the application still has to say is not sent after this.
            cycle.disconnected = True
        self.transport.close()
