"""`m2s serve` as a real process: others beside it, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from m2s.bootstrap import build_engine
from m2s.entry.cli.server import Server
from m2s.settings import load_settings
from tests.entry.cli.conftest import Shell


@dataclass(frozen=True, slots=True)
class Running:
    """A server process and the key of a manager."""

    process: subprocess.Popen[str]
    url: str
    key: str


@pytest.fixture
def running(shop: Shell) -> Iterator[Running]:
    key = shop.run("keys", "create", "--role", "manager").stdout.strip()
    process = shop.start("serve", "--port", "0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("m2s listens on http://127.0.0.1:"), process.communicate()
        yield Running(process, line.split()[-1], key)
    finally:
        process.kill()
        process.communicate()


def test_beside_a_server_commands_read_and_name_the_route_for_what_they_may_not_write(
    shop: Shell, running: Running
) -> None:
    refused = {
        ("stores", "import", "stores.geojson"): "PUT /v1/stores",
        ("campaigns", "apply", "campaigns/welcome.yaml"): "PUT /v1/campaigns/",
        ("campaigns", "pause", "welcome"): "POST /v1/campaigns/welcome/pause",
        ("campaigns", "resume", "welcome"): "POST /v1/campaigns/welcome/resume",
        ("campaigns", "stop", "welcome"): "POST /v1/campaigns/welcome/stop",
        ("keys", "create", "--role", "sdk"): "stop it first",
        ("keys", "revoke", "12345678"): "stop it first",
        ("db", "upgrade"): "stop it first",
        ("serve", "--port", "0"): "one server at a time",
    }
    for command, told in refused.items():
        error = shop.run(*command, code=1).stderr
        assert told in error
        assert f"process {running.process.pid} at {running.url} owns this database" in error
        assert len(error.splitlines()) == 1
    for words in ("stores list", "stores check", "campaigns list", "keys list", "report visits"):
        shop.run(*words.split())
    shop.run("campaigns", "validate", "campaigns/welcome.yaml")


def test_told_to_stop_it_answers_what_is_in_flight_and_keeps_it(shop: Shell, running: Running) -> None:
    stores = json.loads(Path("stores.geojson").read_text())
    stores["features"][0]["properties"]["name"] = "Renamed"
    body = json.dumps(stores).encode()
    host, port = running.url.removeprefix("http://").split(":")
    head = (
        f"PUT /v1/stores HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {running.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        running.process.send_signal(signal.SIGTERM)
        _wait_until_refused(host, int(port))
        connection.sendall(body)
        assert b" 200 " in connection.recv(4096).partition(b"\r\n")[0]
    out, err = running.process.communicate(timeout=20)
    assert (running.process.returncode, out, err) == (
        0,
        "m2s stopped; everything that was accepted is kept\n",
        "",
    )
    assert "Renamed" in shop.run("stores", "list").stdout


def test_ctrl_c_ends_it_like_a_stop(running: Running) -> None:
    assert httpx2.get(f"{running.url}/readyz").status_code == 200
    running.process.send_signal(signal.SIGINT)
    out, err = running.process.communicate(timeout=20)
    assert (running.process.returncode, err) == (0, "")
    assert "m2s stopped" in out


def test_a_port_that_is_taken_is_told_and_the_database_let_go(shop: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} of 127.0.0.1 cannot be used" in shop.run("serve", "--port", port, code=1).stderr
    shop.run("stores", "import", "stores.geojson")


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


def _wait_until_refused(host: str, port: int) -> None:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection((host, port), timeout=5).close()
        except ConnectionResetError:
            continue
        except ConnectionRefusedError:
            return
    raise AssertionError("the server still accepts connections")
