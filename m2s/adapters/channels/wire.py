"""Did the request leave whole, and what came back? HTTP exchanges over kept connections, each within a time of its own.

What decides between "nothing was sent" and "nobody knows" is whether the request's body had begun to leave: a
connection that was never made, or that the other side had closed before, is not a doubt.
"""

import asyncio
import ipaddress
import json
import re
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpcore2
import httpx2

from m2s.app.channel import CALL_LIMIT_S
from m2s.core.base.errors import Invalid

_MOST_BYTES = 65_536
"""What is read of an answer; no provider says more of one message."""
_KEPT_S = 55.0
"""Load balancers close after 60 s of rest."""
_ONE_KEPT_S = 300.0
_AS_IT_IS = re.compile(rb"/(?!\.)(?:[\w\-~:@!$&'()*+,;=%?]|\.|/(?!\.))*")
"""Path and query that stand in a request as they are written."""
_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
T = TypeVar("T")
_Call = Callable[[float], Coroutine[Any, Any, Any]]


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
        self._tasks: list[asyncio.Future[None]] = []
        self._idle: list[asyncio.Future[tuple[_Call, Future[Any]]]] = []
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
        made = Line(self, url, http2=http2, repeatable=repeatable, tls=trusting(ca_file))
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
        waiting: Future[T] = Future()
        self._running().call_soon_threadsafe(self._take, call, waiting)
        return waiting.result()

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
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(closed(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()

    def _take(self, call: _Call, waiting: "Future[Any]") -> None:
        if self._idle:
            self._idle.pop().set_result((call, waiting))
        else:
            self._tasks.append(asyncio.ensure_future(self._runs(call, waiting)))

    async def _runs(self, call: _Call, waiting: "Future[Any]") -> None:
        """Runs calls one after the other: a task of its own for each would cost a fifth of it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                waiting.set_result(await call(loop.time() + self._limit_s))
            except Exception as error:
                waiting.set_exception(error)
            except BaseException as error:
                waiting.set_exception(error)
                raise
            following: asyncio.Future[tuple[_Call, Future[Any]]] = loop.create_future()
            self._idle.append(following)
            call, waiting = await following

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
    """Exchanges with one provider.

    They go straight to the connections beneath the client library: what that adds for browsing (redirects, cookies,
    proxies) is not wanted here and costs half as much as the exchange. In HTTP/2 they share one connection; in HTTP/1.1
    each takes a free one, because a pool of many would look at all of them each time.
    """

    def __init__(self, wire: Wire, url: str, *, http2: bool, repeatable: bool, tls: ssl.SSLContext) -> None:
        self._wire = wire
        self._http2 = http2
        self._repeatable = repeatable
        self._tls = tls
        self._origin = httpx2.URL(url).copy_with(raw_path=b"/", userinfo=b"")
        self._always = _said_always(httpx2.URL(url))
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._free: list[httpcore2.AsyncConnectionPool] = []
        self._opened_pools = 0
        self._retired: list[httpcore2.AsyncConnectionPool] = []
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
        if connection == self._opened_pools and self._pool is not None:
            old, self._pool = self._pool, None
            self._retired.append(old)
            asyncio.get_running_loop().call_later(CALL_LIMIT_S, self._bury, old)

    async def close(self) -> None:
        """Closes the connections."""
        for pool in [*self._retired, *self._free, *([self._pool] if self._pool else [])]:
            await pool.aclose()
        self._retired, self._free, self._pool = [], [], None

    def _bury(self, pool: httpcore2.AsyncConnectionPool) -> None:
        if pool in self._retired:
            self._retired.remove(pool)
            self._burials.append(asyncio.ensure_future(pool.aclose()))
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
        except _BROKEN as error:
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
        pool, course.connection = self._taken()
        length = {"content-length": str(len(body))} if body or method != "GET" else {}
        try:
            response = await pool.handle_async_request(
                httpcore2.Request(
                    method,
                    self._address(url),
                    headers=list({**self._always, **length, **headers}.items()),
                    content=body,
                    extensions={"trace": course.note},
                )
            )
            try:
                answer = bytearray()
                async for piece in response.aiter_stream():
                    answer += piece
                    if len(answer) > _MOST_BYTES:
                        break
            finally:
                await response.aclose()
        finally:
            if not self._http2:
                self._free.append(pool)
        told = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers}
        self._wire.listen(told.get("date", ""))
        return Reply(response.status, told, bytes(answer[:_MOST_BYTES]), course.connection)

    def _address(self, url: str) -> httpcore2.URL:
        origin = self._origin
        target = url.removeprefix(str(origin)[:-1]).encode()
        if not _AS_IT_IS.fullmatch(target):
            parsed = httpx2.URL(url)
            target = parsed.raw_path
            if (parsed.scheme, parsed.netloc) != (origin.scheme, origin.netloc):
                raise ValueError(f"a line to {origin} was asked for something at {parsed.host}")
        return httpcore2.URL(scheme=origin.raw_scheme, host=origin.raw_host, port=origin.port, target=target)

    def _taken(self) -> tuple[httpcore2.AsyncConnectionPool, int]:
        """A connection, and its number where there is but one."""
        if not self._http2:
            return self._free.pop() if self._free else self._made(_KEPT_S), 0
        if self._pool is None:
            self._opened_pools += 1
            self._pool = self._made(_ONE_KEPT_S)
        return self._pool, self._opened_pools

    def _made(self, kept_s: float) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=1,
            keepalive_expiry=kept_s,
            http1=not self._http2,
            http2=self._http2,
        )


def _said_always(url: httpx2.URL) -> dict[str, str]:
    """What stands in every request to an address; a name and a password in it are told as such."""
    said = {"host": url.netloc.decode("ascii"), "accept": "*/*", "accept-encoding": "identity"}
    said["user-agent"] = "m2s"
    if url.userinfo:
        told = b64encode(f"{url.username}:{url.password}".encode()).decode("ascii")
        said["authorization"] = f"Basic {told}"
    return said


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
