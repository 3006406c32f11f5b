"""How does a command get at the database? To read beside a running server, or to write while no one owns it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from m2s.bootstrap import Desk, configure_logs, database_file, database_flaw, database_owner, open_desk
from m2s.core.base.errors import Conflict, Invalid
from m2s.settings import Settings, load_settings

DATABASE_IN_USE = "database_in_use"


def settings_of(config: Path | None) -> Settings:
    """The settings; and from here on warnings go to standard error, because standard output is for results."""
    configure_logs(sys.stderr, level=logging.WARNING)
    return load_settings(config)


@contextmanager
def reading(config: Path | None) -> Iterator[Desk]:
    """A desk that only reads; works beside a running server."""
    settings = settings_of(config)
    with _telling_flaws(settings), open_desk(settings, read_only=True) as desk:
        yield desk


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
        owner = database_owner(settings) or "another process"
        raise Conflict(f"{owner} owns this database; {instead}", code=DATABASE_IN_USE) from None


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
