"""A migrated database in a file of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.migrate import upgrade


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "m2s.sqlite3"
    upgrade(f"sqlite:///{found}")
    return found


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def database(url: str) -> Iterator[SqlDatabase]:
    with SqlDatabase(url, busy_timeout_ms=50) as opened:
        yield opened
