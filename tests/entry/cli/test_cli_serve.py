"""`m2s serve` as a real process: others beside it, and how it ends."""

from __future__ import annotations

import gc
import json
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from m2s.app.rows import MessageRow
from m2s.bootstrap import build_engine, open_database
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.server import Server
from tests.entry.cli.conftest import Running, Shell, wait_until_refused


def test_told_to_stop_it_answers_what_is_in_flight_and_keeps_it(shop: Shell, running: Running) -> None:
    stores = json.loads(Path("stores.geojson").read_text())
    stores["features"][0]["properties"]["name"] = "Renamed"
    body = json.dumps(stores).encode()
    host, port = running.url.removeprefix("http://").split(":")
    head = (
        f"PUT /v1/stores HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {running.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        wait_until_refused(running.url)
        connection.sendall(body)
        assert b" 200 " in connection.recv(4096).partition(b"\r\n")[0]
    out, err = running.process.communicate(timeout=60)
    assert (running.process.returncode, out) == (0, "m2s stopped; everything that was accepted is kept\n")
    started, stopped = err.splitlines()
    assert "level=info" in started
    assert running.url in started
    assert 'event="m2s stopped"' in stopped
    assert "Renamed" in shop.run("stores", "list").stdout


def test_while_it_answers_what_is_in_flight_it_begins_no_message_and_takes_no_order(shop: Shell) -> None:
    now = datetime.now(UTC)
    names = ("msg_1", "dec_1", "shp_ann", None, "welcome", "welcome", "example-bakery", "push")
    waiting = MessageRow(*names, None, "Hello", "planned", None, now, now + timedelta(hours=1), now, 0, 0)
    server = Server(engine := build_engine(load_settings()), heartbeat=False)
    engine.database.write(lambda records: records.messages.add([waiting]))
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    key = shop.run("keys", "create", "--role", "manager").stdout.strip()
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(
            f"PUT /v1/stores HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until_refused(server.url)
        begun, dropped = engine.deliver.drain(), engine.retention.run(now)
        taken = Path("m2s.sqlite3.sock").exists()
        connection.sendall(b"{}")
        assert b" 422 " in connection.recv(4096).partition(b"\r\n")[0]
    stopping.join(20)
    assert (begun, dropped.finished, taken) == (0, False, False)
    with open_database(load_settings(), read_only=True).read() as records:
        assert records.messages.of_decisions(["dec_1"])["dec_1"].state == "planned"


def test_ctrl_c_ends_it_like_a_stop(running: Running) -> None:
    assert httpx2.get(f"{running.url}/readyz").status_code == 200
    running.process.send_signal(signal.SIGINT)
    out, err = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert "m2s stopped" in out
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_told_and_the_database_let_go(shop: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} of 127.0.0.1 cannot be used" in shop.run("serve", "--port", port, code=1).stderr
    shop.run("stores", "import", "stores.geojson")


def test_a_second_server_is_told_of_the_first_and_not_to_take_another_port(
    shop: Shell, running: Running
) -> None:
    told = shop.run("serve", "--port", running.url.rpartition(":")[2], code=1).stderr
    assert told == (
        f"m2s: process {running.process.pid} at {running.url} owns this database;"
        " one server at a time: stop that one first\n"
    )


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host"])
def test_a_host_that_is_not_here_is_told_as_the_host(shop: Shell, host: str) -> None:
    told = shop.run("serve", "--host", host, "--port", "0", code=1).stderr
    assert f"the host {host!r} is no address of this machine" in told


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_role_for_several_processes_is_refused_for_now(shop: Shell, role: str) -> None:
    assert "SQLite" in shop.run("serve", "--role", role, code=1).stderr


def test_a_server_in_a_thread_takes_another_port_where_its_own_is_taken(shop: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(build_engine(load_settings()), port=port, heartbeat=False)
        server.start()
        assert not server.url.endswith(f":{port}")
        assert httpx2.get(f"{server.url}/healthz").status_code == 200
        server.stop()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/healthz")
    shop.run("stores", "import", "stores.geojson")


@pytest.mark.usefixtures("shop")
def test_a_process_that_serves_settles_its_memory_and_a_server_in_a_thread_does_not() -> None:
    frozen, at_first = list[int](), gc.get_freeze_count()
    before = gc.get_threshold()
    beside = Server(build_engine(load_settings()), heartbeat=False)
    beside.start()
    frozen.append(gc.get_freeze_count())
    beside.stop()
    alone = Server(build_engine(load_settings()), heartbeat=False)

    def listening() -> None:
        frozen.append(gc.get_freeze_count())
        alone.stop()

    try:
        alone.run(listening)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert frozen[0] == at_first < frozen[1]


@pytest.fixture
def address(shop: Shell) -> Iterator[tuple[str, int]]:
    """Where a server in a thread listens."""
    server = Server(build_engine(load_settings(shop.folder / "m2s.toml")), heartbeat=False)
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    yield host, int(port)
    server.stop()


def test_a_request_with_too_much_before_its_body_is_answered_431(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n")
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"application/problem+json" in answer
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Fine: " + b"x" * 8_000 + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n"])
def test_headers_without_end_are_cut_off_before_they_are_kept(address: tuple[str, int], start: bytes) -> None:
    most, sent = 8_000_000, 0
    line = b"a: " + b"x" * 995 + b"\r\n" if start.endswith(b"\n") else b"x" * 1000
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(start)
        try:
            while sent < most:
                sent += connection.send(line * 10)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < most


def test_many_requests_and_large_bodies_on_one_connection_are_no_long_head(address: tuple[str, int]) -> None:
    body = b"x" * 60_000
    head = b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
    with socket.create_connection(address, timeout=60) as connection:
        for _ in range(20):
            connection.sendall(head[:30])
            connection.sendall(head[30:] + body)
            assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")
