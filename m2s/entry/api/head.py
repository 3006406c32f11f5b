"""How much may a request hold before its body? Its line and headers are bounded, before and after they are parsed.

uvicorn bounds neither with its fast parser, and they are kept before anybody can ask who is calling.
"""

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from m2s.entry.api.problems import HeadTooLarge, document_of

MOST_HEAD_BYTES = 32 * 1024


def is_too_large(scope: Scope) -> bool:
    """Whether the address and headers of a request are larger than allowed."""
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return size + sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEAD_BYTES


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers a request whose head is too large."""
    status, headers, body = _refusal()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class BoundedConnection(HttpToolsProtocol):
    """A connection that is cut off when a head, or what follows a body, does not come to its end."""

    _steps = 0
    _without_step_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Takes what arrived; the piece in which a head begins and the one in which it ends are not counted."""
        before = self._steps
        super().data_received(data)
        self._without_step_bytes = 0 if self._steps > before else self._without_step_bytes + len(data)
        if self._without_step_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._cut_off()

    def on_headers_complete(self) -> None:
        """A step on: the head is complete."""
        self._steps += 1
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A step on: a piece of the body."""
        self._steps += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A step on: the request is complete."""
        self._steps += 1
        super().on_message_complete()

    def _cut_off(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            status, headers, body = _refusal()
            lines = [b": ".join(header) for header in [*headers, (b"connection", b"close")]]
            self.transport.write(b"\r\n".join([f"HTTP/1.1 {status} ".encode(), *lines, b"", body]))
        self.transport.close()


def _refusal() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    status, body, headers = document_of(HeadTooLarge(f"it is larger than {MOST_HEAD_BYTES} bytes"))
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return status, [*raw, (b"content-length", str(len(body)).encode())], body
