"""How does a command reach the server that owns the database? By a socket beside the file, open to its owner alone.

One connection is one order: the command writes it and ends its side, the server writes the answer and closes. Both
are MessagePack: what was cut off cannot be decoded, so half an order is not carried out, half an answer not believed.
"""

import asyncio
import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from m2s.bootstrap import Desk
from m2s.core.base.errors import Forbidden, Invalid, M2sError, Problem, Unavailable
from m2s.entry.cli.orders import ORDERS

_READ_S = 5
"""A command has its order ready before it connects; one that takes longer is stuck."""

_CHUNK_BYTES = 64 * 1024
_ROOT = 0
_log = logging.getLogger(__name__)


class _Order(msgspec.Struct):
    name: str
    arguments: dict[str, Any]


class _Refusal(msgspec.Struct):
    detail: str
    code: str
    problems: tuple[Problem, ...]


class _Answer(msgspec.Struct):
    done: Any = None
    refused: _Refusal | None = None


def socket_path(database: Path) -> Path:
    """Where the server that owns a database file takes orders."""
    return database.with_name(database.name + ".sock")


def ask(path: Path, name: str, arguments: Mapping[str, Any]) -> Any:
    """What the server behind the socket answers to an order; waits as long as it takes.

    Raises OSError when no server can be reached, and then nothing was ordered; M2sError when it refuses; Unavailable
    when it ended before it answered.
    """
    order = msgspec.msgpack.encode(_Order(name, dict(arguments)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        try:
            connection.sendall(order)
            connection.shutdown(socket.SHUT_WR)
            text = b"".join(iter(lambda: connection.recv(_CHUNK_BYTES), b""))
            answer = msgspec.msgpack.decode(text, type=_Answer)
        except (OSError, msgspec.DecodeError):
            raise Unavailable(
                f"the server ended before it answered: whether `m2s {name}` was done is not known;"
                " look at what is there, and repeat it where it was not"
            ) from None
    if answer.refused is not None:
        raise M2sError(answer.refused.detail, code=answer.refused.code, problems=answer.refused.problems)
    return answer.done


class LocalSocket:
    """The server's side, for the owner of the lock of the database alone: a socket that it finds was left over."""

    def __init__(self, path: Path, desk: Desk) -> None:
        self._path = path
        self._desk = desk
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Takes orders from now on; where that cannot be, a warning says so and the server does without."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove()
            listener.bind(str(self._path))
            # Nobody can connect before it listens, so that nobody comes in by a wider mode.
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener)
        except OSError as error:
            listener.close()
            _log.warning(
                "commands that change something will be refused while this server runs:"
                " the socket %s cannot be made (%s)",
                self._path,
                error.strerror or error,
            )

    async def close(self) -> None:
        """Takes no more orders, and answers those that it has."""
        if self._server is None:
            return
        self._remove()
        self._server.close()
        await asyncio.gather(*self._serving)

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(self._path.lstat().st_mode):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (the loop runs this as a task)
        self._serving.add(task)
        try:
            writer.write(await self._answer(reader, peer_uid(writer.get_extra_info("socket"))))
            await writer.drain()
        except OSError:
            _log.info("a command went away before it had its answer")
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, uid: int | None) -> bytes:
        async with asyncio.timeout(_READ_S):
            if not may_order(uid):
                while await reader.read(_CHUNK_BYTES):
                    pass
                refusal = Forbidden(
                    f"the user {uid} may not give orders to the server of the user {os.geteuid()}"
                )
                return _refused(refusal)
            order = await reader.read(-1)
        return await asyncio.to_thread(self._carried_out, order)

    def _carried_out(self, text: bytes) -> bytes:
        try:
            order = msgspec.msgpack.decode(text, type=_Order)
        except msgspec.DecodeError:
            return b""
        try:
            carry_out = ORDERS.get(order.name)
            if carry_out is None:
                raise Invalid(
                    f"the server does not know `m2s {order.name}`: it is of another version; restart it"
                )
            return msgspec.msgpack.encode(_Answer(done=carry_out(self._desk, **order.arguments)))
        except M2sError as error:
            return _refused(error)
        except Exception:
            _log.exception("the order %s failed", order.name)
            return _refused(
                M2sError("something went wrong in the server; its log says what", code="internal")
            )


def may_order(uid: int | None) -> bool:
    """Whether a user may give orders: the one that the server runs as, and root; None where the mode alone guards."""
    return uid is None or uid in (_ROOT, os.geteuid())


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end as the system knows it; None where it does not tell."""
    if sys.platform != "linux":
        return None
    form = "iII"
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    uid: int = struct.unpack(form, told)[1]
    return uid


def _refused(error: M2sError) -> bytes:
    return msgspec.msgpack.encode(_Answer(refused=_Refusal(error.detail, error.code, error.problems)))
