"""Is it told rightly whether a request had left, whatever becomes of the connection?"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from m2s.adapters.channels.wire import Doubt, NotSent, Outcome, Reply, Wire
from m2s.core.base.errors import Invalid

Peer = Callable[[socket.socket], None]


@contextmanager
def peer(behave: Peer) -> Iterator[str]:
    """A server whose every connection is handled as told; ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    behave(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def asked(wire: Wire, url: str, body: bytes = b"x") -> Outcome:
    line = wire.line(url)
    return wire.run(lambda until: line.ask("POST", url, headers={}, body=body, until=until))


def reset(connection: socket.socket) -> None:
    """Makes the close a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_request_that_was_read_whole_and_never_answered_is_a_doubt(wire: Wire) -> None:
    def behave(connection: socket.socket) -> None:
        text = b""
        while not text.endswith(b"\r\n\r\nx"):
            text += connection.recv(65_536)
        reset(connection)

    with peer(behave) as url:
        assert isinstance(asked(wire, url), Doubt)


def test_an_answer_that_breaks_off_is_a_doubt(wire: Wire) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")

    with peer(behave) as url:
        assert isinstance(asked(wire, url), Doubt)


def test_an_answer_without_an_end_is_a_doubt_when_the_time_is_up() -> None:
    wire = Wire(loopback_only=True, limit_s=0.5)
    over = threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            connection.sendall(b"x-more: more\r\n")

    with peer(behave) as url:
        started_at = time.monotonic()
        assert isinstance(asked(wire, url), Doubt)
        assert time.monotonic() - started_at < 10
        over.set()
    wire.close()


def test_a_connection_that_is_never_accepted_is_not_sent_when_the_time_is_up() -> None:
    wire = Wire(loopback_only=True, limit_s=0.3)
    # A queue of one, which is full: the next connection gets no answer at all.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address):
            result = asked(wire, f"http://127.0.0.1:{address[1]}/")
    assert result == NotSent("not sent: the time was up")
    wire.close()


def test_an_answer_without_measure_is_cut(wire: Wire) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n")
        try:
            connection.sendall(b"x" * 10_000_000)
        except OSError:
            return

    with peer(behave) as url:
        result = asked(wire, url)
    assert isinstance(result, Reply)
    assert len(result.body) == 65_536
    assert result.json() is None


def test_a_redirect_is_not_followed(wire: Wire) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"
        )

    with peer(behave) as url:
        result = asked(wire, url)
    assert isinstance(result, Reply)
    assert result.status == 302


def test_many_threads_share_the_wire_and_each_gets_its_own_answer(wire: Wire) -> None:
    def behave(connection: socket.socket) -> None:
        text = b""
        while len(body := text.partition(b"\r\n\r\n")[2]) < 5:
            text += connection.recv(65_536)
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)

    with peer(behave) as url, ThreadPoolExecutor(8) as threads:
        line = wire.line(url)

        def ask(n: int) -> Outcome:
            return wire.run(lambda until: line.ask("POST", url, headers={}, body=b"n=%03d" % n, until=until))

        for n, result in enumerate(threads.map(ask, range(40))):
            assert isinstance(result, Reply)
            assert result.body == b"n=%03d" % n


def test_a_wire_that_is_closed_sends_nothing(wire: Wire) -> None:
    wire.close()
    with pytest.raises(RuntimeError, match="closed"):
        asked(wire, "http://127.0.0.1:9/")


def test_certificates_that_are_none_are_refused_by_name(wire: Wire, tmp_path: Path) -> None:

    file = tmp_path / "ca.pem"
    with pytest.raises(Invalid, match=r"ca\.pem"):
        wire.line("http://127.0.0.1:9/", ca_file=file)
    file.write_text("nothing like it")
    with pytest.raises(Invalid, match=r"ca\.pem"):
        wire.line("http://127.0.0.1:9/", ca_file=file)


def heard(wire: Wire, url: str, *paths: str, method: str = "POST", body: bytes = b"x") -> list[str]:
    """Requests as they arrive at a server, one for each path, asked one after the other by one line."""
    heads: list[str] = []

    def behave(connection: socket.socket) -> None:
        text = b""
        while more := connection.recv(65_536):
            text += more
            if text.endswith(b"\r\n\r\n" + body):
                heads.append(text.decode())
                text = b""
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with peer(behave) as base:
        base = base.replace("http://", url)
        line = wire.line(base)
        for path in paths:
            outcome = wire.run(
                lambda until, path=path: line.ask(  # type: ignore[misc]
                    method, base.rstrip("/") + path, headers={}, body=body, until=until
                )
            )
            assert isinstance(outcome, Reply), outcome
        wire.close()
    return heads


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a/b?c=d%20e&f=%2B", "/a/b?c=d%20e&f=%2B"),
        ("/a b/é?q=<1>", "/a%20b/%C3%A9?q=%3C1%3E"),
        ("/a/../b", "/b"),
        ("/v1.2/messages.json", "/v1.2/messages.json"),
    ],
)
def test_an_address_leaves_as_it_is_written_or_as_it_has_to_be(wire: Wire, path: str, target: str) -> None:
    (head,) = heard(wire, "http://", path)
    assert head.startswith(f"POST {target} HTTP/1.1\r\nhost: 127.0.0.1:")
    assert "content-length: 1\r\n" in head


def test_a_name_and_a_password_in_an_address_are_told_as_such_and_not_in_the_host(wire: Wire) -> None:
    (head,) = heard(wire, "http://us%40er:p%3Aw@", "/")
    assert "\r\nauthorization: Basic dXNAZXI6cDp3\r\n" in head
    assert "\r\nhost: 127.0.0.1:" in head


def test_what_is_only_asked_for_has_no_body_and_connections_are_kept(wire: Wire) -> None:
    first, second = heard(wire, "http://", "/1", "/2", method="GET", body=b"")
    assert (first.split()[1], second.split()[1]) == ("/1", "/2")
    assert "content-length" not in first


def test_a_line_asks_nobody_else(wire: Wire) -> None:
    with peer(reset) as url, peer(reset) as other:
        line = wire.line(url)
        with pytest.raises(ValueError, match="a line to"):
            wire.run(lambda until: line.ask("POST", other, headers={}, until=until))
