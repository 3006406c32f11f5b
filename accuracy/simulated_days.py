"""What does the service make of simulated days? Its own engine, in one process, with the simulation's clock.

Phones ask it which regions to watch and send it all that they notice; no message is ever sent.
"""

import io
import math
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from beacons.sim.client import Registration
from beacons.sim.phone import Circle, Watch
from beacons.sim.scenario import Scenario
from beacons.sim.simulation import Crowd
from beacons.sim.truth import MeasuredVisit, TrueVisit, Truth
from beacons.sim.world import Point
from m2s.app.counted import Counted, counted_stays
from m2s.app.regions import regions_for
from m2s.app.rows import VisitRow
from m2s.app.sighting import Answer, Batch, Sighting
from m2s.bootstrap import DemoEngine, build_demo_engine
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_collection

DAYS = 14
"""Long enough for what is told of staff and residents by some days."""

_JOBS_EVERY = timedelta(hours=1)
_MOST_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Aside:
    """A stay that the service found and does not count, and why."""

    stay: MeasuredVisit
    reason: str


@dataclass(frozen=True, slots=True)
class Lived:
    """What was simulated, what really happened, which visits the reports count, and which stays they set aside."""

    scenario: Scenario
    truth: Truth
    counted: Sequence[MeasuredVisit]
    passers_by: Sequence[MeasuredVisit]
    aside: Sequence[Aside]
    sightings: int
    rejected: int

    @property
    def visits(self) -> Sequence[TrueVisit]:
        """The visits that took place."""
        return self.truth.visits


def sized(scenario: Scenario, person_days: int, *, whole: int) -> Scenario:
    """So many of the `whole` person-days that the scenarios together have in DAYS days, each kind rounded up."""
    share = person_days / whole
    crowd = {one.name: math.ceil(getattr(scenario.crowd, one.name) * share) for one in fields(scenario.crowd)}
    return replace(scenario, days=DAYS, crowd=Crowd(**crowd))


def all_lived(scenarios: Sequence[Scenario]) -> list[Lived]:
    """Simulates the scenarios beside each other, in as many processes as there are cores, at most four."""
    at_a_time = min(os.cpu_count() or 1, _MOST_PROCESSES)
    # The longest begin first, so that none of them runs alone at the end.
    by_length = sorted(scenarios, key=lambda one: len(one.crowd.kinds()) * one.days, reverse=True)
    with ProcessPoolExecutor(at_a_time, mp_context=get_context("spawn")) as processes:
        found = {one.id: processes.submit(lived, one) for one in by_length}
        return [found[one.id].result() for one in scenarios]


def lived(scenario: Scenario) -> Lived:
    """Simulates all days of a scenario, until the last phone has sent all."""
    people = len(scenario.crowd.kinds())
    print(f"simulating {scenario.id}: {people} people, {scenario.days} days", file=sys.stderr, flush=True)
    start = scenario.midnight()
    with TemporaryDirectory(prefix="m2s-accuracy-") as folder:
        made = build_demo_engine(Path(folder), start=start, seed=scenario.seed, screens=io.StringIO())
        try:
            made.engine.publish.publish_stores(read_collection(scenario.stores))
            made.engine.start(heartbeat=False)
            return _lived(scenario, made)
        finally:
            made.engine.stop()


def _lived(scenario: Scenario, made: DemoEngine) -> Lived:
    line = _Line(made)
    simulation = scenario.simulation(line)
    simulation.register()
    now = beaten = scenario.midnight()
    for now in simulation.instants():
        made.clock.set(now)
        simulation.step(now)
        line.settle()
        if now - beaten >= _JOBS_EVERY:
            made.engine.jobs.run_due(now)
            beaten = now
    made.clock.set(now + _JOBS_EVERY)
    made.engine.jobs.run_due(now + _JOBS_EVERY)
    with made.engine.database.read() as records:
        found = counted_stays(
            records, made.engine.catalog(), scenario.midnight() - timedelta(days=1), until=now + _JOBS_EVERY
        )
    return _told(scenario, simulation.truth, found, line=line)


def _told(scenario: Scenario, truth: Truth, found: Counted, *, line: "_Line") -> Lived:
    device_of = {shopper_id: device_id for device_id, shopper_id in line.shopper_of.items()}

    def measured(row: VisitRow) -> MeasuredVisit:
        return MeasuredVisit(device_of[row.shopper_id], row.store_id, row.start_at, row.end_at)

    visits = {visit.id for visit in found.visits}
    return Lived(
        scenario,
        truth,
        [measured(row) for row in found.visits],
        [measured(row) for row in found.stays if row.id not in visits],
        [Aside(measured(row), reason) for row, reason in found.aside],
        line.sightings_sent,
        line.rejected,
    )


class _Line:
    """The phones' way to an engine in this process; what they send is in its database once `settle` returns."""

    def __init__(self, made: DemoEngine) -> None:
        self._engine = made.engine
        self._clock = made.clock
        self._sent: list[Future[Answer]] = []
        self.shopper_of: dict[str, str] = {}
        self.sightings_sent = 0
        self.rejected = 0

    def register(self) -> Registration:
        """A new device, whose token is its id."""
        device_id = self._engine.devices.register({}, key_id="").device_id
        with self._engine.database.read() as records:
            device = records.devices.device(device_id)
        if device is None:
            raise LookupError(f"{device_id} has registered and is not there")
        self.shopper_of[device_id] = device.shopper_id
        return Registration(device_id, device_id)

    def describe(self, token: str, facts: Mapping[str, Any]) -> None:
        """Only messages depend on it."""

    def identify(self, token: str, phone: str) -> None:
        """Only messages depend on it."""

    def consent(self, token: str, consents: list[dict[str, Any]]) -> None:
        """Only messages depend on it."""

    def watch(self, token: str, where: tuple[float, float], *, at: Point, platform: str) -> Watch:
        """What the service plans for the place."""
        del token
        plan = regions_for(
            self._engine.catalog(),
            self._clock.now(),
            latitude=where[0],
            longitude=where[1],
            platform=platform,
            limit=None,
        )
        return Watch(
            {one.id: Circle(one.latitude, one.longitude, one.radius_m) for one in plan.circles},
            {(one.uuid, one.major): one.id for one in plan.beacons},
            holds_m=plan.refresh_after_m,
            asked_at=at,
        )

    def sightings(self, token: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Submits a batch; nobody waits for what is said of it."""
        items = msgspec.convert(body["sightings"], list[Sighting])
        received_ms, sent_ms = to_ms(self._clock.now()), to_ms(datetime.fromisoformat(body["sent_at"]))
        batch = Batch(
            token, {token: self.shopper_of[token]}, received_ms, sent_ms, list(enumerate(items)), []
        )
        self._sent.append(self._engine.submit(batch))
        self.sightings_sent += len(items)
        return {"accepted": len(items), "away": 0, "duplicates": 0, "rejected": [], "events": []}

    def settle(self) -> None:
        """Waits until all that was submitted is committed."""
        self.rejected += sum(len(sent.result().rejected) for sent in self._sent)
        self._sent.clear()

    def offers(self, token: str) -> list[dict[str, Any]]:
        """There are none."""
        del token
        return []

    def redeem(self, store_id: str, *, code: str, basket_id: str, amount: str, currency: str) -> bool:
        """There is nothing to redeem."""
        del store_id, code, basket_id, amount, currency
        return False
