"""Is the database of this version's shape, and how does it get there? Alembic, configured in code."""

from pathlib import Path

import sqlalchemy as sa

from m2s.adapters.storage.engine import database_path, driver, passing, write_engine
from m2s.adapters.storage.lock import FileLock
from m2s.core.base.errors import Conflict, Invalid

REVISION = "0005"
"""The newest migration; what this version of m2s reads and writes."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Creates the database or brings it to this version's shape, in one transaction; done already: changes nothing.

    A database that is created can be read by its owner alone.

    Raises Conflict when a running server owns the database or a newer m2s wrote it, Invalid when its folder does not
    exist, Unavailable when it is locked or the disk is full.
    """
    path = database_path(url)
    if not path.parent.is_dir():
        raise Invalid(f"the folder {path.parent} of the database does not exist; create it first")
    lock = FileLock(path)
    # SQLite gives what it writes beside the mode of the file itself.
    path.touch(0o600)
    engine = write_engine(path)
    try:
        with engine.begin() as connection:
            if _found(connection) != REVISION:
                _refuse_newer(path, _found(connection))
                _run_migrations(connection)
    except (sa.exc.DBAPIError, driver().Error) as error:
        raise passing(error) or error from error
    finally:
        engine.dispose()
        lock.release()


def check_revision(path: Path, connection: sa.Connection) -> None:
    """Raises Conflict unless the database is of this version's shape."""
    found = _found(connection)
    if found == REVISION:
        return
    _refuse_newer(path, found)
    state = "has no m2s tables yet" if found is None else f"is of revision {found}, older than {REVISION}"
    raise Conflict(f"the database {path} {state}: run `m2s db upgrade`", code="database_not_upgraded")


def _found(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _refuse_newer(path: Path, found: str | None) -> None:
    if found is not None and found > REVISION:
        raise Conflict(
            f"the database {path} is of revision {found}, which this m2s (up to {REVISION}) does not know:"
            " install the newer m2s",
            code="database_newer",
        )


def _run_migrations(connection: sa.Connection) -> None:
    # Alembic is slow to import and needed only here.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
