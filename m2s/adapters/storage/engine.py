"""How is the database opened? One SQLite library per process, durable on every commit, refused when it is not."""

import logging
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool

from m2s.core.base.errors import Invalid, Unavailable

BUSY_TIMEOUT_MS = 5_000
SAFE_SQLITE = (3, 51, 3)
"""Older ones can lose a committed write when two connections reset the WAL at once (SQLite 3.51.3 release notes)."""

# Primary result codes of https://sqlite.org/rescode.html after which the same transaction may succeed later.
_PASSING = {5: "locked", 6: "locked", 10: "disk I/O error", 13: "disk full", 14: "cannot be opened"}
_READERS = 8
_CACHE_KB = 8_192
_log = logging.getLogger(__name__)


@cache
def driver() -> ModuleType:
    """The SQLite library of this process: the `pysqlite3` wheel where there is one, else the standard module.

    Two libraries in one process would drop each other's file locks (https://sqlite.org/howtocorrupt.html § 2.2).
    """
    try:
        found = import_module("pysqlite3.dbapi2")
    except ImportError:
        found = import_module("sqlite3.dbapi2")
    if found.sqlite_version_info < SAFE_SQLITE:
        _log.warning(
            "SQLite %s has the WAL-reset race that 3.51.3 repairs; use Linux x86-64 or a newer Python",
            found.sqlite_version,
        )
    # Without an adapter of its own, the driver looks for a way to adapt each None in vain: 0.7 µs a value.
    found.register_adapter(type(None), {}.get)
    return found


def database_path(url: str) -> Path:
    """The file of a database URL such as `sqlite:///m2s.db` or `sqlite:////var/lib/m2s/m2s.db`; no link to it.

    Raises Invalid for anything else.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise Invalid("the database URL cannot be read; write it like sqlite:///m2s.db") from None
    if parsed.drivername != "sqlite" or not parsed.database or parsed.database.startswith((":", "file:")):
        shown = parsed.render_as_string(hide_password=True)
        raise Invalid(f"{shown} is not an SQLite file; write the database URL like sqlite:///m2s.db")
    path = Path(parsed.database)
    # The lock stands beside the file: by whatever name a process has it, it has to be the same one.
    return path.resolve() if path.is_symlink() else path


def write_engine(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> sa.Engine:
    """Connections that write: each transaction takes the write lock at its start and is synced at its commit."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        module=driver(),
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": busy_timeout_ms / 1000},
    )
    pragmas = (
        f"busy_timeout={busy_timeout_ms}",
        "page_size=8192",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "wal_autocheckpoint=1000",
        f"cache_size=-{_CACHE_KB}",
    )
    _listen(engine, pragmas, begin="BEGIN IMMEDIATE")
    return engine


def read_engine(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> sa.Engine:
    """A pool of connections that read one snapshot per transaction and refuse to write."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        module=driver(),
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=_READERS,
        pool_timeout=busy_timeout_ms / 1000,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    _listen(engine, (f"busy_timeout={busy_timeout_ms}", "query_only=ON"), begin="BEGIN")
    return engine


def check_durable(connection: sa.Connection) -> None:
    """Raises Invalid unless a commit on this connection survives a power cut."""
    for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        seen = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
        if seen != wanted:
            raise Invalid(
                f"the database is not durable here: PRAGMA {pragma} is {seen!r}, not {wanted!r};"
                " put the file on a local disk",
                code="not_durable",
            )


def passing(error: BaseException) -> Unavailable | None:
    """The Unavailable to raise where the database cannot work now but may later; None for every other error.

    It tells nothing of the library's own words, which may name files: those go to the log.
    """
    if isinstance(error, sa.exc.TimeoutError):
        return Unavailable("the database is busy: every reading connection is taken")
    cause: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(cause, driver().Error):
        return None
    reason = _PASSING.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    if reason is None:
        return None
    _log.warning("the database cannot be used now: %s (%s)", reason, cause)
    return Unavailable(f"the database cannot be used now: {reason}")


def _listen(engine: sa.Engine, pragmas: tuple[str, ...], *, begin: str) -> None:
    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        # With every commit, and Core takes longer to prepare a statement than SQLite to run this one.
        cursor = connection.connection.cursor()
        cursor.execute(begin)
        cursor.close()

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)
