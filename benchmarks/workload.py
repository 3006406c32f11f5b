"""What does a busy hour look like? Ten thousand stores, and phones of which few are near enough to matter."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from m2s.app.rows import ConsentRow, DeviceRow
from m2s.bootstrap import Engine
from m2s.core.places.geojson import read_collection
from m2s.core.places.store import Store

STORES = 10_000
DEVICES = 20_000
_CITIES = 1_000
_UUID = "5f0c9a5e-6d3e-4d0b-9f0e-7a3c2b1d4e5f"

_CAMPAIGN = """
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


@dataclass(frozen=True, slots=True)
class Mix:
    """The share of sightings that touch a padded zone; the others are fixes outside every one, within 2 km.

    `together`: a request that touches does so with all its sightings, at one store, as a phone's batch does; else
    every touching sighting is of a store of its own.
    """

    touching: float = 0.05
    together: bool = True


def make_stores(seed: int) -> list[Store]:
    """Stores round a thousand cities; every second one has a footprint, every tenth takes part in a campaign."""
    rng = np.random.default_rng(seed)
    cities = np.stack([rng.uniform(43, 50, _CITIES), rng.uniform(-1, 7, _CITIES)], axis=1)
    weights = np.arange(1, _CITIES + 1) ** -0.7
    chosen = rng.choice(_CITIES, STORES, p=weights / weights.sum())
    points = cities[chosen] + rng.normal(0, 0.13, (STORES, 2))
    features = [_feature(index, float(lat), float(lon), rng) for index, (lat, lon) in enumerate(points)]
    return read_collection({"type": "FeatureCollection", "features": features}, "Europe/Paris")


def _feature(index: int, latitude: float, longitude: float, rng: np.random.Generator) -> dict[str, object]:
    geometry: dict[str, object] = {"type": "Point", "coordinates": [longitude, latitude]}
    if index % 2:
        angles = np.sort(rng.uniform(0, 2 * np.pi, 24))
        reach = rng.uniform(30, 90) * rng.uniform(0.7, 1.0, 24) / 111_195
        ring = np.stack(
            [
                longitude + reach * np.sin(angles) / np.cos(np.radians(latitude)),
                latitude + reach * np.cos(angles),
            ],
            axis=1,
        ).tolist()
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {
        "type": "Feature",
        "id": f"s{index}",
        "properties": {
            "name": f"Store {index}",
            "tags": ["taking-part"] if index % 10 == 0 else [],
            "beacons": [
                {"uuid": _UUID, "major": index, "minor": 1, "measured_power_dbm": -59, "place": "entrance"}
            ],
        },
        "geometry": geometry,
    }


def fill(engine: Engine, stores: list[Store]) -> dict[str, str]:
    """Publishes stores and a campaign and registers the devices with consents; returns shoppers by device."""
    engine.publish.publish_stores(stores)
    engine.publish.apply_campaign(None, _CAMPAIGN)
    at = datetime(2026, 11, 2, 8, tzinfo=UTC)
    shoppers = {f"dev_{index:08d}": f"shp_{index:08d}" for index in range(DEVICES)}

    def work(records: object) -> None:
        for device_id, shopper_id in shoppers.items():
            row = DeviceRow(device_id, shopper_id, "ios", f"token-{device_id}", "en", "Europe/Paris", {}, at)
            records.devices.add_device(row, token_hash=device_id.encode())  # type: ignore[attr-defined]
            consents = [
                ConsentRow("marketing", "push", True, "v1", at),
                ConsentRow("location", None, True, "v1", at),
            ]
            records.devices.add_consents(row, consents, received_at=at)  # type: ignore[attr-defined]

    engine.database.write(work)
    return shoppers


class Traffic:
    """Makes bodies of `POST /v1/sightings`, each from one device, in the mix, with ids that are never repeated."""

    def __init__(self, engine: Engine, *, seed: int, mix: Mix = Mix()) -> None:
        self._rng = np.random.default_rng(seed)
        self._stores = list(engine.catalog().stores.values())
        self._mix = mix
        self._far = self._points_outside(engine, 100_000)
        self._count = 0

    def bodies(self, number: int, size: int) -> list[tuple[str, bytes]]:
        """(device id, body) of `number` requests of `size` sightings."""
        return [self._body(size) for _ in range(number)]

    def _points_outside(self, engine: Engine, wanted: int) -> np.ndarray:
        """Positions that no padded zone holds, between 500 m and 1.8 km from a store."""
        centres = np.array([(store.latitude, store.longitude) for store in self._stores])
        chosen = centres[self._rng.integers(0, len(centres), wanted * 2)]
        angle = self._rng.uniform(0, 2 * np.pi, len(chosen))
        away = self._rng.uniform(500, 1_800, len(chosen)) / 111_195
        points = np.stack(
            [
                chosen[:, 0] + away * np.cos(angle),
                chosen[:, 1] + away * np.sin(angle) / np.cos(np.radians(chosen[:, 0])),
            ],
            axis=1,
        )
        located = engine.catalog().index.locate(points[:, 0], points[:, 1])
        free = ~located.away
        free[located.point_index] = False
        return points[free][:wanted]

    def _body(self, size: int) -> tuple[str, bytes]:
        """A phone's batch is of one place: it is near a store with all of its sightings, or with none."""
        device = f"dev_{int(self._rng.integers(0, DEVICES)):08d}"
        store = None
        if self._rng.uniform() < self._mix.touching or not self._mix.together:
            store = self._stores[int(self._rng.integers(0, len(self._stores)))]
        items = [self._item(store) for _ in range(size)]
        return device, json.dumps({"sightings": items}).encode()

    def _item(self, store: Store | None) -> dict[str, object]:
        self._count += 1
        age_ms = int(self._rng.integers(0, 60_000))
        item: dict[str, object] = {"id": f"01hx{self._count:022d}", "age_ms": age_ms}
        if not self._mix.together:
            near = self._rng.uniform() < self._mix.touching
            store = self._stores[int(self._rng.integers(0, len(self._stores)))] if near else None
        if store is None:
            return item | _fix(*self._far[int(self._rng.integers(0, len(self._far)))].tolist())
        draw = int(self._rng.integers(0, 5))
        if draw < _FIXES:
            return item | self._touching(store)
        if draw < _FIXES + _FENCES:
            return item | {"kind": "geofence", "transition": "enter", "region_ids": [f"{store.id}/vicinity"]}
        beacon = store.beacons[0]
        samples = [{"age_ms": age_ms + 1000 * back, "rssi_dbm": -70} for back in range(5)]
        return item | {
            "kind": "beacon",
            "uuid": beacon.uuid,
            "major": beacon.major,
            "minor": beacon.minor,
            "rssi_dbm": -70,
            "samples": samples,
        }

    def _touching(self, store: Store) -> dict[str, object]:
        """A fix somewhere in the padded premises or the padded vicinity of a store, either as often."""
        zone = store.zones[int(self._rng.integers(0, len(store.zones)))]
        reach_m = (zone.shape.reach_m + zone.margin_m) * float(self._rng.uniform()) ** 0.5
        angle = float(self._rng.uniform(0, 2 * np.pi))
        north, east = reach_m * np.cos(angle) / 111_195, reach_m * np.sin(angle) / 111_195
        return _fix(store.latitude + north, store.longitude + east / np.cos(np.radians(store.latitude)))


def _fix(latitude: float, longitude: float) -> dict[str, object]:
    return {
        "kind": "location",
        "latitude": round(float(latitude), 6),
        "longitude": round(float(longitude), 6),
        "accuracy_m": 12.0,
    }
