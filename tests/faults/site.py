"""What do servers that are to be killed serve? A file with stores, a campaign, devices, coupons and keys."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from campaigns.coupon import RANDOM_BYTES, make_code
from m2s.adapters.storage.migrate import upgrade
from m2s.app.access import Role
from m2s.app.ports import Records
from m2s.app.rows import ConsentRow, CouponRow
from m2s.bootstrap import Engine, build_engine
from m2s.core.places.geojson import read_collection
from m2s.settings import Settings
from tests.data import ROOT

STORES = [f"shop{n}" for n in range(20)]
LATITUDE, LONGITUDE = 43.6, 7.0
METRES_A_DEGREE = 111_130
APART_M = 2_000

CAMPAIGN = """
campaign: doors
name: Doors
stores: {all: true}
holdout: 10%
offers:
  - offer: welcome
    trigger: {enter: premises}
    channels: [push]
    coupon: {value: 1.00 EUR, expires: 1d}
    message: {push: {body: {en: "Welcome to {store_name}: {value} until {expires}"}}}
"""


@dataclass(frozen=True, slots=True)
class Device:
    """A registered phone with every consent."""

    id: str
    token: str


@dataclass(frozen=True, slots=True)
class Site:
    """A database, the port that its servers take one after another, and who may call them."""

    database: Path
    port: int
    devices: Sequence[Device]
    tills: Sequence[str]
    coupons: Sequence[str]

    @property
    def url(self) -> str:
        """Where the site is served."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its processes: `m2s serve` with no option serves it."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("M2S_")},
            "PYTHONPATH": str(ROOT),
            "M2S_DATABASE_URL": f"sqlite:///{self.database}",
            "M2S_PORT": str(self.port),
        }


def latitude_of(store: int, *, north_m: float = 0.0) -> float:
    """The latitude of a point north of a store's; the stores lie in a row from south to north."""
    return LATITUDE + (store * APART_M + north_m) / METRES_A_DEGREE


def furnish(folder: Path, *, seed: int, devices: int = 160, coupons: int = 1_500, tills: int = 2) -> Site:
    """A new site in a folder. Its tills and coupons belong to the first store."""
    settings = Settings(database_url=f"sqlite:///{folder / 'm2s.sqlite3'}")
    upgrade(settings.database_url)
    engine = build_engine(settings)
    try:
        engine.publish.publish_stores(read_collection(_stores()))
        engine.publish.apply_campaign(None, CAMPAIGN)
        phones = [_device(engine) for _ in range(devices)]
        keys = [engine.access.create_key(Role.TILL, STORES[0])[1] for _ in range(tills)]
        codes = _issue(engine, [phone.id for phone in phones], seed=seed, number=coupons)
    finally:
        engine.stop()
    return Site(folder / "m2s.sqlite3", _free_port(), phones, keys, codes)


def _stores() -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": store_id,
                "geometry": {"type": "Point", "coordinates": [LONGITUDE, latitude_of(n)]},
                "properties": {"name": store_id, "timezone": "Europe/Paris", "country": "FR"},
            }
            for n, store_id in enumerate(STORES)
        ],
    }


def _device(engine: Engine) -> Device:
    made = engine.devices.register({"platform": "ios", "push_token": "token"}, key_id="test")
    now = engine.clock.now()
    given = [
        ConsentRow("location", None, True, "v1", now),
        ConsentRow("marketing", "push", True, "v1", now),
    ]
    engine.devices.put_consents(engine.devices.device(made.device_id), given)
    return Device(made.device_id, made.device_token)


def _issue(engine: Engine, device_ids: Sequence[str], *, seed: int, number: int) -> list[str]:
    rng, now = Random(seed), datetime.now(UTC)
    shoppers = [engine.devices.device(device_id).shopper_id for device_id in device_ids]
    rows = [
        CouponRow(
            code=make_code(rng.randbytes(RANDOM_BYTES)),
            decision_id=f"dec_{n}",
            shopper_id=shoppers[n % len(shoppers)],
            campaign_id="doors",
            offer_id="welcome",
            store_id=STORES[0],
            value="1.00",
            min_basket=None,
            currency="EUR",
            issued_at=now,
            expires_at=now + timedelta(days=1),
            state="issued",
            redemption_id=None,
        )
        for n in range(number)
    ]

    def issue(records: Records) -> None:
        records.coupons.issue(rows)

    engine.database.write(issue)
    return [row.code for row in rows]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
