"""How is a session with an SMS centre kept? Bound once, many requests under way, answers told apart by number."""

import asyncio
import contextlib
import select
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

from m2s.adapters.channels import smpp_pdu as pdu
from m2s.adapters.channels.smpp_pdu import Unit

OK = 0x00
TEMPORARY_ERROR = 0x64
_MOST_SEQUENCE = 0x7FFF_FFFF
_QUIET_S = 10.0
"""After so long without a word each side asks whether the other is still there."""

Heard = Callable[[bytes], Awaitable[int]]
"""What becomes of the body of a deliver_sm: the status that it is answered with."""


class Lost(Exception):
    """The session ended; `left` says whether the request had left before."""

    def __init__(self, detail: str, *, left: bool) -> None:
        super().__init__(detail)
        self.left = left


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the centre."""

    system_id: str
    password: str
    system_type: str


class Session:
    """One connection, from its bind to its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hear: Heard) -> None:
        self._reader = reader
        self._writer = writer
        self._hear = hear
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Unit]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bound = False
        self.over = False
        self._begin(self._read())
        self._begin(self._watch())

    @classmethod
    async def open(cls, host: str, port: int, *, tls: ssl.SSLContext | None, hear: Heard) -> "Session":
        """Connects; raises OSError where nobody takes the connection."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        return cls(reader, writer, hear=hear)

    async def bind(self, who: Credentials) -> int:
        """The status with which the centre answers to our name."""
        body = pdu.bind(who.system_id, who.password, who.system_type)
        status = (await self.ask(pdu.BIND_TRANSCEIVER, body)).status
        self._bound = status == OK
        return status

    async def ask(self, command: int, body: bytes = b"") -> Unit:
        """The answer to a request. Raises Lost when the session ends before it came."""
        if not self.over:
            await self._catch_up()
        if self.over:
            raise Lost("the session is over", left=False)
        number = next(self._numbers) % _MOST_SEQUENCE + 1
        answer: asyncio.Future[Unit] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(Unit(command, OK, number, body).to_bytes())
            return await answer
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """Takes leave, and closes."""
        if self._bound and not self.over:
            with contextlib.suppress(Lost, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.ask(pdu.UNBIND)
        self._end("closed")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._writer.wait_closed()

    async def _catch_up(self) -> None:
        """Lets all be read that has come already, so that nothing leaves on a connection that is closed."""
        pending = select.poll()
        pending.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        while not self.over and pending.poll(0):
            await asyncio.sleep(0)

    async def _read(self) -> None:
        why = "the other side closed"
        try:
            while True:
                head = await self._reader.readexactly(pdu.HEADER_BYTES)
                length, command, status, sequence = struct.unpack(">IIII", head)
                if not pdu.HEADER_BYTES <= length <= pdu.MOST_BYTES:
                    why = "a unit of an impossible length"
                    return
                body = await self._reader.readexactly(length - pdu.HEADER_BYTES)
                self._take(Unit(command, status, sequence, body))
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._end(why)

    def _take(self, unit: Unit) -> None:
        if unit.command & pdu.RESPONSE:
            answer = self._waiting.get(unit.sequence)
            if answer is not None and not answer.done():
                answer.set_result(unit)
        elif unit.command == pdu.DELIVER_SM:
            self._begin(self._delivered(unit))
        elif unit.command in (pdu.ENQUIRE_LINK, pdu.UNBIND):
            self._reply(unit, OK)
        else:
            self._writer.write(Unit(pdu.GENERIC_NACK, 0x03, unit.sequence).to_bytes())

    async def _delivered(self, unit: Unit) -> None:
        try:
            status = await self._hear(unit.body)
        except Exception:
            status = TEMPORARY_ERROR
        self._reply(unit, status, body=b"\0")

    def _reply(self, unit: Unit, status: int, *, body: bytes = b"") -> None:
        if not self.over:
            self._writer.write(Unit(unit.command | pdu.RESPONSE, status, unit.sequence, body).to_bytes())

    async def _watch(self) -> None:
        """Asks now and then whether the other side is still there, and ends the session when it is not."""
        while not self.over:
            await asyncio.sleep(_QUIET_S)
            try:
                async with asyncio.timeout(_QUIET_S):
                    await self.ask(pdu.ENQUIRE_LINK)
            except (Lost, TimeoutError):
                self._end("the other side is silent")

    def _end(self, why: str) -> None:
        self.over = True
        self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Lost(why, left=True))

    def _begin(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
