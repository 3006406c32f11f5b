"""A whole service behind an HTTP client: a real SQLite file, a stepped clock, two bakeries and a key for each role."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.storage.migrate import upgrade
from m2s.app.access import KEY_ROLES, Role
from m2s.bootstrap import Engine, World, build_engine
from m2s.core.places.geojson import read_collection
from m2s.entry.api.app import create_app
from m2s.settings import Settings

MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
"""Tuesday 2026-11-03, 10:00 in Paris."""
PORT = (48.85, 2.35)
BEACON = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"

STORES: dict[str, Any] = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": store_id,
            "geometry": {"type": "Point", "coordinates": [2.35, latitude]},
            "properties": {
                "name": f"Bakery {store_id}",
                "timezone": "Europe/Paris",
                "country": "FR",
                "tags": ["bakery"],
                "beacons": [
                    {"uuid": BEACON, "major": 1, "minor": minor, "measured_power_dbm": -59, "place": "till"}
                ],
            },
        }
        for minor, (store_id, latitude) in enumerate({"port": PORT[0], "church": 48.86}.items())
    ],
}

CAMPAIGN = """
campaign: morning
name: Mornings
stores: {tags: [bakery]}
holdout: 0%
offers:
  - offer: warm
    trigger: {near: vicinity}
    channels: [push]
    valid_for: 45m
    coupon: {value: 1.00 EUR, min_basket: 5.00 EUR, expires: 1d}
    message:
      push: {title: {en: "Warm"}, body: {en: "At {store_name}: {value} from {min_basket} until {expires}"}}
"""


@dataclass
class Service:
    """A running engine, a client of its application, and who may call it."""

    engine: Engine
    clock: SteppedClock
    client: TestClient
    keys: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def call(self, method: str, path: str, role: str | None = None, **options: Any) -> Response:
        """One request as a role (or with the token given as one)."""
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers["authorization"] = f"Bearer {self.keys.get(role, role)}"
        return self.client.request(method, path, headers=headers, **options)

    def phone(self, **details: Any) -> tuple[str, str]:
        """A newly registered device: its id and token."""
        made = self.call("POST", "/v1/devices", "sdk", json=details).json()
        return made["device_id"], made["device_token"]

    def consenting_phone(self) -> tuple[str, str]:
        """A phone with a push token whose owner agreed to everything."""
        device_id, token = self.phone(platform="ios", push_token="t", language="en", timezone="Europe/Paris")
        statements = [{"purpose": "location", "channel": None}, {"purpose": "marketing", "channel": "push"}]
        given = {"granted": True, "text_version": "1", "at": "2026-11-03T08:00:00Z"}
        put = self.call(
            "PUT",
            "/v1/devices/me/consents",
            token,
            json={"consents": [statement | given for statement in statements]},
        )
        assert put.status_code == 200, put.text
        return device_id, token

    def fix(self, **changes: Any) -> dict[str, Any]:
        """A location in the middle of the bakery at the port, with an id of its own."""
        self.made += 1
        return {
            "id": f"s{self.made}",
            "kind": "location",
            "age_ms": 0,
            "latitude": PORT[0],
            "longitude": PORT[1],
            "accuracy_m": 5,
        } | changes

    def send(self, role: str, *items: Any, **options: Any) -> Response:
        """One batch of sightings."""
        return self.call("POST", "/v1/sightings", role, json={"sightings": list(items)}, **options)

    def kept(self) -> int:
        """How many sightings are stored."""
        with self.engine.database.read() as records:
            return sum(len(ids) for _, ids in records.sightings.recent_ids(0))


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Service]:
    """A service on a database in the folder, with the bakeries, and a key per role; the device role is a phone.

    Options are settings.
    """
    url = f"sqlite:///{folder / 'm2s.sqlite3'}"
    upgrade(url)
    clock = SteppedClock(MORNING)
    settings = Settings(database_url=url, universal_holdout=0, **options)
    engine = build_engine(settings, world=World(clock, SeededIds(clock, seed=1), io.StringIO()))
    engine.start(heartbeat=False)
    try:
        engine.publish.publish_stores(read_collection(STORES))
        with TestClient(create_app(engine)) as client:
            service = Service(engine, clock, client)
            for role in KEY_ROLES:
                store_id = "port" if role is Role.TILL else None
                service.keys[role] = engine.access.create_key(role, store_id)[1]
            service.keys["device"] = service.phone()[1]
            yield service
    finally:
        engine.stop()
