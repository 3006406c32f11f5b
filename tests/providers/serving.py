"""A provider on loopback, in a process of its own: HTTP/1.1 and HTTP/2, a ledger, and misbehaviour on order.

A stand-in is a function from a request to an answer. What it accepted it appends to its ledger before it answers, and
what a request did against the provider's published rules it appends as a violation. Whoever dies, the ledger stays.

`FOLDER/config.json` tells a stand-in what it has to know, `FOLDER/orders.jsonl` how to misbehave: each line is used up
by one request, the last one for ever when it says `always`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h11

from tests.changed import replace


@dataclass(frozen=True)
class Request:
    """A whole request; `connection` counts connections since the start, `version` is `2` or `1.1`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    version: str
    connection: int
    scheme: str


@dataclass(frozen=True)
class Answer:
    """What is answered. `then` may be `close`, `goaway`; instead of an answer `cut` breaks off, `silent` waits."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    then: str = ""
    after_s: float = 0.0


def in_json(status: int, value: object, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json", **headers})


class StandIn:
    """The part that all providers share: its configuration, its ledger and its orders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = json.loads((folder / "config.json").read_text())
        self._read = 0

    def answer(self, request: Request) -> Answer:
        """The provider's own answer to a request; does not touch orders."""
        raise NotImplementedError

    def is_send(self, request: Request) -> bool:
        """Whether orders are for this request."""
        raise NotImplementedError

    def said(self, status: int) -> Answer:
        """An answer with this status in the provider's words."""
        raise NotImplementedError

    def keep(self, **row: Any) -> None:
        """Appends to the ledger."""
        with (self.folder / "ledger.jsonl").open("a") as ledger:
            ledger.write(json.dumps(row) + "\n")

    def ordered(self, request: Request) -> Answer:
        """What becomes of a request, with its order where there is one."""
        order = self._order() if self.is_send(request) else {}
        match order.get("do"):
            case None:
                return self.answer(request)
            case "slow":
                made = self.answer(request)
                return Answer(made.status, made.body, made.headers, after_s=order["s"])
            case "status":
                said = self.said(order["status"])
                body = json.dumps(order["body"]).encode() if "body" in order else said.body
                return Answer(
                    order["status"],
                    body,
                    {**said.headers, **order.get("headers", {})},
                    then=order.get("then", ""),
                )
            case "garbage":
                return Answer(order.get("status", 200), b"<html>\xff oops", {"content-type": "text/html"})
            case "cut" | "silent":
                self.answer(request)
                return Answer(0, then=order["do"])
            case "reset":
                return Answer(0, then="cut")
            case "close" | "goaway":
                made = self.answer(request)
                return Answer(made.status, made.body, made.headers, then=order["do"])
            case other:
                raise ValueError(other)

    def _order(self) -> dict[str, Any]:
        file = self.folder / "orders.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        if self._read < len(lines):
            found: dict[str, Any] = json.loads(lines[self._read])
            self._read += 0 if found.get("always") and self._read == len(lines) - 1 else 1
            return found
        return {}


Handler = Callable[[Request], Awaitable[Answer]]


class Server:
    """Listens, and hands whole requests on."""

    def __init__(self, stand_in: StandIn, *, tls: ssl.SSLContext | None) -> None:
        self._stand_in = stand_in
        self._tls = tls
        self._connections = 0
        self._over = asyncio.Event()

    async def run(self, port: int) -> None:
        """Serves until the process is told to end; prints the port once it listens."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._over.set)
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, ssl=self._tls)
        print(server.sockets[0].getsockname()[1], flush=True)
        await self._over.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        secured = writer.get_extra_info("ssl_object")
        scheme = "https" if secured else "http"
        try:
            if secured is not None and secured.selected_alpn_protocol() == "h2":
                await _Http2(reader, writer, self._handled, number).serve()
            else:
                await self._http1(reader, writer, number, scheme)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()

    async def _handled(self, request: Request) -> Answer:
        made = self._stand_in.ordered(request)
        if made.after_s:
            await asyncio.sleep(made.after_s)
        if made.then == "silent":
            await self._over.wait()
        now = formatdate(time.time() + self._stand_in.config.get("date_ahead_s", 0), usegmt=True)
        return replace(made, headers={"date": now, **made.headers})

    async def _http1(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, scheme: str
    ) -> None:
        peer = h11.Connection(h11.SERVER)
        while True:
            head, body = None, b""
            while True:
                event = peer.next_event()
                if event is h11.NEED_DATA:
                    peer.receive_data(await reader.read(65_536))
                elif isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            assert head is not None
            headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            request = Request(
                head.method.decode(), head.target.decode(), headers, body, "1.1", number, scheme
            )
            made = await self._handled(request)
            if made.then in ("cut", "silent"):
                writer.transport.abort()
                return
            if made.then == "close":
                together(writer)
            given = [("content-length", str(len(made.body))), *made.headers.items()]
            writer.write(peer.send(h11.Response(status_code=made.status, headers=given)) or b"")
            writer.write(
                (peer.send(h11.Data(data=made.body)) or b"") + (peer.send(h11.EndOfMessage()) or b"")
            )
            await writer.drain()
            if made.then in ("close", "goaway") or peer.our_state is h11.MUST_CLOSE:
                return
            peer.start_next_cycle()


class _Http2:
    """One HTTP/2 connection; requests are answered as they are whole, in any order."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler, number: int
    ) -> None:
        self._reader, self._writer, self._handle, self._number = reader, writer, handle, number
        self._peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until the other side closes, or an order breaks it off."""
        self._peer.initiate_connection()
        self._flush()
        while data := await self._reader.read(65_536):
            for event in self._peer.receive_data(data):
                self._took(event)
            self._flush()
        for task in self._tasks:
            task.cancel()

    def _took(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            pairs = [(_text(name), _text(value)) for name, value in event.headers or ()]
            self._heads[event.stream_id or 0] = dict(pairs)
            self._bodies[event.stream_id or 0] = b""
        elif isinstance(event, h2.events.DataReceived):
            self._bodies[event.stream_id or 0] += event.data or b""
            self._peer.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            task = asyncio.get_running_loop().create_task(self._answered(event.stream_id or 0))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answered(self, stream: int) -> None:
        head = self._heads.pop(stream)
        request = Request(
            head[":method"], head[":path"], head, self._bodies.pop(stream), "2", self._number, head[":scheme"]
        )
        made = await self._handle(request)
        if made.then in ("cut", "silent"):
            self._writer.transport.abort()
            return
        headers = [(":status", str(made.status)), *made.headers.items()]
        self._peer.send_headers(stream, headers, end_stream=not made.body)
        if made.body:
            self._peer.send_data(stream, made.body, end_stream=True)
        if made.then == "goaway":
            self._peer.close_connection(h2.errors.ErrorCodes.NO_ERROR, last_stream_id=stream)
        self._flush()
        if made.then in ("close", "goaway"):
            self._writer.close()

    def _flush(self) -> None:
        if waiting := self._peer.data_to_send():
            self._writer.write(waiting)


def together(writer: asyncio.StreamWriter) -> None:
    """Holds what is written back until the connection is closed: the end comes with it, and not a moment later."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def serve(stand_in: Callable[[Path], StandIn]) -> None:
    """The main of a stand-in: `python -m tests.providers.NAME FOLDER`."""
    folder = Path(sys.argv[1])
    made = stand_in(folder)
    tls = None
    if made.config.get("tls"):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(folder / "server.pem")
        tls.set_alpn_protocols(["h2", "http/1.1"])
    asyncio.run(Server(made, tls=tls).run(made.config.get("port", 0)))
