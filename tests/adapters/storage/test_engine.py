"""Is the file durable, owned by one process, of the right shape, and read-only where it should be?"""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import check_durable, database_path, driver, write_engine
from m2s.adapters.storage.lock import FileLock, held_by
from m2s.adapters.storage.migrate import REVISION, upgrade
from m2s.adapters.storage.tables import metadata
from m2s.core.base.errors import Conflict, Invalid, Unavailable
from tests.adapters.storage.samples import VISIT
from tests.data import ROOT


def pragma(connection: sa.Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_write_connection_syncs_every_commit_and_waits_for_locks(path: Path) -> None:
    with write_engine(path).connect() as connection:
        check_durable(connection)
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
        wanted |= {"page_size": 8192, "wal_autocheckpoint": 1000}
        assert {name: pragma(connection, name) for name in wanted} == wanted


def test_a_connection_that_does_not_sync_is_refused(path: Path) -> None:
    with write_engine(path).connect() as connection:
        connection.rollback()
        connection.connection.cursor().execute("PRAGMA synchronous=NORMAL")
        with pytest.raises(Invalid, match=r"PRAGMA synchronous is 1, not 2"):
            check_durable(connection)


def test_no_more_than_one_sqlite_library_is_loaded() -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "from m2s.adapters.storage.migrate import upgrade\n"
        "from m2s.adapters.storage.database import SqlDatabase\n"
        "url = f'sqlite:///{tempfile.mkdtemp()}/m2s.sqlite3'\n"
        "upgrade(url); SqlDatabase(url).close()\n"
        "print(*sorted({n.split('.')[0] for n in sys.modules if n in ('_sqlite3', 'pysqlite3._sqlite3')}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1


def test_an_old_sqlite_is_named_in_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    driver.cache_clear()
    with caplog.at_level(logging.WARNING, logger="m2s.adapters.storage.engine"):
        found = driver()
    assert bool(caplog.records) == (found.sqlite_version_info < (3, 51, 3))


@pytest.mark.parametrize("url", ["postgresql://h/d", "sqlite://", "sqlite:///:memory:", "m2s.db", ""])
def test_a_url_that_is_no_sqlite_file_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(Invalid, match=r"sqlite:///m2s\.db"):
        database_path(url)


def test_migrations_and_tables_are_the_same(path: Path) -> None:
    with write_engine(path).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_expected_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "m2s/adapters/storage/migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_upgrading_twice_keeps_what_is_there(url: str) -> None:
    with SqlDatabase(url) as database:
        database.write(lambda records: records.catalog.keep_setting("salt", "abc"))
    upgrade(url)
    with SqlDatabase(url, read_only=True) as database, database.read() as records:
        assert records.catalog.setting("salt") == "abc"


def test_a_database_that_was_never_made_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="run `m2s db upgrade`"):
        SqlDatabase(f"sqlite:///{tmp_path}/none.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_what_the_database_is_kept_in_is_for_its_owner_alone(path: Path, database: SqlDatabase) -> None:
    database.write(lambda records: records.catalog.raise_version())
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    names = [path.name + end for end in ("", "-wal", "-shm", ".lock")]
    assert modes == dict.fromkeys(names, 0o600)


def test_upgrading_into_a_folder_that_is_not_there_says_which(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nowhere of the database does not exist"):
        upgrade(f"sqlite:///{tmp_path}/nowhere/m2s.sqlite3")


@pytest.mark.parametrize(
    ("revision", "advice"), [(None, "run `m2s db upgrade`"), ("0000", "older"), ("9999", "install the newer")]
)
def test_a_database_of_another_revision_is_refused(path: Path, revision: str | None, advice: str) -> None:
    engine = write_engine(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        if revision is not None:
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (revision,))
    with pytest.raises(Conflict, match=advice):
        SqlDatabase(f"sqlite:///{path}")
    if revision == "9999":
        with pytest.raises(Conflict, match=advice):
            upgrade(f"sqlite:///{path}")


def test_a_second_owner_is_told_who_the_first_is(path: Path, url: str) -> None:
    assert held_by(path) is None
    with SqlDatabase(url, serves_at="http://127.0.0.1:8000"):
        assert str(held_by(path)).endswith("at http://127.0.0.1:8000")
        with pytest.raises(Conflict, match=r"in use by process \d+ at http://127\.0\.0\.1:8000"):
            SqlDatabase(url)
        with pytest.raises(Conflict, match="in use"):
            upgrade(url)
        with SqlDatabase(url, read_only=True) as reader, reader.read() as records:
            assert records.catalog.version() == 0
    assert held_by(path) is None


def test_the_file_has_one_owner_by_whatever_link_it_is_named(path: Path, url: str, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(path)
    with SqlDatabase(url), pytest.raises(Conflict, match="in use by process"):
        SqlDatabase(f"sqlite:///{link}")
    with SqlDatabase(f"sqlite:///{link}"), pytest.raises(Conflict, match="in use by process"):
        SqlDatabase(url)


def test_the_lock_holds_between_processes_and_ends_with_its_holder(path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from m2s.adapters.storage.lock import FileLock\n"
        "lock = FileLock(pathlib.Path(sys.argv[1]), url='http://there')\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert held_by(path) == f"process {holder.pid} at http://there"
        with pytest.raises(Conflict, match=f"process {holder.pid} at http://there"):
            FileLock(path)
        holder.kill()
    assert held_by(path) is None
    FileLock(path).release()


def test_reading_never_writes(database: SqlDatabase) -> None:
    with database.read() as records, pytest.raises(sa.exc.OperationalError, match="readonly"):
        records.catalog.keep_setting("a", "b")
    with database.read() as records, pytest.raises(driver().OperationalError, match="readonly"):
        records.sightings.drop_visits([VISIT])


def test_a_read_only_opener_cannot_write(url: str) -> None:
    with SqlDatabase(url, read_only=True) as database, pytest.raises(Conflict, match="read only"):
        database.write(lambda records: records.catalog.raise_version())


def test_a_read_sees_one_snapshot(database: SqlDatabase) -> None:
    with database.read() as records:
        before = records.catalog.version()
        database.write(lambda writing: writing.catalog.raise_version())
        assert records.catalog.version() == before == 0
    with database.read() as records:
        assert records.catalog.version() == 1


def test_a_database_locked_by_another_says_unavailable_and_recovers(
    path: Path, database: SqlDatabase
) -> None:
    with write_engine(path).begin(), pytest.raises(Unavailable, match=r"cannot be used now: locked$"):
        database.write(lambda records: records.catalog.raise_version())
    assert database.write(lambda records: records.catalog.raise_version()) == 1


def test_a_full_disk_says_unavailable_keeps_nothing_and_recovers(database: SqlDatabase) -> None:
    def cap(pages: int) -> None:
        def set_cap(records: object) -> None:
            connection = records.catalog._connection  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        database.write(set_cap)

    cap(1)
    with pytest.raises(Unavailable, match="disk full"):
        database.write(lambda records: records.catalog.keep_setting("big", "x" * 5_000_000))
    with database.read() as records:
        assert records.catalog.setting("big") is None
    cap(1_000_000)
    assert database.write(lambda records: records.catalog.raise_version()) == 1
