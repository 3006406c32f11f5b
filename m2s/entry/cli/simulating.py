"""How does simulated time pass beside the real one? Days are sent as of when they were, or written down."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import httpx2

from beacons.sim.back_office import opened
from beacons.sim.client import ServiceRefused
from beacons.sim.recorder import Recorder
from beacons.sim.scenario import Scenario
from beacons.sim.simulation import Simulation, StepReport
from beacons.sim.truth import told
from m2s.core.base.errors import Invalid, Unavailable

OLDEST = timedelta(hours=72)
"""What is older the service does not take."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A run after one step: the simulated time, the share that is done, what was sent so far."""

    now: datetime
    done: float
    sightings: int


class Run:
    """A simulation that goes at a pace. `live`: the simulated clock never runs ahead of the real one."""

    def __init__(
        self,
        scenario: Scenario,
        simulation: Simulation,
        *,
        start: datetime,
        speed: float | None,
        live: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self.scenario = scenario
        self.simulation = simulation
        self._start = start
        self._speed = speed
        self._live = live
        self._recorder = recorder
        self._total = StepReport()
        self._began_s = time.monotonic()

    def moments(self) -> Iterator[Moment]:
        """Registers the phones, then goes through the days step by step, each in its time."""
        self.simulation.register()
        length = timedelta(days=self.scenario.days)
        began_s = time.monotonic()
        for now in self.simulation.instants():
            self._wait(now, began_s)
            if self._recorder is not None:
                self._recorder.now = now
            self._total = self._total.plus(self.simulation.step(now))
            yield Moment(now, min(1.0, (now - self._start) / length), self._total.sightings)

    def figures(self) -> dict[str, Any]:
        """What was sent, what the service said to it, and how much really happened."""
        total, truth = self._total, self.simulation.truth
        return {
            "scenario": self.scenario.id,
            "seed": self.scenario.seed,
            "from": self._start.isoformat(),
            "until": truth.until.isoformat(),
            "people": len(truth.people),
            "sightings": total.sightings,
            "accepted": total.accepted,
            "away": total.away,
            "duplicates": total.duplicates,
            "rejected": total.rejected,
            "offers_announced": total.offers_announced,
            "detours": total.detours,
            "redemptions": total.redemptions,
            "true_visits": len(truth.visits),
            "wall_s": round(time.monotonic() - self._began_s, 1),
        }

    def _wait(self, now: datetime, began_s: float) -> None:
        if self._live:
            pause_s = (now.astimezone(UTC) - datetime.now(UTC)).total_seconds()
        elif self._speed is not None:
            pause_s = (now - self._start).total_seconds() / self._speed - (time.monotonic() - began_s)
        else:
            return
        time.sleep(max(0.0, pause_s))


@contextmanager
def recorded(scenario: Scenario, out: Path, speed: float | None) -> Iterator[Run]:
    """A run whose requests, dated by the scenario, are written to a file, one a line; then what really happened."""
    start = scenario.midnight()
    with out.open("w", encoding="utf-8") as file:
        recorder = Recorder(scenario.world, lambda line: _write(file, line), now=start)
        simulation = scenario.simulation(recorder)
        yield Run(scenario, simulation, start=start, speed=speed, recorder=recorder)
        write_truth(simulation, file)


@contextmanager
def sent(scenario: Scenario, url: str, *, key: str, speed: float | None) -> Iterator[Run]:
    """A run against a service whose clock is the real one.

    At speed 1 the days begin today, and what is past of today is sent at once. Else they are the last whole days, so
    that whatever happened has happened, and every age is true. Raises Invalid where the service would refuse them as
    too old, or refuses a request, and Unavailable where there is none.
    """
    live = speed == 1
    real = datetime.now(ZoneInfo(scenario.timezone))
    today = real.replace(hour=0, minute=0, second=0, microsecond=0)
    start = today if live else today - timedelta(days=scenario.days)
    _refuse_too_old(real - start, scenario)
    try:
        with (
            httpx2.Client(base_url=url, timeout=60) as client,
            opened(client, key, stores=scenario.stores) as api,
        ):
            simulation = scenario.simulation(api, start=start, sending=lambda: datetime.now(UTC))
            yield Run(scenario, simulation, start=start, speed=speed, live=live)
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise Unavailable(
            f"{url} cannot be reached: {error}; is `m2s serve` running there?", code="no_service"
        ) from None
    except ServiceRefused as error:
        raise Invalid(f"{url} refuses {error}") from None


def _refuse_too_old(age: timedelta, scenario: Scenario) -> None:
    delay = timedelta(seconds=scenario.habits.longest_delay_s)
    if age + delay > OLDEST:
        raise Invalid(
            f"the first sightings would be sent {_hours(age + delay)} hours after they happened, and the service"
            f" takes {_hours(OLDEST)}: simulate fewer days, let phones be offline for less, or add --speed 1"
        )


def _hours(length: timedelta) -> int:
    return math.ceil(length / timedelta(hours=1))


def write_truth(simulation: Simulation, file: TextIO) -> None:
    """Writes what really happened as JSON lines."""
    for line in told(simulation.truth, simulation.faults):
        _write(file, line)


def _write(file: TextIO, line: Mapping[str, Any]) -> None:
    file.write(f"{json.dumps(line)}\n")
