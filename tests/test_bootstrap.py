"""Does a desk's catalog follow what is published, whoever publishes at the same time?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.migrate import upgrade
from m2s.app.catalog import Catalog
from m2s.app.ports import Records
from m2s.bootstrap import Desk, World
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Store
from m2s.settings import Settings


class SlowDesk(Desk):
    """A desk that can be held between reading and swapping its catalog."""

    held: Event | None = None
    go_on: Event

    def _read_catalog(self, read: Mapping[str, Store], before: Catalog | None = None) -> Catalog:
        catalog = super()._read_catalog(read, before)
        if self.held is not None and not self.held.is_set():
            self.held.set()
            assert self.go_on.wait(20)
        return catalog


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SlowDesk]:
    url = f"sqlite:///{tmp_path / 'm2s.sqlite3'}"
    upgrade(url)
    with SqlDatabase(url) as database:
        yield SlowDesk(Settings(database_url=url), database, world=World.real())


def raise_version(desk: Desk) -> int:
    return desk.database.write(lambda records: records.catalog.raise_version())


def test_a_slow_reload_never_puts_an_older_catalog_in_the_place_of_a_newer(desk: SlowDesk) -> None:
    desk.held, desk.go_on = Event(), Event()
    raise_version(desk)
    slow = Thread(target=desk.reload)
    slow.start()
    assert desk.held.wait(20)
    newest = raise_version(desk)
    quick = Thread(target=desk.reload)
    quick.start()
    quick.join(0.3)
    desk.go_on.set()
    slow.join(20)
    quick.join(20)
    assert desk.catalog().version == newest == 2


def test_what_is_in_force_already_is_not_built_again(desk: SlowDesk) -> None:
    raise_version(desk)
    desk.reload()
    catalog = desk.catalog()
    desk.reload()
    assert desk.catalog() is catalog


def test_a_store_that_was_just_read_is_not_read_again(desk: SlowDesk) -> None:
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

    desk.database.write(publish)
    desk.reload({texts["square"]: square, texts["port"].replace("45.76", "45.77"): port})
    stores = desk.catalog().stores
    assert dict(stores) == {"port": port, "square": square}
    assert (stores["port"] is port, stores["square"] is square) == (False, True)
