"""In which departments of a store did a shopper stand? Far beacons told apart by place, against all that are heard.

One simulated day of the scenario `beacon_aisles`. Ours and the baseline are triggers `far` for 20 s, one for each
department: ours as the service follows them, the baseline wherever the beacons are heard. A department is told right
where the trigger fired and she stood there for 20 s or more, nearest to that beacon, or neither.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from accuracy.scored import Compared, Score, compare_means
from beacons.ranging import Proximity
from beacons.sim.recorder import Recorder
from beacons.sim.route import Plan
from beacons.sim.world import Shop, Transmitter
from m2s.core.presence.evidence import Evidence, Kind
from m2s.core.presence.nearness import BeaconPresence, heard_for, track_beacon
from m2s.core.presence.whereabouts import Whereabouts, track_whereabouts
from m2s.entry.cli.scenario_file import load_scenario

LASTS_S = 20
_STANDING_MPS = 0.3


def evaluate(*, seed: int) -> list[Compared]:
    """One verdict for each department and shopper who was in the store with a phone that heard it."""
    scenario = replace(load_scenario("beacon_aisles"), seed=seed)
    start = scenario.midnight()
    batches: list[Mapping[str, Any]] = []
    recorder = Recorder(scenario.world, batches.append, now=start)
    simulation = scenario.simulation(recorder)
    simulation.register()
    for now in simulation.instants():
        recorder.now = now
        simulation.step(now)
    (shop,) = scenario.world.shops.values()
    beacons = {f"{one.major}/{one.minor}": one for one in shop.beacons}
    scores, fired = [], Counter[tuple[bool, bool]]()
    for device_id, heard in _heard(batches, beacons).items():
        stood = _stood(simulation.truth.people[device_id].plan(0), shop, beacons)
        if not stood:
            continue
        ours, plain = _fired(heard, beacons, apart=True), _fired(heard, beacons, apart=False)
        for name in beacons:
            here = name in stood
            scores.append(
                Score(float((name in ours) == here), float((name in plain) == here), group=device_id)
            )
        fired.update((True, name in stood) for name in ours)
        fired.update((False, name in stood) for name in plain)
    beside = {
        f"share of those that fired where she stood, {name}": fired[apart, True]
        / (fired[apart, True] + fired[apart, False])
        for apart, name in ((True, "ours"), (False, "baseline"))
    }
    figure = "share of departments told right, simulated"
    return [compare_means("departments", figure, scores, seed=seed, beside=beside)]


def _heard(
    batches: list[Mapping[str, Any]], beacons: Mapping[str, Transmitter]
) -> Mapping[str, list[Evidence]]:
    """What each phone heard, in order of time, each once."""
    heard: dict[str, dict[str, Evidence]] = defaultdict(dict)
    for batch in batches:
        device_id, received_s = batch["device_id"], datetime.fromisoformat(batch["received_at"]).timestamp()
        for item in batch["sightings"]:
            name = f"{item.get('major')}/{item.get('minor')}"
            # Who tells no age has a clock of its own.
            if item["kind"] == "beacon" and "age_ms" in item:
                heard[device_id].setdefault(
                    item["id"],
                    Evidence(
                        shopper_id=device_id,
                        store_id="",
                        zone_id="",
                        device_id=device_id,
                        sighting_id=item["id"],
                        kind=Kind.BEACON,
                        at_ms=round(received_s * 1000) - item["age_ms"],
                        inside_probability=1.0,
                        beacon=name,
                        place=beacons[name].place,
                        measured_power_dbm=beacons[name].measured_power_dbm,
                        samples=tuple(
                            (one["age_ms"] - item["age_ms"], one["rssi_dbm"]) for one in item["samples"]
                        ),
                    ),
                )
    return {
        device_id: sorted(own.values(), key=lambda one: (one.at_ms, one.sighting_id))
        for device_id, own in heard.items()
    }


def _stood(plan: Plan, shop: Shop, beacons: Mapping[str, Transmitter]) -> set[str]:
    """The beacons nearest to which she stood in the store for long enough."""
    seconds = Counter[str]()
    for second in range(int(plan.start_s), int(plan.end_s)):
        at, speed_mps = plan.at(second)
        if speed_mps < _STANDING_MPS and shop.covers(at, "premises"):
            seconds[min(beacons, key=lambda name: math.dist(beacons[name].at, at))] += 1
    return {name for name, lasted_s in seconds.items() if lasted_s >= LASTS_S}


def _fired(heard: list[Evidence], beacons: Mapping[str, Transmitter], *, apart: bool) -> set[str]:
    """The beacons whose trigger fired."""
    power_dbm = {name: beacon.measured_power_dbm for name, beacon in beacons.items()}
    near: dict[str, BeaconPresence | None] = {}
    where: Whereabouts | None = None
    fired = set()
    for one in heard:
        assert one.beacon is not None  # noqa: S101
        where = track_whereabouts(where, one, measured_power_dbm=power_dbm) if apart else None
        elsewhere = where is not None and where.place is not None and where.place.beacon != one.beacon
        before = near.get(one.beacon)
        near[one.beacon] = track_beacon(before, one, wanted=Proximity.FAR, elsewhere=elsewhere)
        if heard_for(before, near[one.beacon], duration_ms=LASTS_S * 1000):
            fired.add(one.beacon)
    return fired
