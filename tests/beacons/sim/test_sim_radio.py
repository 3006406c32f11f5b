"""Phones err as far as they say, and beacons fade as physics has it."""

import math
from random import Random
from statistics import median, pstdev

import pytest

from beacons.sim.radio import Drift, Radio, hear
from beacons.sim.world import Transmitter

BEACON = Transmitter("6d327320-6465-4d6f-8000-6d6f6e61636f", 1, 1, -59, "till", (0.0, 0.0))


@pytest.mark.parametrize("accuracy_m", [5.0, 40.0])
def test_68_percent_of_the_errors_lie_within_the_accuracy(accuracy_m: float) -> None:
    within = 0
    for seed in range(4000):
        drift = Drift(Random(seed))
        drift.fix((0.0, 0.0), accuracy_m, at_s=0.0)
        within += math.dist(drift.fix((0.0, 0.0), accuracy_m, at_s=45.0), (0.0, 0.0)) <= accuracy_m
    assert within / 4000 == pytest.approx(0.683, abs=0.025)


def test_errors_close_in_time_are_alike_and_far_apart_are_not() -> None:
    def mean_step_m(pause_s: float) -> float:
        steps = []
        for seed in range(500):
            drift = Drift(Random(seed))
            first = drift.fix((0.0, 0.0), 20.0, at_s=0.0)
            steps.append(math.dist(first, drift.fix((0.0, 0.0), 20.0, at_s=pause_s)))
        return sum(steps) / len(steps)

    assert mean_step_m(5.0) < 0.5 * mean_step_m(600.0)


@pytest.mark.parametrize(("distance_m", "expected_dbm"), [(1.0, -59.0), (3.0, -70.9), (10.0, -84.0)])
def test_the_median_signal_follows_the_path_loss(distance_m: float, expected_dbm: float) -> None:
    random = Random(1)
    heard = [rssi for _ in range(100) for _, rssi in hear(random, BEACON, (distance_m, 0.0), seconds=10)]
    assert median(heard) == pytest.approx(expected_dbm, abs=1.0)
    assert len(heard) / 1000 == pytest.approx(0.8, abs=0.05)


def test_a_beacon_across_the_street_is_not_heard() -> None:
    assert hear(Random(1), BEACON, (120.0, 0.0), seconds=10) == []


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_a_larger_exponent_lets_the_signal_fall_faster(exponent: float) -> None:
    radio = Radio(path_loss_exponent=exponent)
    random = Random(1)
    heard = [
        rssi for _ in range(100) for _, rssi in hear(random, BEACON, (5.0, 0.0), seconds=10, radio=radio)
    ]
    assert median(heard) == pytest.approx(-59 - 10 * exponent * math.log10(5), abs=1.0)


@pytest.mark.parametrize("fading_db", [0.0, 3.0, 6.0])
def test_signals_scatter_as_much_as_they_fade(fading_db: float) -> None:
    radio = Radio(fading_db=fading_db)
    random = Random(1)
    heard = [
        rssi for _ in range(200) for _, rssi in hear(random, BEACON, (2.0, 0.0), seconds=10, radio=radio)
    ]
    assert pstdev(heard) == pytest.approx(fading_db, abs=0.4)


@pytest.mark.parametrize("lost", [0.0, 0.3, 1.0])
def test_as_many_packets_are_lost_as_said(lost: float) -> None:
    radio = Radio(lost_share=lost)
    random = Random(1)
    heard = [one for _ in range(200) for one in hear(random, BEACON, (1.0, 0.0), seconds=10, radio=radio)]
    assert len(heard) / 2000 == pytest.approx(1 - lost, abs=0.03)


def test_each_wall_takes_its_share_and_the_body_takes_its_from_every_second_burst() -> None:
    def bursts(radio: Radio, walls: int) -> list[float]:
        random = Random(1)
        found = (hear(random, BEACON, (2.0, 0.0), seconds=10, radio=radio, walls=walls) for _ in range(400))
        return [median(rssi for _, rssi in burst) for burst in found]

    bare = median(bursts(Radio(fading_db=0.5), 0))
    walled = bursts(Radio(fading_db=0.5, wall_loss_db=8.0), 2)
    assert median(walled) == pytest.approx(bare - 16, abs=1.0)
    shadowed = [dbm < bare - 5 for dbm in bursts(Radio(fading_db=0.5, body_loss_db=10.0), 0)]
    assert sum(shadowed) / 400 == pytest.approx(0.5, abs=0.07)
