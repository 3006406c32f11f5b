"""The socket beside the database: who may use it, what is left of it, what a command says when its server is gone."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from m2s.adapters.storage.engine import driver
from m2s.bootstrap import Engine, build_engine, open_database
from m2s.core.base.errors import M2sError
from m2s.entry.cli import desk, local_socket
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.local_socket import ask, may_order, peer_uid
from m2s.entry.cli.server import Server
from tests.entry.cli.conftest import Running, Shell, serving

NOBODY = 65_534
SOCKET = Path("m2s.sqlite3.sock")
PAUSE = ("campaigns", "pause", "welcome")


@contextmanager
def in_thread(config: Path) -> Iterator[Engine]:
    """A server in a thread of this process."""
    server = Server(engine := build_engine(load_settings(config)), heartbeat=False)
    server.start()
    try:
        yield engine
    finally:
        server.stop()


def test_only_its_owner_can_open_the_socket_and_it_is_gone_with_the_server(running: Running) -> None:
    assert stat.S_IMODE(SOCKET.stat().st_mode) == 0o600
    running.process.send_signal(signal.SIGTERM)
    running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert not SOCKET.exists()


def test_nobody_can_connect_before_the_mode_is_narrow(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []
    chmod = Path.chmod

    def after_a_try(path: Path, mode: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as early:
            refused.append(early.connect_ex(str(path)))
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", after_a_try)
    with in_thread(shop.folder / "m2s.toml"):
        assert refused == [errno.ECONNREFUSED]


def test_the_user_of_the_server_and_root_may_give_orders_and_nobody_else() -> None:
    assert may_order(os.geteuid())
    assert may_order(0)
    assert not may_order(os.geteuid() + 1)
    here, there = socket.socketpair()
    with here, there:
        assert peer_uid(here) == (os.geteuid() if sys.platform == "linux" else None)


@pytest.mark.usefixtures("running")
def test_another_user_is_kept_out_by_the_mode_and_where_the_mode_is_widened_by_its_id(shop: Shell) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can call as another user")
    shop.folder.chmod(0o711)
    with pytest.raises(PermissionError):
        _as_user(NOBODY, lambda: ask(SOCKET, "campaigns pause", {"campaign_id": "welcome"}))
    SOCKET.chmod(0o666)
    with pytest.raises(M2sError, match=f"the user {NOBODY} may not give orders to the server of the user 0"):
        _as_user(NOBODY, lambda: ask(SOCKET, "campaigns pause", {"campaign_id": "welcome"}))
    assert "active" in shop.run("campaigns", "list").stdout


def test_after_a_kill_commands_write_themselves_and_the_next_server_takes_the_place(shop: Shell) -> None:
    with serving(shop) as (process, _):
        process.kill()
        process.wait()
    assert stat.S_ISSOCK(SOCKET.stat().st_mode)
    assert shop.run(*PAUSE).stdout == "welcome: paused\n"
    with in_thread(shop.folder / "m2s.toml") as engine:
        assert shop.run("campaigns", "resume", "welcome").stdout == "welcome: active\n"
        assert engine.catalog().version == 4
    assert not SOCKET.exists()


def test_a_server_that_is_killed_over_an_order_leaves_the_outcome_open_and_that_is_said(shop: Shell) -> None:
    config = str(shop.folder / "m2s.toml")
    with serving(shop, "--config", config) as (process, _):
        process.send_signal(signal.SIGSTOP)
        command = shop.start(*PAUSE, "--config", config)
        _wait_until(lambda: _connected(shop.folder / SOCKET))
        process.kill()
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (1, "")
    assert err == (
        "m2s: the server ended before it answered: whether `m2s campaigns pause` was done is not known;"
        " look at what is there, and repeat it where it was not\n"
    )
    assert shop.run(*PAUSE).stdout == "welcome: paused\n"


def test_a_server_that_is_told_to_stop_answers_the_order_that_it_has(shop: Shell) -> None:
    config = str(shop.folder / "m2s.toml")
    with serving(shop, "--config", config) as (process, _), _holding_up_writes() as let_go:
        command = shop.start(*PAUSE, "--config", config)
        _wait_until(lambda: _connected(shop.folder / SOCKET))
        process.send_signal(signal.SIGTERM)
        _wait_until(lambda: not SOCKET.exists())
        assert command.poll() is None
        let_go()
        assert command.communicate(timeout=60) == ("welcome: paused\n", "")
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_while_the_owner_takes_no_orders_a_command_waits_for_its_end(
    shop: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = open_database(load_settings())
    pauses: list[float] = []

    def pause(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 2:
            owner.close()

    monkeypatch.setattr(desk, "time", _Time(pause))
    assert shop.run(*PAUSE).stdout == "welcome: paused\n"
    assert len(pauses) == 2


def test_an_owner_that_takes_no_orders_for_long_is_named(
    shop: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_PATIENCE_S", 0)
    with open_database(load_settings()):
        told = shop.run(*PAUSE, code=1).stderr
    assert told == (
        f"m2s: process {os.getpid()} owns this database; it takes no orders at m2s.sqlite3.sock"
        " (No such file or directory): wait for its end or stop it, then try again\n"
    )


def test_a_path_too_long_for_a_socket_is_told_by_the_server_and_by_the_command(shell: Shell) -> None:
    folder = shell.folder / ("x" * 100)
    shell.run("init", str(folder))
    config = folder / "m2s.toml"
    with serving(shell, "--config", str(config)) as (process, url):
        told = shell.run("keys", "create", "--role", "sdk", "--config", str(config), code=1).stderr
        assert told.startswith(
            f"m2s: process {process.pid} at {url} owns this database; it takes no orders at "
        )
        assert "(AF_UNIX path too long)" in told
        shell.run("keys", "list", "--config", str(config))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert "commands that change something will be refused while this server runs" in log
    assert "AF_UNIX path too long" in log


def test_what_is_no_socket_is_left_where_it_is(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_PATIENCE_S", 0)
    SOCKET.write_text("mine")
    with in_thread(shop.folder / "m2s.toml"):
        assert "takes no orders" in shop.run(*PAUSE, code=1).stderr
    assert SOCKET.read_text() == "mine"


def test_half_an_order_is_not_carried_out_and_one_that_nobody_knows_is_refused(shop: Shell) -> None:
    with in_thread(shop.folder / "m2s.toml") as engine:
        with pytest.raises(M2sError, match="does not know `m2s tills close`: it is of another version"):
            ask(SOCKET, "tills close", {})
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(SOCKET))
            whole = msgspec.msgpack.encode(
                {"name": "campaigns stop", "arguments": {"campaign_id": "welcome"}}
            )
            connection.sendall(whole[:-1])
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(10) == b""
        assert [row.state for row in engine.publish.campaigns()] == ["active"]


def test_a_client_that_sends_nothing_is_cut_off(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "_READ_S", 0.05)
    with in_thread(shop.folder / "m2s.toml"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.settimeout(20)
            silent.connect(str(SOCKET))
            assert silent.recv(10) == b""
        assert shop.run(*PAUSE).stdout == "welcome: paused\n"


def test_a_fault_of_the_server_is_in_its_log_and_the_command_says_so(
    shop: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("nobody thought of this")

    with in_thread(shop.folder / "m2s.toml") as engine:
        monkeypatch.setattr(engine.publish, "pause", broken)
        told = shop.run(*PAUSE, code=1).stderr
    *log, last = told.splitlines()
    assert last == "m2s: something went wrong in the server; its log says what"
    assert "nobody thought of this" in "".join(log)


@dataclass(frozen=True, slots=True)
class _Time:
    """The clock of the system, and pauses in which something happens."""

    sleep: Callable[[float], None]

    def monotonic(self) -> float:
        return time.monotonic()


def _as_user(uid: int, work: Callable[[], object]) -> None:
    os.seteuid(uid)
    try:
        work()
    finally:
        os.seteuid(0)


@contextmanager
def _holding_up_writes() -> Iterator[Callable[[], object]]:
    """Holds the lock of the database for writing; what it gives lets go of it."""
    with closing(driver().connect("m2s.sqlite3", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("ROLLBACK")


def _connected(path: Path) -> bool:
    """Whether the system knows a second end of the socket: the listener's own is the first."""
    return sum(line.endswith(f" {path}") for line in Path("/proc/net/unix").read_text().splitlines()) > 1


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
