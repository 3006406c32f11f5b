"""Does the catalog in force follow what is published, whoever publishes at the same time?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.migrate import upgrade
from m2s.app.catalog import Catalog
from m2s.app.in_force import InForce
from m2s.app.ports import Records
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Store


class Slow(InForce):
    """Can be held between reading and swapping."""

    held: Event | None = None
    go_on: Event

    def _read(self, read: Mapping[str, Store], before: Catalog | None) -> Catalog:
        catalog = super()._read(read, before)
        if self.held is not None and not self.held.is_set():
            self.held.set()
            assert self.go_on.wait(20)
        return catalog


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    url = f"sqlite:///{tmp_path / 'm2s.sqlite3'}"
    upgrade(url)
    with SqlDatabase(url) as database:
        yield database


@pytest.fixture
def slow(database: SqlDatabase) -> Slow:
    return Slow(database, making_much=lambda: nullcontext(lambda: None))


def raise_version(database: SqlDatabase) -> int:
    return database.write(lambda records: records.catalog.raise_version())


def test_a_slow_reload_never_puts_an_older_catalog_in_the_place_of_a_newer(
    database: SqlDatabase, slow: Slow
) -> None:
    slow.held, slow.go_on = Event(), Event()
    raise_version(database)
    first = Thread(target=slow.reload)
    first.start()
    assert slow.held.wait(20)
    newest = raise_version(database)
    second = Thread(target=slow.reload)
    second.start()
    second.join(0.3)
    slow.go_on.set()
    first.join(20)
    second.join(20)
    assert slow.catalog().version == newest == 2


def test_what_is_in_force_already_is_not_built_again(database: SqlDatabase, slow: Slow) -> None:
    raise_version(database)
    slow.reload()
    catalog = slow.catalog()
    slow.reload()
    assert slow.catalog() is catalog


def test_a_store_that_was_just_read_is_not_read_again(database: SqlDatabase, slow: Slow) -> None:
    features = {
        name: {
            "type": "Feature",
            "id": name,
            "geometry": {"type": "Point", "coordinates": [4.83, 45.76]},
            "properties": {"name": name, "timezone": "Europe/Paris"},
        }
        for name in ("port", "square")
    }
    texts = {name: json.dumps(feature) for name, feature in features.items()}
    port, square = read_features(features.items())

    def publish(records: Records) -> None:
        version = records.catalog.raise_version()
        records.catalog.put_stores(texts, version=version, at=datetime(2026, 11, 2, tzinfo=UTC))

    database.write(publish)
    slow.reload({texts["square"]: square, texts["port"].replace("45.76", "45.77"): port})
    stores = slow.catalog().stores
    assert dict(stores) == {"port": port, "square": square}
    assert (stores["port"] is port, stores["square"] is square) == (False, True)
