"""A provider that takes everything, in a process of its own: `python -m benchmarks.delivery_server push|sms [PORT]`.

`push` speaks HTTP/2 as Apple's service does, `sms` HTTP/1.1 as a gateway does. Prints its port, then for every line on
its standard input, as JSON, the id of each message that it took since the line before; ends with its input.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from typing import cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import httptools
import uvloop

_AT_ONCE = 1_000
"""Streams of a connection, as many as Apple's service allows."""


class _Push(asyncio.Protocol):
    """Answers each request by `apns-id` once it is whole."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = taken
        self._peer = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, validate_inbound_headers=False)
        )
        self._ids: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says what it allows."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._peer.initiate_connection()
        self._peer.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: _AT_ONCE})
        self._transport.write(self._peer.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Takes what is whole."""
        for event in self._peer.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self._ids[event.stream_id or 0] = dict(event.headers or ())[b"apns-collapse-id"]
            elif isinstance(event, h2.events.DataReceived):
                self._peer.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, h2.events.StreamEnded):
                stream = event.stream_id or 0
                own = self._ids.pop(stream)
                self._taken.append(own.decode())
                self._peer.send_headers(stream, [(":status", "200"), ("apns-id", own)], end_stream=True)
        if waiting := self._peer.data_to_send():
            self._transport.write(waiting)


class _Sms(asyncio.Protocol):
    """Answers each request by the id that it has in its body."""

    def __init__(self, taken: list[str]) -> None:
        self._taken = taken
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers where answers go."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Reads on."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Takes a whole request."""
        own, self._body = json.loads(self._body)["ref"], b""
        self._taken.append(own)
        answer = json.dumps({"messages": [{"id": own}]}).encode()
        head = f"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        self._transport.write(head.encode() + answer)


_PROVIDERS: dict[str, Callable[[list[str]], asyncio.Protocol]] = {"push": _Push, "sms": _Sms}


async def _serve(provider: Callable[[list[str]], asyncio.Protocol], port: int) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    taken: list[str] = []
    server = await loop.create_server(lambda: provider(taken), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)

    def tell() -> None:
        print(json.dumps(taken), flush=True)
        taken.clear()

    def listen() -> None:
        for _ in sys.stdin:
            loop.call_soon_threadsafe(tell)
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=listen, daemon=True).start()
    await over.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve(_PROVIDERS[sys.argv[1]], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
