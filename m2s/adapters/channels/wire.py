"""Did the request leave whole, and what came back? HTTP exchanges over kept connections, each within a time of its own.

What decides between "nothing was sent" and "nobody knows" is whether the request's body had begun to leave: a
connection that was never made, or that the other side had closed before, is not a doubt.
"""

import asyncio
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2

from m2s.app.channel import CALL_LIMIT_S
from m2s.core.base.errors import Invalid

_MOST_BYTES = 65_536
"""What is read of an answer; no provider says more of one message."""
_LIMITS = httpx2.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=55.0)
"""Load balancers close after 60 s of rest."""
_ONE_KEPT = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=300.0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    connection: int = 0
    """Which of the line's connections carried it; see `Line.renew`."""

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request did not leave, or not whole: the other side cannot have acted on it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The request left, and no whole answer came."""

    detail: str


Outcome = Reply | NotSent | Doubt


class Closable(Protocol):
    """What lives in the wire's loop and ends with it."""

    async def close(self) -> None:
        """Closes its connections."""
        ...


class Wire:
    """The loop in which all exchanges of a process run, in a thread of its own; ends with `close`.

    A loop, because only asyncio can end an exchange as a whole when its time is up: an answer that trickles in byte by
    byte never reaches a time-out of a socket.
    """

    def __init__(self, *, loopback_only: bool, limit_s: float = CALL_LIMIT_S) -> None:
        self._loopback_only = loopback_only
        self._limit_s = limit_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._starting = threading.Lock()
        self._kept: list[Closable] = []
        self.ahead: timedelta | None = None
        """How far the clock of a provider is ahead of this machine's, by its last `Date`."""

    def line(
        self, url: str, *, http2: bool = False, repeatable: bool = False, ca_file: Path | None = None
    ) -> "Line":
        """A line to one provider, with connections of its own.

        `http2` speaks HTTP/2 alone, over one connection. `repeatable` says that asking twice does no harm: an exchange
        that a kept connection did not survive is made again at once. Raises Invalid for an address that this
        installation may not send to, and for one that is none.
        """
        self.permit(url)
        made = Line(self, http2=http2, repeatable=repeatable, tls=trusting(ca_file))
        self.keep(made)
        return made

    def keep(self, connection: Closable) -> None:
        """Closes it when the wire closes."""
        self._kept.append(connection)

    def permit(self, url: str) -> None:
        """Raises Invalid for what is no address, and for one beyond this machine outside of production."""
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise Invalid(f"{url!r} is not an address: {error}") from error
        if not parsed.host:
            raise Invalid(f"{url!r} is not an address: write it like https://sms.example/send")
        if self._loopback_only and not _is_loopback(parsed.host):
            raise Invalid(
                f"{parsed.host} is beyond this machine, and outside of production nothing is sent there: "
                'write mode = "production" in m2s.toml, or give the channel to the adapter console'
            )

    def run(self, call: Callable[[float], Coroutine[Any, Any, T]]) -> T:
        """What a coroutine comes to; it is given the time of the loop at which it has to be done."""
        loop = self._running()

        async def bounded() -> T:
            return await call(loop.time() + self._limit_s)

        return asyncio.run_coroutine_threadsafe(bounded(), loop).result()

    def listen(self, date: str) -> None:
        """Keeps what a `Date` header says of this machine's clock."""
        try:
            self.ahead = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):
            return

    def close(self) -> None:
        """Closes every connection; nothing may be sent after."""
        loop, self._loop, self._closed = self._loop, None, True
        if loop is None or self._thread is None:
            return

        async def closed() -> None:
            for kept in self._kept:
                await kept.close()

        asyncio.run_coroutine_threadsafe(closed(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._closed:
                raise RuntimeError("the wire is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="channels", daemon=True)
                self._thread.start()
            return self._loop


class Line:
    """Exchanges with one provider."""

    def __init__(self, wire: Wire, *, http2: bool, repeatable: bool, tls: ssl.SSLContext) -> None:
        self._wire = wire
        self._http2 = http2
        self._repeatable = repeatable
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None
        self._opened_clients = 0
        self._retired: list[httpx2.AsyncClient] = []
        self._burials: list[asyncio.Future[None]] = []

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        until: float,
    ) -> Outcome:
        """One exchange, over by `until`; redirects are not followed."""
        outcome, stale = await self._once(method, url, headers=headers, body=body, until=until)
        if stale and (self._repeatable or isinstance(outcome, NotSent)):
            outcome, _ = await self._once(method, url, headers=headers, body=body, until=until)
        return outcome

    async def reach(self, url: str, *, until: float) -> str | None:
        """Why no connection can be made to an address; None where one was, and was closed again."""
        parsed = httpx2.URL(url)
        secure = parsed.scheme == "https"
        try:
            async with asyncio.timeout_at(until):
                _, writer = await asyncio.open_connection(
                    parsed.host, parsed.port or (443 if secure else 80), ssl=self._tls if secure else None
                )
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            return "the time was up"
        except OSError as error:
            return str(error)
        return None

    def renew(self, connection: int) -> None:
        """The next exchange gets a connection other than this one; those under way on it go on."""
        if connection == self._opened_clients and self._client is not None:
            old, self._client = self._client, None
            self._retired.append(old)
            asyncio.get_running_loop().call_later(CALL_LIMIT_S, self._bury, old)

    async def close(self) -> None:
        """Closes the connections."""
        for client in [*self._retired, *([self._client] if self._client else [])]:
            await client.aclose()
        self._retired, self._client = [], None

    def _bury(self, client: httpx2.AsyncClient) -> None:
        if client in self._retired:
            self._retired.remove(client)
            self._burials.append(asyncio.ensure_future(client.aclose()))
            self._burials = [burial for burial in self._burials if not burial.done()]

    async def _once(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, until: float
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether a connection from before was at fault."""
        course = _Course()
        try:
            async with asyncio.timeout_at(until):
                return await self._exchange(method, url, headers=headers, body=body, course=course), False
        except TimeoutError:
            detail, stale = "the time was up", False
        except httpx2.TransportError as error:
            detail, stale = f"{type(error).__name__} {error}".strip(), not course.connected
        if self._http2:
            # The client library would keep a broken connection, and wait for it; and one that is silent may be dead.
            self.renew(course.connection)
        if course.left:
            return Doubt(f"no answer: {detail}"), stale
        return NotSent(f"not sent: {detail}"), stale

    async def _exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, course: "_Course"
    ) -> Reply:
        client, course.connection = self._opened()
        request = client.build_request(
            method,
            url,
            headers={"accept-encoding": "identity", **headers},
            content=body or None,
            extensions={"trace": course.note, "timeout": {}},
        )
        response = await client.send(request, stream=True)
        try:
            answer = bytearray()
            async for piece in response.aiter_raw():
                answer += piece
                if len(answer) > _MOST_BYTES:
                    break
        finally:
            await response.aclose()
        self._wire.listen(response.headers.get("date", ""))
        return Reply(
            response.status_code, dict(response.headers), bytes(answer[:_MOST_BYTES]), course.connection
        )

    def _opened(self) -> tuple[httpx2.AsyncClient, int]:
        if self._client is None:
            self._opened_clients += 1
            self._client = httpx2.AsyncClient(
                verify=self._tls,
                http1=not self._http2,
                http2=self._http2,
                limits=_ONE_KEPT if self._http2 else _LIMITS,
                follow_redirects=False,
            )
        return self._client, self._opened_clients


class _Course:
    """How far one exchange came."""

    def __init__(self) -> None:
        self.connection = 0
        self.connected = False
        self.left = False

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the client at each of its steps."""
        del info
        step = event.partition(".")[2]
        if step == "connect_tcp.started":
            self.connected = True
        elif step == "send_request_headers.started":
            self.left = False
        elif step == "send_request_body.started":
            self.left = True


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """What TLS trusts: the certificates of a file, else those of the system. Raises Invalid for a file without any."""
    if ca_file is None:
        return httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"ca_file {ca_file}: no certificates can be read from it ({error})") from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
