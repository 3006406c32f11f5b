"""A simulated day is repeatable, loses nothing, and messages change it only as the truth says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from beacons.sim.client import Api, ServiceRefused
from beacons.sim.simulation import Crowd, Simulation, StepReport
from beacons.sim.world import World

Serve = Callable[..., tuple[Any, Simulation]]
STORE = "node-954713831"
SMALL = Crowd(buyers=6, passers_by=24, drivers=2, staff=1)
MONDAY = datetime.fromisoformat("2026-11-02T00:00:00+01:00")


def run(
    serve: Serve, seed: int, *, effect: float = 0.0, failing: int = 0
) -> tuple[Any, Simulation, StepReport]:
    service, simulation = serve(seed, SMALL, store=STORE, effect=effect)
    simulation.register()
    service.failing = failing
    total = StepReport()
    for minute in range(1, 24 * 60 + 1):
        service.now = MONDAY + timedelta(minutes=minute)
        total = total.plus(simulation.step(service.now))
    return service, simulation, total


def test_the_same_seed_sends_the_same_bytes_and_another_seed_others(serve: Serve) -> None:
    logs = [run(serve, seed, effect=0.5)[0].log for seed in (7, 7, 8)]
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_what_the_service_refuses_for_now_is_sent_again(serve: Serve) -> None:
    service, _, total = run(serve, 7, failing=15)
    assert service.failing == 0
    assert total.on_the_way == 0
    assert total.accepted == len(service.sightings)
    per_device: dict[str, set[int]] = {}
    for item in service.sightings:
        per_device.setdefault(item["device_id"], set()).add(int(item["id"].rpartition("-")[2]))
    assert len(per_device) == 33
    for numbers in per_device.values():
        assert numbers == set(range(1, max(numbers) + 1))


def test_the_figures_of_a_step_add_up(serve: Serve) -> None:
    _, _, total = run(serve, 7)
    assert total.sightings == total.accepted + total.away + total.duplicates + total.rejected
    assert total.duplicates > 0


def test_planned_visits_are_the_same_whatever_messages_do(serve: Serve) -> None:
    truths = [run(serve, 7, effect=effect)[1].truth for effect in (0.0, 1.0)]
    without, full = (sorted((v.device_id, v.start, v.end) for v in t.visits if v.planned) for t in truths)
    assert without == full
    assert all(visit.planned for visit in truths[0].visits)
    assert any(not visit.planned for visit in truths[1].visits)


def test_the_counterfactual_of_a_treated_shopper_is_what_she_then_does(serve: Serve) -> None:
    service, simulation, _ = run(serve, 7, effect=0.6)
    truth = simulation.truth
    treated = {device for device in service.decided if int(device[1:]) % 2 == 0}
    extra = {visit.device_id for visit in truth.visits if not visit.planned}
    assert extra
    assert extra < treated
    for device in treated:
        alone = {device: [service.decided[device]]}
        planned = any(v.device_id == device and v.store_id == STORE for v in truth.visits if v.planned)
        assert truth.true_effect("c", {STORE}, decided=alone) == (device in extra and not planned)


def test_held_out_shoppers_count_in_the_true_effect_as_if_they_had_been_told(serve: Serve) -> None:
    service, simulation, _ = run(serve, 7, effect=1.0)
    held_out = {d: [decision] for d, decision in service.decided.items() if int(d[1:]) % 2}
    assert not any(visit.device_id in held_out and not visit.planned for visit in simulation.truth.visits)
    assert 0.3 < simulation.truth.true_effect("c", {STORE}, decided=held_out) < 1.0
    assert simulation.truth.true_effect("another", {STORE}, decided=held_out) == 0.0
    assert simulation.truth.true_effect("c", {STORE}, decided={}) == 0.0


def test_coupons_are_redeemed_during_a_visit_at_their_store_and_once(serve: Serve) -> None:
    service, simulation, total = run(serve, 7, effect=1.0)
    truth = simulation.truth
    assert total.redemptions == len(truth.redemptions) == len(service.redeemed) > 0
    for redemption in truth.redemptions:
        assert any(
            visit.device_id == redemption.device_id
            and visit.store_id == redemption.store_id == STORE
            and visit.start <= redemption.at <= visit.end
            for visit in truth.visits
        )


def test_a_refusal_that_waiting_cannot_cure_ends_the_run_with_the_answer(serve: Serve) -> None:
    service, simulation = serve(7, Crowd(buyers=1, passers_by=0, drivers=0, staff=0), store=STORE)
    service.answer = lambda *_, **__: (422, {"title": "no such field"})
    with pytest.raises(ServiceRefused, match=r"POST /v1/devices: 422 .*no such field"):
        simulation.register()


def test_a_start_that_is_no_local_midnight_is_refused(city: World) -> None:
    with pytest.raises(ValueError, match="local midnight"):
        Simulation(
            city,
            1,
            api=Api(None, sdk_key="", till_keys={}),  # type: ignore[arg-type]
            start=datetime(2026, 11, 1, 23, tzinfo=UTC),
            step=timedelta(seconds=60),
            effects={},
        )
