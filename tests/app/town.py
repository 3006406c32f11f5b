"""A whole engine without its doors: a real SQLite file, a stepped clock, and phones that tell where they are."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.storage.engine import driver
from m2s.adapters.storage.migrate import upgrade
from m2s.app.inputs import Lookup
from m2s.app.ports import Records
from m2s.app.rows import ConsentRow, DecisionRow, DeviceRow, VisitRow
from m2s.app.sighting import Answer, Batch, BeaconSample, BeaconSighting, Geofence, Location, Sighting
from m2s.bootstrap import Engine, World, build_engine
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_collection
from m2s.core.presence.evidence import Transition
from m2s.settings import Settings

MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
"""Tuesday 2026-11-03, 10:00 in Monaco."""
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

UUID = "8ec76ea3-6668-48da-9866-75be8bc86f4d"
HARBOUR, ROCK = "harbour", "rock"
"""Two shops 250 m apart, circles of 60 m; both vicinities of 300 m hold both shops."""

POINTS = {HARBOUR: (43.73, 7.42), ROCK: (43.73 + 250 / 111_130, 7.42)}
SPOTS: dict[str, tuple[float, float]] = {
    "inside": (0, 10),
    "maybe": (52, 20),
    "neutral": (75, 10),
    "left": (-110, 10),
    "vicinity": (-200, 10),
    "near": (-600, 10),
    "away": (-5_000, 10),
}
"""Metres north of a shop, and the accuracy of the fix there. South of it nothing of the other shop is close."""


def features(**properties: Any) -> dict[str, Any]:
    """The two shops as GeoJSON; `properties` are given to both."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": store_id,
                "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
                "properties": {
                    "name": store_id.title(),
                    "timezone": "Europe/Monaco",
                    "country": "MC",
                    "beacons": [
                        {"uuid": UUID, "major": major, "minor": 1, "measured_power_dbm": -59, "place": "till"}
                    ],
                    **properties,
                },
            }
            for major, (store_id, (latitude, longitude)) in enumerate(POINTS.items())
        ],
    }


def campaign(name: str, *offers: str, holdout: str = "0%") -> str:
    """A campaign at both shops; each offer is `id: trigger` with more lines of YAML after `|`."""
    lines = [f"campaign: {name}", f"name: {name}", "stores: {all: true}", f"holdout: {holdout}", "offers:"]
    for offer in offers:
        head, *more = offer.split("|")
        offer_id, trigger = head.split(":", 1)
        lines += [f"  - offer: {offer_id}", f"    trigger: {trigger}", "    channels: [push]"]
        lines += [f"    {line}" for line in more]
        text = "At {store_name}"
        if "coupon:" in offer:
            text += (
                ": {value} from {min_basket} until {expires}"
                if "min_basket:" in offer
                else ": {value} until {expires}"
            )
        lines += [f'    message: {{push: {{body: {{en: "{text}"}}}}}}']
    return "\n".join(lines) + "\n"


def fix(name: str, spot: str = "inside", *, shop: str = HARBOUR, age_s: float = 0, **more: Any) -> Location:
    """A position at a spot of a shop."""
    north_m, accuracy_m = SPOTS[spot]
    latitude, longitude = POINTS[shop]
    told = {"latitude": latitude + north_m / 111_130, "longitude": longitude, "accuracy_m": accuracy_m}
    return Location(id=name, **_merged(told, age_s, more))


def fence(
    name: str, how: str, *, shop: str = HARBOUR, zone: str = "premises", age_s: float = 0, **more: Any
) -> Geofence:
    """A fence event."""
    told = {"transition": Transition(how), "region_ids": [f"{shop}/{zone}"]}
    return Geofence(id=name, **_merged(told, age_s, more))


def heard(name: str, *, shop: str = HARBOUR, age_s: float = 0, n: int = 5, **more: Any) -> BeaconSighting:
    """A burst of a beacon at the till, some 1.3 m away: one sample a second, the last one at its time."""
    samples = [BeaconSample(round((age_s + n - 1 - i) * 1000), -62) for i in range(n)]
    major = list(POINTS).index(shop)
    told = {"uuid": UUID.upper(), "major": major, "minor": 1, "rssi_dbm": -62, "samples": samples}
    return BeaconSighting(id=name, **_merged(told, age_s, more))


def _merged(told: dict[str, Any], age_s: float, more: dict[str, Any]) -> dict[str, Any]:
    return {"age_ms": round(age_s * 1000), **told, **more}


@cache
def _empty_database() -> Path:
    path = Path(mkdtemp()) / "empty.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@dataclass
class Town:
    """The engine, its clock, and short ways to post and to look."""

    path: Path
    clock: SteppedClock
    options: dict[str, Any]
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Starts an engine on the file."""
        settings = Settings(database_url=f"sqlite:///{self.path}", **self.options)
        world = World(self.clock, SeededIds(self.clock, seed=1), io.StringIO())
        self.engine = build_engine(settings, world=world)
        self.engine.start(heartbeat=False)

    def restart(self) -> None:
        """Stops the engine and starts another one on the same file."""
        self.engine.stop()
        self.open()

    def furnish(self, *campaigns: str, **properties: Any) -> None:
        """Puts the shops and campaigns into force."""
        self.engine.publish.publish_stores(read_collection(features(**properties)))
        for text in campaigns:
            self.engine.publish.apply_campaign(None, text)

    def device(self, name: str, *, of: str | None = None) -> str:
        """A device `dev_<name>` of the shopper `shp_<of>`, with every consent."""
        now = self.clock.now()
        row = DeviceRow(f"dev_{name}", f"shp_{of or name}", "ios", "token", "en", "Europe/Monaco", {}, now)
        given = [
            ConsentRow("location", None, True, "v1", now),
            ConsentRow("marketing", "push", True, "v1", now),
        ]

        def work(records: Records) -> None:
            records.devices.add_device(row, token_hash=row.id.encode())
            records.devices.add_consents(row, given, received_at=now)

        self.engine.database.write(work)
        return row.id

    def batch(self, device_id: str, *items: Sighting, sent_at: datetime | None = None) -> Batch:
        """A request of a device, received now."""
        with self.engine.database.read() as records:
            row = records.devices.device(device_id)
        assert row is not None
        return Batch(
            device_id,
            {device_id: row.shopper_id},
            to_ms(self.clock.now()),
            None if sent_at is None else to_ms(sent_at),
            list(enumerate(items)),
            [],
        )

    def post(self, device_id: str, *items: Sighting, sent_at: datetime | None = None) -> Answer:
        """What a device is answered."""
        return self.engine.submit(self.batch(device_id, *items, sent_at=sent_at)).result(timeout=30)

    def together(self, batches: Sequence[Batch]) -> list[Answer]:
        """The answers of requests that are committed as one group."""
        gate = threading.Event()
        self.engine.database.submit(lambda _records: gate.wait(timeout=30))
        futures: list[Future[Answer]] = [self.engine.submit(batch) for batch in batches]
        gate.set()
        return [future.result(timeout=30) for future in futures]

    def wait(self, **span: float) -> None:
        """Moves the clock and lets the jobs run."""
        self.clock.advance(timedelta(**span))
        self.engine.jobs.run_due(self.clock.now())

    def visits(self, shopper_id: str | None = None) -> list[VisitRow]:
        """Stays of every kind, oldest first."""
        with self.engine.database.read() as records:
            rows = records.reports.visits(*ALWAYS)
        return sorted(
            (row for row in rows if shopper_id in (None, row.shopper_id)), key=lambda row: row.start_at
        )

    def decisions(self, offer_id: str | None = None) -> list[DecisionRow]:
        """Decisions, oldest first."""
        with self.engine.database.read() as records:
            rows = records.decisions.find(
                shopper_id=None, offer_id=offer_id, since=None, until=None, limit=100_000
            )
        return rows[::-1]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a plain SQL query finds."""
        with closing(driver().connect(self.path)) as connection:
            return list(connection.execute(query))

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608

    def inside(self, name: str) -> frozenset[str]:
        """The shops that a shopper is in, as the engine remembers it."""
        at_ms, shopper_id = to_ms(self.clock.now()), f"shp_{name}"
        return self.engine.intake._presences.inside([shopper_id], self.engine.catalog(), at_ms=at_ms)[
            shopper_id
        ]


def research(town: Town, device: str, topic: str, *, store_id: str | None = None, age_s: float = 0) -> None:
    """A shopper looks something up on her phone."""
    with town.engine.database.read() as records:
        own = records.devices.device(device)
    item = Lookup(
        id=f"{topic}-{age_s}-{store_id}", topic=topic, age_ms=round(age_s * 1000), store_id=store_id
    )
    assert town.engine.research.take([item], own=own).accepted == 1


def open_town(folder: Path, *, now: datetime = MORNING, **options: Any) -> Town:
    """An engine on a new database without shops; the caller stops it."""
    path = folder / "town.sqlite3"
    shutil.copy(_empty_database(), path)
    return Town(path, SteppedClock(now), {"universal_holdout": 0.0, **options})
