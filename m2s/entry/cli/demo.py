"""What does m2s do all day? A small city of real shops, simulated shoppers, and figures beside what really happened.

Simulator and service share a stepped clock: phones post and wait for their answers, the outbox is drained, then
the clock moves on. The same seed gives the same figures.
"""

import io
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from beacons.sim.client import Api
from beacons.sim.simulation import Simulation, StepReport
from beacons.sim.truth import MeasuredVisit, Score, score
from beacons.sim.world import World as City
from m2s.app.access import Role
from m2s.app.catalog import stores_of
from m2s.app.counted import counted_stays
from m2s.app.measure import Span
from m2s.bootstrap import DemoEngine, build_demo_engine
from m2s.core.base.errors import Conflict, Invalid
from m2s.core.places.geojson import read_collection
from m2s.entry.cli.server import Server

STEP = timedelta(seconds=60)
DAY_SHOWN_S = 60.0
"""Seconds of show time that one simulated day takes at speed 1."""

MEASURED_CAMPAIGN = "next-door-november"
EFFECTS = {MEASURED_CAMPAIGN: 0.35, "croissant-morning": 0.35}
"""By campaign the share of shoppers whom its message moves, if they can follow it."""

_SETTINGS = """\
database_url = "sqlite:///demo.sqlite3"
universal_holdout = 0.0
"""
"""What commands need to know of a demo that is kept."""

_FIRST_DAY = datetime(2026, 11, 2, tzinfo=ZoneInfo("Europe/Monaco"))


@dataclass(frozen=True, slots=True)
class Results:
    """What the service measured, and what really happened."""

    visits: int
    true_visits: int
    precision: float
    recall: float
    sends: int
    ghosts: int
    suppressed: int
    redemptions: int
    lift: Mapping[str, float | None]
    true_effect: float
    sightings: int
    wall_s: float

    def as_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Moment:
    """The demo after one step: the show time gone by at speed 1, and what the console channels have printed."""

    now: datetime
    shown_s: float
    total: StepReport
    screens: str


class Demo:
    """A service with the demo city in a temporary folder, and the simulation that keeps it busy.

    `attribution` names whose data the city is made of, and their licence.
    """

    def __init__(self, wired: DemoEngine, server: Server, *, seed: int, screens: io.StringIO) -> None:
        engine = wired.engine
        self.engine = engine
        self.url = server.url
        self._clock = wired.clock
        self._seed = seed
        self._screens = screens
        self._sightings = 0
        self._began_s = time.monotonic()
        stores, scenery = _collection("stores"), _collection("scenery")
        self.attribution: str = stores["attribution"]
        engine.publish.publish_stores(read_collection(stores))
        for campaign in sorted(_folder("campaigns").iterdir(), key=lambda path: path.name):
            engine.publish.apply_campaign(None, campaign.read_text(encoding="utf-8"), file=campaign.name)
        _, sdk_key = engine.access.create_key(Role.SDK)
        tills = {
            store_id: engine.access.create_key(Role.TILL, store_id)[1] for store_id in engine.catalog().stores
        }
        self._client = httpx2.Client(base_url=server.url, timeout=60)
        api = Api(self._client, sdk_key=sdk_key, till_keys=tills)
        self.simulation = Simulation(
            City.from_geojson(stores, scenery),
            seed,
            api=api,
            start=_FIRST_DAY,
            step=STEP,
            effects=EFFECTS,
        )
        self.simulation.register()

    def run(self, show_s: float | None) -> Iterator[Moment]:
        """Simulates step by step for a show time at speed 1, or without end; the clock is set before phones send."""
        total, now, shown_s = StepReport(), _FIRST_DAY, 0.0
        while show_s is None or shown_s < show_s:
            now += STEP
            shown_s = (now - _FIRST_DAY) / timedelta(days=1) * DAY_SHOWN_S
            self._clock.set(now)
            total = total.plus(self.simulation.step(now))
            self.engine.jobs.run_due(now)
            self._sightings = total.sightings
            yield Moment(now, shown_s, total, self._screens.getvalue())

    def results(self) -> Results:
        """The report beside the ground truth."""
        now = self.engine.clock.now()
        with self.engine.database.read() as records:
            devices = records.devices.devices(self.simulation.truth.people)
            visits = counted_stays(
                records, self.engine.catalog(), _FIRST_DAY, until=now, kinds=("visit",)
            ).visits
            counts = records.reports.counts(_FIRST_DAY, now)
            offered = records.reports.offered(MEASURED_CAMPAIGN)
        device_of = {device.shopper_id: device.id for device in devices.values()}
        many: Counter[str] = Counter()
        for count in counts:
            many[count.what] += count.many
        decided: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for offer in offered:
            decided[device_of[offer.shopper_id]].append((offer.decided_at, offer.store_id))
        truth = self.simulation.truth
        accuracy: Score = score(
            truth.visits,
            [MeasuredVisit(device_of[v.shopper_id], v.store_id, v.start_at, v.end_at) for v in visits],
        )
        rows = self.engine.reports.report("offers", Span()).rows
        lift = next(row for row in rows if row["campaign_id"] == MEASURED_CAMPAIGN)
        catalog = self.engine.catalog()
        campaign = catalog.campaigns[MEASURED_CAMPAIGN].campaign
        taking_part = {store.id for store in stores_of(campaign, catalog.stores.values())}
        return Results(
            visits=len(visits),
            true_visits=sum(
                visit.end - visit.start >= timedelta(seconds=visit.dwell_min_s) for visit in truth.visits
            ),
            precision=round(accuracy.precision, 4),
            recall=round(accuracy.recall, 4),
            sends=many["send"],
            ghosts=many["ghost"],
            suppressed=many["suppressed"],
            redemptions=many["redemption"],
            lift={name: lift[name] for name in ("difference", "low", "high")},
            true_effect=round(truth.true_effect(MEASURED_CAMPAIGN, taking_part, decided=decided), 6),
            sightings=self._sightings,
            wall_s=round(time.monotonic() - self._began_s, 1),
        )

    def close(self) -> None:
        """Lets go of the simulator's connections."""
        self._client.close()


@contextmanager
def open_demo(*, seed: int, port: int, keep: Path | None = None) -> Iterator[Demo]:
    """A running demo; another port is taken where `port` is in use. `keep` is a new folder that it leaves behind.

    Raises Conflict for a folder that holds something, and Invalid for one that cannot be made.
    """
    with _folder_for(keep) as folder:
        screens = io.StringIO()
        wired = build_demo_engine(Path(folder), start=_FIRST_DAY, seed=seed, screens=screens)
        server = Server(wired.engine, port=port, heartbeat=False)
        server.start()
        try:
            demo = Demo(wired, server, seed=seed, screens=screens)
            try:
                yield demo
            finally:
                demo.close()
        finally:
            server.stop()


def _folder_for(keep: Path | None) -> AbstractContextManager[str]:
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="m2s-demo-")
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise Conflict(f"{keep} is not empty; name a new folder")
        (keep / "m2s.toml").write_text(_SETTINGS, encoding="utf-8")
        (keep / "campaigns").mkdir()
        for campaign in _folder("campaigns").iterdir():
            text = campaign.read_text(encoding="utf-8")
            (keep / "campaigns" / campaign.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{keep} cannot be made: {(error.strerror or str(error)).lower()}") from None
    return nullcontext(str(keep))


def _collection(name: str) -> dict[str, Any]:
    text = _folder(f"{name}.geojson").read_text(encoding="utf-8")
    collection: dict[str, Any] = json.loads(text)
    return collection


def _folder(name: str) -> Any:
    return files("m2s.entry.cli") / "demo_city" / name
