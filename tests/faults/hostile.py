"""Who wants to bring a server down? `python -m tests.faults.hostile PORT TOKEN` plays them all until its input ends.

500 slow connections that are made anew when they are cut off, gzip bombs, JSON of 20 000 levels, bodies of 50 MB and
lengths that lie, all with the token of a registered phone. At the end it prints what it was answered, by status.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

SLOW = 500
HUGE_BYTES = 50_000_000
_PIECE = bytes(65_536)
_DRIP_S = 1.0
_AGAIN_S = 0.2
_TIMEOUT_S = 30.0
_CUT_OFF = "cut off"


@dataclass
class Crowd:
    """Those who attack one server, and what they were answered."""

    port: int
    token: str
    answers: Counter[str] = field(default_factory=Counter)

    async def slow(self, beginning: bytes, drip: bytes) -> None:
        """Holds a connection by sending next to nothing; makes another one when it is closed."""
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(beginning)
                    answer = asyncio.ensure_future(reader.read(65_536))
                    while not answer.done():
                        await asyncio.wait([answer], timeout=_DRIP_S)
                        if drip and not answer.done():
                            writer.write(drip)
                    self.answers[status(answer.result()) if answer.result() else _CUT_OFF] += 1
                finally:
                    writer.close()
            await asyncio.sleep(_AGAIN_S)

    async def again(self, every_s: float, pieces: Callable[[], Sequence[bytes]]) -> None:
        """Sends a request, takes its answer, closes, and begins anew."""
        while True:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._once(pieces())
            await asyncio.sleep(every_s)

    async def _once(self, pieces: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answer = asyncio.ensure_future(reader.read(65_536))
        try:
            with suppress(OSError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
            self.answers[status(await answer)] += 1
        finally:
            answer.cancel()
            writer.close()

    def head(self, *headers: str) -> bytes:
        """The head of a request with sightings."""
        lines = ["POST /v1/sightings HTTP/1.1", "Host: m2s", f"Authorization: Bearer {self.token}"]
        return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode()

    def whole(self, body: bytes, *headers: str) -> list[bytes]:
        """A complete request."""
        return [self.head(f"Content-Length: {len(body)}", *headers) + body]


def status(answer: bytes) -> str:
    """The status of an answer."""
    return answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else _CUT_OFF


async def attack(crowd: Crowd) -> None:
    """Everything at once, until it is cancelled."""
    bomb = gzip.compress(bytes(HUGE_BYTES), 9)
    blanks = gzip.compress(b" " * 1_048_576, 9)
    deep = b'{"sightings":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    huge = [_PIECE] * (HUGE_BYTES // len(_PIECE))
    chunk = b"%x\r\n" % len(_PIECE) + _PIECE + b"\r\n"
    slow = [
        (b"GET /healthz HTTP/1.1\r\nHost: m2s\r\nX-Slow: ", b"x"),
        (crowd.head("Content-Length: 1000000"), b" "),
        (crowd.head("Transfer-Encoding: chunked"), b"1\r\n \r\n"),
        (crowd.head("Content-Length: 1000000") + b" " * 30_000, b""),
        (b"", b""),
    ]
    requests: list[tuple[float, Callable[[], Sequence[bytes]]]] = [
        (0.1, lambda: crowd.whole(bomb, "Content-Encoding: gzip")),
        (0.1, lambda: crowd.whole(blanks, "Content-Encoding: gzip")),
        (0.1, lambda: crowd.whole(deep)),
        (0.5, lambda: [crowd.head(f"Content-Length: {HUGE_BYTES}"), *huge]),
        (0.5, lambda: [crowd.head("Transfer-Encoding: chunked"), *([chunk] * len(huge))]),
        (0.5, lambda: [crowd.head("Content-Length: 10"), *huge]),
        (0.5, lambda: [crowd.head("Transfer-Encoding: chunked") + b"1\r\n \r\n" * 20_000]),
    ]
    async with asyncio.TaskGroup() as tasks:
        for beginning, drip in itertools.islice(itertools.cycle(slow), SLOW):
            tasks.create_task(crowd.slow(beginning, drip))
        for every_s, pieces in requests:
            tasks.create_task(crowd.again(every_s, pieces))


async def until_told() -> None:
    """Attacks until the standard input ends."""
    # Attackers have machines of their own: they are not to take the processor from the server.
    os.nice(19)
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    crowd = Crowd(int(sys.argv[1]), sys.argv[2])
    attacking = asyncio.ensure_future(attack(crowd))
    await asyncio.to_thread(sys.stdin.read)
    attacking.cancel()
    with suppress(asyncio.CancelledError):
        await attacking
    print(json.dumps(crowd.answers))


if __name__ == "__main__":
    asyncio.run(until_told())
