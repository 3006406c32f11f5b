"""A retailer's own system on loopback: checks every signature with the library, and misbehaves on order."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The published test secret of Standard Webhooks."""

RESET, SILENT, TRICKLE = "reset", "silent", "trickle"


@dataclass
class Receiver:
    """What came in, and what to answer: a status with headers, `reset` (the connection breaks), `silent`, or `trickle`
    (header after header, without an end)."""

    url: str = ""
    behaviour: int | str = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    verified: list[dict[str, Any]] = field(default_factory=list)
    raw: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises WebhookVerificationError for a request whose signature is not good."""
        Webhook(SECRET).verify(body, dict(headers))
        self.raw.append((headers, body))
        self.ids.append(headers.get("webhook-id"))
        self.verified.append(json.loads(body))


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(dict(self.headers), self.rfile.read(int(self.headers["content-length"])))
            if receiver.behaviour == RESET:
                # Linger of 0 s makes the close a reset instead of a proper end.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True
                return
            if receiver.behaviour == SILENT:
                receiver.over.wait(10)
                return
            if receiver.behaviour == TRICKLE:
                self.send_response(204)
                while not receiver.over.wait(0.02):
                    self.send_header("x-more", "more")
                    self.flush_headers()
                return
            self.send_response(int(receiver.behaviour))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver()
    with _Server(("127.0.0.1", 0), _handler(receiver)) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
