"""What does group commit gain? Single sightings over HTTP from 64 connections, against one commit per request."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Self, cast

import uvloop

from benchmarks.measured import Cost, Row, compared
from benchmarks.workload import Traffic, make_stores
from m2s.adapters.storage.migrate import upgrade
from m2s.adapters.storage.writer import MAX_GROUP_WEIGHT
from m2s.bootstrap import build_engine
from m2s.settings import Settings

ROUNDS = 9
CONNECTIONS = 64
REQUESTS = 40
"""Requests of one connection in a round."""
_LONGEST_ROUND_S = 60.0


def singles(folder: Path, *, seed: int) -> Row:
    """Requests of one sighting, each answered after its synced commit; both servers run, one at a time is asked."""
    path, alone = folder / "group.sqlite3", folder / "alone.sqlite3"
    tokens, rounds = _prepared(path, seed)
    shutil.copyfile(path, alone)
    ours, floor = [], []
    with _Served(path, MAX_GROUP_WEIGHT) as group, _Served(alone, 1) as one_by_one:
        for number, bodies in enumerate(rounds):
            requests = [
                [_request(token, body) for body in bodies[place::CONNECTIONS]]
                for place, token in enumerate(tokens)
            ]
            pair = group.asked(requests), one_by_one.asked(requests)
            if number:
                ours.append(pair[0])
                floor.append(pair[1])
    return compared(
        f"single sightings over HTTP from {CONNECTIONS} connections, against one commit per request",
        ours,
        floor,
        goal=3.0,
        unit="requests a second",
        by=attrgetter("wall_us"),
    )


def _prepared(path: Path, seed: int) -> tuple[list[str], list[list[bytes]]]:
    """A database with stores and a device for each connection; their tokens, and the bodies of every round."""
    settings = Settings(database_url=f"sqlite:///{path}")
    upgrade(settings.database_url)
    engine = build_engine(settings)
    try:
        engine.publish.publish_stores(make_stores(seed))
        devices = [engine.devices.register({}, key_id="bench") for _ in range(CONNECTIONS)]
        traffic = Traffic(engine, seed=seed)
        rounds = [[body for _, body in traffic.bodies(CONNECTIONS * REQUESTS, 1)] for _ in range(ROUNDS + 1)]
    finally:
        engine.stop()
    return [device.device_token for device in devices], rounds


def _request(token: str, body: bytes) -> bytes:
    head = (
        "POST /v1/sightings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Served:
    """A server process and what its work costs."""

    def __init__(self, database: Path, group_weight: int) -> None:
        command = [sys.executable, "-m", "benchmarks.http_server", str(database), str(group_weight)]
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

    def asked(self, requests: Sequence[Sequence[bytes]]) -> Cost:
        """What one request cost when every connection sends its own, each after the answer to the one before."""
        cpu_s, began_s = self._cpu_s(), time.perf_counter()
        answered = uvloop.run(_ask(self._port, requests))
        wall_s = time.perf_counter() - began_s
        return Cost((self._cpu_s() - cpu_s) / answered * 1e6, wall_s / answered * 1e6)

    def _cpu_s(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with exit code {self._process.wait(timeout=60)}")
        return line


async def _ask(port: int, requests: Sequence[Sequence[bytes]]) -> int:
    """Sends all of them and returns how many were answered with 200; raises when one was answered otherwise."""
    loop = asyncio.get_running_loop()
    connections = []
    for own in requests:
        _, connection = await loop.create_connection(partial(_Connection, own), "127.0.0.1", port)
        connections.append(connection)
    async with asyncio.timeout(_LONGEST_ROUND_S):
        return sum(await asyncio.gather(*(connection.done for connection in connections)))


class _Connection(asyncio.Protocol):
    """Sends its requests one after the other on one connection that is kept open."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._sent = 0
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
        if not head.startswith(b"HTTP/1.1 200 ") or b'"accepted":1' not in body:
            self._fail(RuntimeError(f"the server answered {head[:40]!r} {body[:200]!r}"))
        elif self._sent < len(self._requests):
            self._buffer = b""
            self._send()
        else:
            self._transport.close()
            self.done.set_result(self._sent)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that never came is a failure."""
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        self._transport.write(self._requests[self._sent])
        self._sent += 1

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
