"""What is to be simulated? All that a run depends on but the service: the same scenario gives the same requests."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from beacons.sim.client import Service
from beacons.sim.fleet import FAULTLESS, Faults, Fleet
from beacons.sim.habits import Habits
from beacons.sim.radio import Radio
from beacons.sim.recorder import Recorder
from beacons.sim.route import Kind
from beacons.sim.simulation import Crowd, Simulation
from beacons.sim.world import DAY_S, World

STEP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Simulated days: where, who, with which phones and beacons. `stores` is what the service has to know of them.

    `effects` is, by campaign id, the share of shoppers whom its message moves. The first day is `first_day`, unless a
    run says otherwise.
    """

    id: str
    seed: int
    first_day: date
    days: int
    timezone: str
    world: World
    stores: Mapping[str, Any]
    crowd: Crowd
    habits: Habits
    radio: Radio
    faults: Faults = FAULTLESS
    effects: Mapping[str, float] = field(default_factory=dict)

    def midnight(self) -> datetime:
        """When the first day begins."""
        return datetime(
            self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=ZoneInfo(self.timezone)
        )

    def fleet(self) -> Fleet:
        """The beacons, and what goes wrong with them."""
        length_s = self.days * DAY_S
        return Fleet(self.world, self.radio, faults=self.faults, seed=self.seed, length_s=length_s)

    def simulation(
        self,
        service: Service,
        *,
        start: datetime | None = None,
        sending: Callable[[], datetime] | None = None,
    ) -> Simulation:
        """The simulation against a service.

        Register, then for each of its `instants()` set the clock, if it is yours, and `step`; `truth` is what
        really happened. `start` is another midnight, `sending` the service's own clock.
        """
        return Simulation(
            self.world,
            self.seed,
            api=service,
            start=start or self.midnight(),
            step=STEP,
            effects=self.effects,
            crowd=self.crowd,
            habits=self.habits,
            fleet=self.fleet(),
            days=self.days,
            sending=sending,
        )

    def counted(self) -> dict[str, Any]:
        """What a run would hold: stores, beacons, people, phones, and the visits planned before any message."""
        recorder = Recorder(self.world, lambda _: None, now=self.midnight())
        simulation = self.simulation(recorder)
        traits = [phone.traits for phone in simulation.phones]
        kinds = Counter(self.crowd.kinds())
        planned = sum(len(plan.stops) for plan in simulation.plans(self.days))
        return {
            "scenario": self.id,
            "seed": self.seed,
            "days": self.days,
            "stores": len(self.world.shops),
            "beacons": sum(len(shop.beacons) for shop in self.world.shops.values()),
            "faults": dict(Counter(fault.kind for fault in self.fleet().faults)),
            "people": {kind.value: kinds[kind] for kind in Kind},
            "person_days": self.days * sum(kinds.values()),
            "planned_visits": planned,
            "phones": {
                "ios": sum(one.platform == "ios" for one in traits),
                "android": sum(one.platform == "android" for one in traits),
                "without_positions": sum(not one.positions for one in traits),
                "approximate": sum(one.approximate for one in traits),
                "clock_wrong": sum(abs(one.clock_error_s) >= 60 for one in traits),
                "mocking": sum(one.spoofs for one in traits),
                "replaying": sum(one.replays for one in traits),
            },
        }
