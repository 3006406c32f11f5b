"""Does the server part with clients that are slow or send without end, and with nobody else? Over real sockets."""

from __future__ import annotations

import asyncio
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from m2s.adapters.storage.migrate import upgrade
from m2s.app.access import Role
from m2s.bootstrap import build_engine
from m2s.entry.api.connections import MOST_PIPELINED, MOST_REST_BYTES, Connections, Patience
from m2s.entry.api.room import MOST_HELD_BYTES
from m2s.entry.api.sightings import MOST_BYTES
from m2s.entry.cli.server import Server
from m2s.settings import Settings

WAIT_S = 20
SHORT = Patience(
    idle_s=0.8,
    head_s=0.4,
    body_s=1.2,
    begun_s=0.4,
    rest_s=0.4,
    answer_s=0.4,
    leaving_s=0.2,
    look_every_s=0.02,
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: m2s\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Address:
    """A server that listens, and the token of a phone."""

    server: Server
    host: str
    port: int
    token: str

    @contextmanager
    def client(self, sent: bytes = b"") -> Iterator[socket.socket]:
        """A connection on which something has been sent."""
        with socket.create_connection((self.host, self.port), timeout=WAIT_S) as connection:
            connection.sendall(sent)
            yield connection

    def post(self, *headers: str, body: bytes = b"") -> bytes:
        """The beginning of a request with sightings."""
        lines = ["POST /v1/sightings HTTP/1.1", "Host: m2s", f"Authorization: Bearer {self.token}"]
        return "\r\n".join([*lines, "Content-Type: application/json", *headers, "", ""]).encode() + body

    def cut_off(self, reason: str) -> float:
        """How many connections were closed on their clients for a reason."""
        line = f'm2s_connections_cut_off_total{{reason="{reason}"}} '
        lines = httpx2.get(f"{self.server.url}/metrics").text.splitlines()
        return next((float(found.removeprefix(line)) for found in lines if found.startswith(line)), 0.0)


@contextmanager
def serving(
    folder: Path, *, patience: Patience | None = SHORT, max_connections: int = 800
) -> Iterator[Address]:
    settings = Settings(database_url=f"sqlite:///{folder / 'm2s.sqlite3'}", max_connections=max_connections)
    upgrade(settings.database_url)
    engine = build_engine(settings)
    key = engine.access.create_key(Role.SDK, None)[1]
    server = Server(engine, heartbeat=False, patience=patience)
    server.start()
    try:
        made = httpx2.post(f"{server.url}/v1/devices", json={}, headers={"authorization": f"Bearer {key}"})
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        yield Address(server, host, int(port), made.json()["device_token"])
    finally:
        server.stop()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that is never asked."""


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def send_until_closed(connection: socket.socket, piece: bytes, *, most: int) -> int:
    """Sends a piece again and again; the number sent before the server closed the connection."""
    for sent in range(most):
        try:
            connection.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            return sent
    return most


def one_answer(connection: socket.socket) -> bytes:
    """One answer with a length on a connection that stays open."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body, length_bytes = b"", int(length.split(b":")[1])
    while len(body) < length_bytes:
        body += connection.recv(length_bytes - len(body))
    return head + body


def test_a_connection_that_says_nothing_is_closed_without_a_word(address: Address) -> None:
    with address.client() as connection:
        assert answer(connection) == b""


def test_a_head_that_does_not_end_is_answered_408(address: Address) -> None:
    before = address.cut_off("head")
    with address.client(b"GET /healthz HTTP/1.1\r\nX-Slow: ") as connection:
        told = answer(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"urn:m2s:problem:too_slow" in told
    assert address.cut_off("head") == before + 1


def test_bytes_that_drip_in_do_not_keep_a_head_alive(address: Address) -> None:
    with address.client(b"GET /") as connection:
        connection.settimeout(0.02)
        told = b""
        for _ in range(WAIT_S * 50):
            try:
                connection.sendall(b"x")
                told += connection.recv(65_536)
                break
            except TimeoutError:
                continue
    assert told.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("header", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_answered_408(address: Address, header: str) -> None:
    before = address.cut_off("body")
    with address.client(address.post(header)) as connection:
        told = answer(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert address.cut_off("body") == before + 1


def test_a_body_that_drips_is_cut_off_and_one_at_the_least_rate_has_its_whole_time(address: Address) -> None:
    def lives_s(piece: bytes) -> float:
        with address.client(address.post("Content-Length: 1000000")) as connection:
            connection.settimeout(0.05)
            for pieces in range(WAIT_S * 20):
                try:
                    connection.sendall(piece)
                    assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
                    return pieces * 0.05
                except TimeoutError:
                    continue
        raise AssertionError("it was never cut off")

    assert lives_s(b" ") < SHORT.body_s * 0.75 <= lives_s(b" " * 1024)


def test_a_finished_connection_may_rest_so_long_and_no_longer(address: Address) -> None:
    with address.client(HEALTH) as connection:
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        began_s = time.monotonic()
        assert answer(connection) == b""
        assert time.monotonic() - began_s >= SHORT.idle_s * 0.75


def test_a_large_body_is_refused_before_it_comes_and_not_read_to_its_end(address: Address) -> None:
    before = address.cut_off("rest")
    with address.client(address.post("Content-Length: 50000000")) as connection:
        assert one_answer(connection).startswith(b"HTTP/1.1 413 ")
        assert answer(connection) == b""
    assert address.cut_off("rest") == before + 1
    with address.client(address.post("Content-Length: 50000000")) as connection:
        assert send_until_closed(connection, bytes(65_536), most=762) < 300


def test_a_body_without_a_length_is_refused_while_it_comes(address: Address) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with address.client(address.post("Transfer-Encoding: chunked")) as connection:
        for _ in range(MOST_BYTES // 65_536 + 1):
            connection.sendall(chunk)
        assert one_answer(connection).startswith(b"HTTP/1.1 413 ")
        assert send_until_closed(connection, chunk, most=1_000) < 300


def test_the_connection_goes_on_when_the_rest_of_a_refused_body_is_short(address: Address) -> None:
    body = bytes(MOST_REST_BYTES)
    assert len(body) + 1 > MOST_BYTES
    with address.client(address.post("Transfer-Encoding: chunked")) as connection:
        connection.sendall(b"%x\r\n" % len(body) + body + b"\r\n1\r\n \r\n")
        assert one_answer(connection).startswith(b"HTTP/1.1 413 ")
        connection.sendall(b"0\r\n\r\n" + HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_body_in_tiny_pieces_is_refused(address: Address) -> None:
    with address.client(address.post("Transfer-Encoding: chunked")) as connection:
        try:
            connection.sendall(b"1\r\n \r\n" * 200_000)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_requests_sent_far_ahead_are_refused(address: Address) -> None:
    with address.client(HEALTH * (MOST_PIPELINED // 2)) as connection:
        for _ in range(MOST_PIPELINED // 2):
            assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
    with address.client(HEALTH * 5_000) as connection:
        assert answer(connection).count(b"HTTP/1.1 200 ") <= MOST_PIPELINED + 1


def test_an_answer_that_nobody_takes_is_given_up_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: m2s\r\n\r\n"
    with serving(tmp_path) as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(WAIT_S)
        connection.connect((address.host, address.port))
        connection.sendall(ask * (MOST_PIPELINED - 4))
        until_s = time.monotonic() + WAIT_S
        while not address.cut_off("answer"):
            assert time.monotonic() < until_s
    assert "failed" not in capsys.readouterr().out


def test_too_many_connections_cost_those_that_wait_and_not_who_asks(tmp_path: Path) -> None:
    with serving(tmp_path, patience=None, max_connections=32) as address, address.client(HEALTH) as honest:
        assert one_answer(honest).startswith(b"HTTP/1.1 200 ")
        slow = [socket.create_connection((address.host, address.port), timeout=WAIT_S) for _ in range(200)]
        try:
            for connection in slow[:150]:
                assert answer(connection) == b""
            honest.sendall(HEALTH)
            assert one_answer(honest).startswith(b"HTTP/1.1 200 ")
            assert address.cut_off("crowded") >= 150
        finally:
            for connection in slow:
                connection.close()


def test_of_those_overdue_together_a_few_are_cut_off_at_a_time() -> None:
    number = 120
    by_turn: Counter[int] = Counter()

    async def cut_off_by_turn() -> None:
        loop, turn, over = asyncio.get_running_loop(), 0, asyncio.Event()

        def next_turn() -> None:
            nonlocal turn
            turn += 1
            if not over.is_set():
                loop.call_soon(next_turn)

        def cut_off(_reason: str) -> None:
            by_turn[turn] += 1
            if by_turn.total() == number:
                over.set()

        connections = Connections(number, cut_off=cut_off, patience=SHORT)
        config, state = Config(nothing), ServerState()
        config.load()
        listener = await loop.create_server(
            lambda: connections.accept(config, state, {}, loop), "127.0.0.1", backlog=number
        )
        host, port = listener.sockets[0].getsockname()
        begun = [socket.create_connection((host, port)) for _ in range(number)]
        next_turn()
        try:
            await asyncio.wait_for(over.wait(), WAIT_S)
        finally:
            for connection in begun:
                connection.close()
            listener.close()
            while len(connections):
                await asyncio.sleep(0)

    asyncio.run(cut_off_by_turn())
    assert max(by_turn.values()) < number / 3


def test_stalled_bodies_make_way_for_those_that_come(tmp_path: Path) -> None:
    part = b" " * (MOST_BYTES - 1)
    begun = MOST_HELD_BYTES // MOST_BYTES + 8
    with serving(tmp_path, patience=None) as address:
        stalled = [
            socket.create_connection((address.host, address.port), timeout=WAIT_S) for _ in range(begun)
        ]
        try:
            for connection in stalled:
                connection.sendall(address.post(f"Content-Length: {MOST_BYTES}", body=part))
            # Which of them the server began to read first is not for their clients to know.
            made_way = select.select(stalled, [], [], WAIT_S)[0]
            assert b"urn:m2s:problem:bodies_full" in one_answer(made_way[0])
            batch = json.dumps({"sightings": []}).encode()
            honest = address.post(f"Content-Length: {len(batch)}", body=batch)
            with address.client(honest) as connection:
                assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        finally:
            for connection in stalled:
                connection.close()


def test_a_connection_that_comes_while_the_server_stops_is_not_waited_for() -> None:
    async def close_as_it_comes() -> bytes:
        connections = Connections(1, cut_off=print, patience=Patience(head_s=60))
        config, state = Config(nothing), ServerState()
        config.load()
        listener = await asyncio.get_running_loop().create_server(
            lambda: connections.accept(config, state, {}), "127.0.0.1"
        )
        connections.leave()
        async with listener:
            reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
            found = await asyncio.wait_for(reader.read(), WAIT_S)
            writer.close()
            await writer.wait_closed()
        return found

    assert asyncio.run(close_as_it_comes()) == b""


def test_told_to_stop_the_server_does_not_wait_for_the_slow(tmp_path: Path) -> None:
    with (
        serving(
            tmp_path, patience=Patience(begun_s=60, body_s=60, leaving_s=0.2, look_every_s=0.02)
        ) as address,
        address.client(HEALTH) as idle,
        address.client(address.post("Content-Length: 1000", "Expect: 100-continue")) as body,
        address.client(b"GET /") as head,
    ):
        assert one_answer(idle).startswith(b"HTTP/1.1 200 ")
        assert body.recv(100).startswith(b"HTTP/1.1 100 ")
        began_s = time.monotonic()
        address.server.stop()
        assert time.monotonic() - began_s < 5
        assert answer(body).startswith(b"HTTP/1.1 408 ")
        assert answer(head) == answer(idle) == b""
