"""How is a server loaded over HTTP? It runs in a process of its own; connections ask one request after the other."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self, cast

import uvloop

from benchmarks.measured import Cost
from benchmarks.workload import Body, token_of
from m2s.adapters.storage.writer import MAX_GROUP_WEIGHT

_LONGEST_ROUND_S = 120.0
Requests = Sequence[Sequence[bytes]]
"""What each connection asks."""


def requests_of(bodies: Sequence[Body], connections: int) -> Requests:
    """Requests by connection, each with the token of its device."""
    requests = [_request(*body) for body in bodies]
    return [requests[place::connections] for place in range(connections)]


def _request(device: str, body: bytes) -> bytes:
    head = (
        "POST /v1/sightings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token_of(device)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Served:
    """A server process on one core, and what its work costs."""

    def __init__(self, database: Path, *, group_weight: int = MAX_GROUP_WEIGHT, job: str = "whole") -> None:
        command = [sys.executable, "-m", "benchmarks.http_server", str(database), str(group_weight), job]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._port = int(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def asked(self, requests: Requests, *, each: int = 1, taken_as: str = "accepted") -> Cost:
        """What one of `each` sightings in a request cost, every one asked after the answer to the one before.

        Raises RuntimeError where they are not all `taken_as` this.
        """
        cpu_s, began_s = self._used()[0], time.perf_counter()
        answers_ms = uvloop.run(_ask(self._port, requests, f'"{taken_as}":{each},'))
        wall_s = time.perf_counter() - began_s
        sightings = len(answers_ms) * each
        return Cost(
            (self._used()[0] - cpu_s) / sightings * 1e6, wall_s / sightings * 1e6, answers_ms=answers_ms
        )

    def resident_mb(self) -> float:
        """The memory that the server occupies."""
        return self._used()[1]

    def _used(self) -> tuple[float, float]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        cpu_s, resident_mb = map(float, self._line().split())
        return cpu_s, resident_mb

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with exit code {self._process.wait(timeout=60)}")
        return line


async def _ask(port: int, requests: Requests, wanted: str) -> list[float]:
    """Sends all of them; how long each took to be answered. Raises when what is wanted is not in an answer."""
    loop = asyncio.get_running_loop()
    connections = []
    for own in requests:
        _, connection = await loop.create_connection(partial(_Connection, own, wanted), "127.0.0.1", port)
        connections.append(connection)
    async with asyncio.timeout(_LONGEST_ROUND_S):
        taken = await asyncio.gather(*(connection.done for connection in connections))
    return [one for answers_ms in taken for one in answers_ms]


class _Connection(asyncio.Protocol):
    """Sends its requests one after the other on one connection that is kept open."""

    def __init__(self, requests: Sequence[bytes], wanted: str) -> None:
        self.done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._wanted = wanted.encode()
        self._answers_ms: list[float] = []
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Sends the next when an answer is complete."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            return
        self._answers_ms.append((time.perf_counter() - self._sent_s) * 1e3)
        if not head.startswith(b"HTTP/1.1 200 ") or self._wanted not in body:
            self._fail(RuntimeError(f"the server answered {head[:40]!r} {body[:200]!r}"))
        elif len(self._answers_ms) < len(self._requests):
            self._buffer = b""
            self._send()
        else:
            self._transport.close()
            self.done.set_result(self._answers_ms)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that never came is a failure."""
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        self._sent_s = time.perf_counter()
        self._transport.write(self._requests[len(self._answers_ms)])

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
