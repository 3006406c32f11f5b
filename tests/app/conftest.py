"""A world or a town of its own for every test of a use case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.town import Town, open_town
from tests.app.world import World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = open_world(tmp_path)
    yield found
    found.database.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path)
    yield found
    found.engine.stop()
