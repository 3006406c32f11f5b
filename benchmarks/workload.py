"""What does a busy hour look like? Ten thousand stores, and phones of which few are near enough to matter."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import sqlalchemy as sa

from benchmarks.daytime import daytime
from campaigns.identity import version_of
from campaigns.reader import read_campaign
from m2s.adapters.storage.engine import write_engine
from m2s.adapters.storage.migrate import upgrade
from m2s.adapters.storage.tables_people import consents, devices, shoppers
from m2s.app.access import secret_hash, token_text
from m2s.app.ports import Records
from m2s.app.rows import CampaignRow
from m2s.bootstrap import Engine, build_engine, open_database
from m2s.core.places.store import Store
from m2s.settings import Settings

STORES = 10_000
DEVICES = 20_000
_STORES_A_CITY = 10
_UUID = "5f0c9a5e-6d3e-4d0b-9f0e-7a3c2b1d4e5f"
_AT = datetime(2026, 11, 2, 8, tzinfo=UTC)
CAMPAIGN = """
campaign: bench
name: Benchmark
stores: {tags: [taking-part]}
offers:
  - offer: near
    trigger: {near: vicinity}
    channels: [push]
    message: {push: {title: {en: "Hello"}, body: {en: "Come to {store_name}"}}}
"""
_FIXES, _FENCES = 3, 1
"""Of five sightings that touch a padded zone; the fifth is a beacon."""
_METRES_A_DEGREE = 111_195
Body = tuple[str, bytes]
"""A device and what it posts."""
Feature = dict[str, object]
"""A store as GeoJSON, as it is kept."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The share of sightings that touch a padded zone, and of those that are away; the others are fixes between.

    `together`: a request that touches does so with all its sightings, at one store, as a phone's batch does; else
    every touching sighting is of a store of its own. `inside`: fixes that touch are within the zone, not its padding.
    """

    touching: float = 0.05
    away: float = 0.0
    together: bool = True
    inside: bool = False
    ids: Literal["short", "ordered", "random"] = "short"
    """What senders call their sightings: 26 ordered characters, or UUIDs of version 7 or 4."""


BUSY = Mix()
"""A busy hour."""


def make_stores(seed: int, number: int = STORES, *, taking_part: int = 10) -> list[Feature]:
    """Stores round a tenth as many cities; every second one has a footprint, one of `taking_part` a campaign.

    Twice the stores take twice the country, so that zones overlap as much.
    """
    rng = np.random.default_rng(seed)
    cities, wider = max(1, number // _STORES_A_CITY), (number / STORES) ** 0.5
    middles = np.stack(
        [46.5 + wider * rng.uniform(-3.5, 3.5, cities), 3 + wider * rng.uniform(-4, 4, cities)], axis=1
    )
    weights = np.arange(1, cities + 1) ** -0.7
    chosen = rng.choice(cities, number, p=weights / weights.sum())
    points = middles[chosen] + rng.normal(0, 0.13, (number, 2))
    return [
        _feature(index, *point, rng=rng, takes_part=index % taking_part == 0)
        for index, point in enumerate(points.tolist())
    ]


def _feature(
    index: int, latitude: float, longitude: float, *, rng: np.random.Generator, takes_part: bool
) -> Feature:
    geometry: dict[str, object] = {"type": "Point", "coordinates": [longitude, latitude]}
    if index % 2:
        angles = np.sort(rng.uniform(0, 2 * np.pi, 24))
        reach = rng.uniform(30, 90) * rng.uniform(0.7, 1.0, 24) / _METRES_A_DEGREE
        ring = np.stack(
            [
                longitude + reach * np.sin(angles) / np.cos(np.radians(latitude)),
                latitude + reach * np.cos(angles),
            ],
            axis=1,
        ).tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    beacon = {
        "uuid": _UUID,
        "major": index % 65_536,
        "minor": 1 + index // 65_536,
        "measured_power_dbm": -59,
        "place": "entrance",
    }
    properties = {
        "name": f"Store {index}",
        "tags": ["taking-part"] if takes_part else [],
        "timezone": "Europe/Paris",
        "beacons": [beacon],
    }
    return {"type": "Feature", "id": f"s{index}", "properties": properties, "geometry": geometry}


def opened(path: Path, stores: Sequence[Feature], *, devices: int = DEVICES) -> Engine:
    """An engine on a new database with stores, a campaign, and devices whose owners agreed to everything."""
    settings = Settings(database_url=f"sqlite:///{path}")
    upgrade(settings.database_url)
    _register(path, devices)
    with open_database(settings) as database:
        database.write(lambda records: _publish(records, stores))
    return build_engine(settings, world=daytime())


def _publish(records: Records, stores: Sequence[Feature]) -> None:
    """At once, unchecked."""
    features = {str(store["id"]): json.dumps(store) for store in stores}
    records.catalog.put_stores(features, version=records.catalog.raise_version(), at=_AT)
    version = version_of(read_campaign(CAMPAIGN))
    records.catalog.put_campaign(CampaignRow("bench", version, "active", "salt", CAMPAIGN, _AT))


def device_id(number: int) -> str:
    """The name of a device."""
    return f"dev_{number:08d}"


def shopper_of(device: str) -> str:
    """The owner of a device."""
    return f"shp_{device[4:]}"


def token_of(device: str) -> str:
    """The token that a device shows."""
    return token_text(sha256(device.encode()).digest())


def _register(path: Path, number: int) -> None:
    names = [device_id(one) for one in range(number)]
    device = {"platform": "ios", "push_token": "token", "language": "en", "timezone": "Europe/Paris"}
    times = {"registered_at": _AT, "updated_at": _AT, "os_permissions": "{}"}
    agreed = {"granted": True, "text_version": "v1", "at": _AT, "received_at": _AT}
    engine = write_engine(path)
    with engine.begin() as connection:
        connection.execute(sa.insert(shoppers), [{"id": shopper_of(one), "created_at": _AT} for one in names])
        connection.execute(
            sa.insert(devices),
            [
                {"id": one, "shopper_id": shopper_of(one), "token_hash": secret_hash(token_of(one))}
                | device
                | times
                for one in names
            ],
        )
        for purpose, channel in (("marketing", "push"), ("location", None)):
            consent = {"purpose": purpose, "channel": channel} | agreed
            connection.execute(
                sa.insert(consents),
                [{"shopper_id": shopper_of(one), "device_id": one} | consent for one in names],
            )
    engine.dispose()


class Traffic:
    """Makes bodies of `POST /v1/sightings`, each from one device, in the mix, with ids that are never repeated."""

    def __init__(self, engine: Engine, *, seed: int, mix: Mix = BUSY, devices: int = DEVICES) -> None:
        self._rng = np.random.default_rng(seed)
        self._stores = list(engine.catalog().stores.values())
        self._mix = mix
        self._devices = devices
        self._count = 0
        self._near, self._away = self._points_outside(engine, 100_000)

    def bodies(self, number: int, size: int) -> list[Body]:
        """(device id, body) of `number` requests of `size` sightings.

        A phone's batch is of one place: it is near a store with all of its sightings, or with none.
        """
        rng, mix = self._rng, self._mix
        draws = rng.uniform(size=(number, 1 if mix.together else size)).repeat(
            size if mix.together else 1, axis=1
        )
        touching = draws < mix.touching
        places = np.where(
            (draws < mix.touching + mix.away)[..., None],
            self._away[rng.integers(0, len(self._away), (number, size))],
            self._near[rng.integers(0, len(self._near), (number, size))],
        ).tolist()
        ages = rng.integers(0, 60_000, (number, size)).tolist()
        owners = rng.integers(0, self._devices, number).tolist()
        bodies = []
        for request, owner in enumerate(owners):
            ids = self._ids(size)
            store = self._some_store()
            items = [
                self._touching(ids[place], age, store if mix.together else self._some_store())
                if touches
                else _fix(ids[place], age, *places[request][place])
                for place, (age, touches) in enumerate(
                    zip(ages[request], touching[request].tolist(), strict=True)
                )
            ]
            bodies.append((device_id(owner), f'{{"sightings": [{", ".join(items)}]}}'.encode()))
        return bodies

    def _ids(self, size: int) -> list[str]:
        first = self._count
        self._count += size
        if self._mix.ids == "short":
            return [f"01hx{first + place:022d}" for place in range(size)]
        tails = self._rng.bytes(16 * size).hex()
        texts = [tails[32 * place : 32 * place + 32] for place in range(size)]
        if self._mix.ids == "ordered":
            texts = [f"{0x0190 << 32 | first + place:012x}7{text[13:]}" for place, text in enumerate(texts)]
        return [f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" for text in texts]

    def _points_outside(self, engine: Engine, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions that no padded zone holds: between 500 m and 1.8 km from a store, and away from all."""
        centres = np.array([(store.latitude, store.longitude) for store in self._stores])
        chosen = centres[self._rng.integers(0, len(centres), wanted * 2)]
        angle = self._rng.uniform(0, 2 * np.pi, len(chosen))
        beside = self._rng.uniform(500, 1_800, len(chosen)) / _METRES_A_DEGREE
        points = np.stack(
            [
                chosen[:, 0] + beside * np.cos(angle),
                chosen[:, 1] + beside * np.sin(angle) / np.cos(np.radians(chosen[:, 0])),
            ],
            axis=1,
        ).round(6)
        located = engine.catalog().index.locate(points[:, 0], points[:, 1])
        free = ~located.away
        free[located.point_index] = False
        anywhere = self._rng.uniform(centres.min(0), centres.max(0), (wanted * 2, 2)).round(6)
        away = engine.catalog().index.locate(anywhere[:, 0], anywhere[:, 1]).away
        return points[free][:wanted], anywhere[away][:wanted]

    def _some_store(self) -> Store:
        return self._stores[int(self._rng.integers(0, len(self._stores)))]

    def _touching(self, sighting_id: str, age_ms: int, store: Store) -> str:
        draw = int(self._rng.integers(0, 5))
        if draw < _FIXES:
            return _fix(sighting_id, age_ms, *self._point_at(store))
        item: dict[str, object] = {"id": sighting_id, "age_ms": age_ms}
        if draw < _FIXES + _FENCES:
            item |= {"kind": "geofence", "transition": "enter", "region_ids": [f"{store.id}/vicinity"]}
            return json.dumps(item)
        beacon = store.beacons[0]
        item |= {
            "kind": "beacon",
            "uuid": beacon.uuid,
            "major": beacon.major,
            "minor": beacon.minor,
            "rssi_dbm": -70,
            "samples": [{"age_ms": age_ms + 1000 * back, "rssi_dbm": -70} for back in range(5)],
        }
        return json.dumps(item)

    def _point_at(self, store: Store) -> tuple[float, float]:
        """Somewhere in the premises or the vicinity of a store, either as often, with their padding or without."""
        zone = store.zones[int(self._rng.integers(0, len(store.zones)))]
        most_m = zone.shape.reach_m + (0 if self._mix.inside else zone.margin_m)
        reach_m = most_m * float(self._rng.uniform()) ** 0.5
        angle = float(self._rng.uniform(0, 2 * np.pi))
        north, east = reach_m * np.cos(angle) / _METRES_A_DEGREE, reach_m * np.sin(angle) / _METRES_A_DEGREE
        longitude = store.longitude + east / np.cos(np.radians(store.latitude))
        return round(float(store.latitude + north), 6), round(float(longitude), 6)


def _fix(sighting_id: str, age_ms: int, latitude: float, longitude: float) -> str:
    return (
        f'{{"id": "{sighting_id}", "age_ms": {age_ms}, "kind": "location",'
        f' "latitude": {latitude}, "longitude": {longitude}, "accuracy_m": 12.0}}'
    )
