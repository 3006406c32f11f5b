"""How does what is published come into force? Read from the database as one new catalog, then swapped at once."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from threading import Lock
from types import MappingProxyType

from m2s.app.catalog import Catalog, build_catalog
from m2s.app.ports import Database
from m2s.app.publish import Turn, in_turns
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Store


class InForce:
    """The catalog in force. It is read within `making_much`, beside everything else; see Publish."""

    def __init__(
        self, database: Database, *, making_much: Callable[[], AbstractContextManager[Turn]]
    ) -> None:
        self._database = database
        self._making_much = making_much
        self._reloading = Lock()
        self._catalog = self._read({}, None)

    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def reload(self, read: Mapping[str, Store] = MappingProxyType({})) -> None:
        """Swaps the catalog for what is published now; a group that is being processed keeps the old one.

        `read` has stores by the texts that they were read from; the others are read from theirs.
        Reloads run one after another, so that none puts an older catalog in the place of a newer.
        """
        with self._reloading:
            with self._database.read() as records:
                published = records.catalog.version()
            if published > self._catalog.version:
                self._catalog = self._read(read, self._catalog)

    def _read(self, read: Mapping[str, Store], before: Catalog | None) -> Catalog:
        """What is published; only what was not yet when `before` was read, nor is in `read`, is read now."""
        known: list[Store] = []

        def unread(texts: Iterable[str]) -> Iterator[tuple[str, object]]:
            for number, text in enumerate(texts):
                if text in read:
                    known.append(read[text])
                else:
                    yield f"stores[{number}]", json.loads(text)

        with self._making_much() as turn:
            with self._database.read() as records:
                texts = records.catalog.store_features(after=before.version if before else 0)
                stores = read_features(unread(in_turns(texts, turn)))
                version, campaigns = records.catalog.version(), records.catalog.campaigns()
            return build_catalog(version, [*known, *stores], campaigns, before=before)
