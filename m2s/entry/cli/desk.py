"""How does a command get at the database? It reads beside a server, and writes as its owner or through its owner."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from m2s.bootstrap import Desk, configure_logs, database_file, database_flaw, database_owner, open_desk
from m2s.core.base.errors import Conflict, Invalid
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.local_socket import ask, socket_path
from m2s.entry.cli.orders import ORDERS
from m2s.settings import Settings

DATABASE_IN_USE = "database_in_use"

_PATIENCE_S = 5.0
"""How long a command waits for a server that starts or stops, or for another command."""
_PAUSE_S = 0.05


def settings_of(config: Path | None) -> Settings:
    """The settings; and from here on warnings go to standard error, because standard output is for results."""
    configure_logs(sys.stderr, level=logging.WARNING)
    return load_settings(config)


@contextmanager
def reading(config: Path | None) -> Iterator[Desk]:
    """A desk that only reads; works beside a running server."""
    with reading_of(settings_of(config)) as desk:
        yield desk


@contextmanager
def reading_of(settings: Settings) -> Iterator[Desk]:
    """The same for settings that are read already."""
    with _telling_flaws(settings), open_desk(settings, read_only=True) as desk:
        yield desk


def carry_out(settings: Settings, name: str, **arguments: Any) -> Any:
    """Has an order of ORDERS carried out: by the server that owns the database, or here while nobody does.

    Raises what the order raises, Conflict when an owner takes no orders, and Unavailable when the server ended before
    it answered: only then it may have been done all the same.
    """
    path = socket_path(database_file(settings))
    give_up_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask(path, name, arguments)
        except OSError as error:
            reason = error.strerror or str(error)
            passing = isinstance(error, FileNotFoundError | ConnectionRefusedError)
        instead = f"it takes no orders at {path} ({reason}): wait for its end or stop it, then try again"
        try:
            with writing(settings, instead=instead) as desk:
                return ORDERS[name](desk, **arguments)
        except Conflict as error:
            if error.code != DATABASE_IN_USE or not passing or time.monotonic() > give_up_s:
                raise
        time.sleep(_PAUSE_S)


@contextmanager
def carrying_out(settings: Settings, name: str) -> Iterator[Callable[..., Any]]:
    """As `carry_out`, many times: while nobody owns the database, this command does from the first to the last."""
    with ExitStack() as held:
        try:
            desk = held.enter_context(writing(settings, instead=""))
            carry: Callable[..., Any] = partial(ORDERS[name], desk)
        except Conflict as error:
            if error.code != DATABASE_IN_USE:
                raise
            carry = partial(carry_out, settings, name)
        yield carry


@contextmanager
def writing(settings: Settings, *, instead: str) -> Iterator[Desk]:
    """A desk that owns the database; `instead` says what to do while somebody else does.

    Raises Conflict beside a running server.
    """
    with owning(settings, instead=instead), open_desk(settings, read_only=False) as desk:
        yield desk


@contextmanager
def owning(settings: Settings, *, instead: str) -> Iterator[None]:
    """Says who owns the database and what to do `instead`, where what is inside finds it in use.

    Raises Invalid for a database that cannot be used at all.
    """
    try:
        with _telling_flaws(settings):
            yield
    except OSError as error:
        if error.filename is None:
            raise
        reason = (error.strerror or str(error)).lower()
        raise Invalid(
            f"{error.filename} cannot be written: {reason}; m2s keeps files of its own beside the database"
        ) from None
    except Conflict as error:
        if error.code != DATABASE_IN_USE:
            raise
        raise _in_use(database_owner(settings) or "another process", instead) from None


def refuse_while_owned(settings: Settings, *, instead: str) -> None:
    """Raises Conflict when somebody owns the database now; `instead` says what to do then."""
    owner = database_owner(settings)
    if owner is not None:
        raise _in_use(owner, instead)


def _in_use(owner: str, instead: str) -> Conflict:
    return Conflict(f"{owner} owns this database; {instead}", code=DATABASE_IN_USE)


@contextmanager
def _telling_flaws(settings: Settings) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        found = database_flaw(error)
        if found is None:
            raise
        raise Invalid(f"the database {database_file(settings).absolute()} {found}") from error


def text_of(file: Path) -> str:
    """The text of a UTF-8 file; raises Invalid when it cannot be read."""
    try:
        return bytes_of(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def bytes_of(file: Path) -> bytes:
    """What a file holds; raises Invalid when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from None
