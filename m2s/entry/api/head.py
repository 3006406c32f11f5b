"""How much may a request hold before its body? Its line and headers are bounded, before anybody asks who is calling."""

from starlette.types import Receive, Scope, Send

from m2s.entry.api.problems import HeadTooLarge, document_of

MOST_HEAD_BYTES = 32 * 1024
MOST_HEADERS = 128


def is_too_large(scope: Scope) -> bool:
    """Whether the address and headers of a request are larger than allowed, or the headers too many."""
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    return size > MOST_HEAD_BYTES or len(scope["headers"]) > MOST_HEADERS


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers a request whose head is too large."""
    error = HeadTooLarge(f"the head is larger than {MOST_HEAD_BYTES} bytes or {MOST_HEADERS} headers")
    status, body, headers = document_of(error)
    raw = [(name.encode(), value.encode()) for name, value in headers]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
