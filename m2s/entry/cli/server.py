"""How is an engine put behind a port and the local socket? In the foreground for `serve`, in a thread for the demo."""

import asyncio
import errno
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

from m2s.bootstrap import Engine, database_file
from m2s.core.base.errors import Conflict, Invalid
from m2s.entry.api.app import create_app
from m2s.entry.api.connections import Connections, Patience
from m2s.entry.cli.local_socket import LocalSocket, socket_path

_log = logging.getLogger(__name__)
PORT_TAKEN = "port_taken"
_DRAIN_S = 8
_OTHER_FILES = 128
"""Files that are open beside the connections: the database's, the log, what Python itself reads."""
_NOT_HERE = (
    "the host {0!r} is no address of this machine; use 127.0.0.1, or 0.0.0.0 for every network interface"
)


class Server:
    """One engine behind one port. Nothing is accepted before the engine has started."""

    def __init__(
        self,
        engine: Engine,
        *,
        port: int = 0,
        listener: socket.socket | None = None,
        heartbeat: bool = True,
        patience: Patience | None = None,
    ) -> None:
        """Takes a bound `listener`; without one, `port` of 127.0.0.1, or a free port where that is taken.

        `patience` is how long clients may take.
        """
        self._engine = engine
        self._heartbeat = heartbeat
        self._listener = listener or _bound_near(port)
        self.url = url_of(self._listener)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        patience = patience or Patience()
        connections = Connections(
            _most_connections(engine.settings.max_connections),
            cut_off=engine.metrics.cut_off,
            patience=patience,
        )
        engine.metrics.watch_connections(lambda: len(connections))
        config = uvicorn.Config(
            create_app(engine),
            loop="uvloop",
            http=connections.accept,  # type: ignore[arg-type]  # uvicorn only calls it
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=patience.idle_s,  # type: ignore[arg-type]  # seconds for `call_later`
            timeout_graceful_shutdown=_DRAIN_S,
        )
        self._server = _Announcing(config)
        self._server.engine = engine
        self._server.connections = connections
        self._server.local = LocalSocket(socket_path(database_file(engine.settings)), engine)

    def run(self, listening: Callable[[], None]) -> None:
        """Serves until SIGTERM or SIGINT, then answers what is in flight and stops the engine.

        `listening` is called when requests are answered.
        """

        def leave(_signal: int, _frame: FrameType | None) -> None:
            self._server.should_exit = True

        # uvicorn raises the signal once more after draining: then, too, it must not end the process.
        before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._serve(listening, settled=True)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self) -> None:
        """Serves from a thread; returns when requests are answered. Raises what kept it from starting."""
        self._thread = threading.Thread(target=self._serve_in_thread, name="http", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stops accepting, answers what is in flight, and stops the engine; for a server in a thread."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def _serve_in_thread(self) -> None:
        try:
            self._serve(self._ready.set, settled=False)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    def _serve(self, listening: Callable[[], None], *, settled: bool) -> None:
        self._server.listening = listening
        try:
            self._engine.start(heartbeat=self._heartbeat)
            if settled:
                self._engine.settle()
            self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()
            self._engine.stop()


class _Announcing(uvicorn.Server):
    """Calls `listening` when requests and the orders of commands are answered."""

    engine: Engine
    connections: Connections
    local: LocalSocket
    listening: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen."""
        self.engine.database.answer_on(asyncio.get_running_loop().call_soon_threadsafe)
        await super().startup(sockets)
        await self.local.open()
        self.listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers what is in flight; what the heartbeat does beside it ends meanwhile, not after it."""
        self.connections.leave()
        self.engine.hurry()
        await asyncio.gather(self.local.close(), super().shutdown(sockets))


def bound(host: str, port: int) -> socket.socket:
    """A socket that owns the port and does not listen yet; port 0 takes a free one.

    Raises Conflict (`port_taken`) when another process listens there, Invalid for an address that is not here.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise Invalid(_NOT_HERE.format(host)) from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError):
            raise Invalid(f"only root may listen on port {port}; choose one above 1023") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise Invalid(_NOT_HERE.format(host)) from None
        raise Conflict(
            f"port {port} of {host} cannot be used ({(error.strerror or str(error)).lower()}); choose another --port",
            code=PORT_TAKEN,
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The address under which a bound socket will answer."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _most_connections(wanted: int) -> int:
    """As many as wanted, or as the system's limit of open files leaves."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files >= wanted + _OTHER_FILES:
        return wanted
    most = max(16, files - _OTHER_FILES)
    _log.warning(
        "max_connections is %d, but with %d open files allowed there are %d: raise `ulimit -n` or LimitNOFILE",
        wanted,
        files,
        most,
    )
    return most


def _bound_near(port: int) -> socket.socket:
    try:
        return bound("127.0.0.1", port)
    except Conflict:
        return bound("127.0.0.1", 0)
