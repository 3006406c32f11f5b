"""Phones err as far as they say, and beacons fade as physics has it."""

import math
from random import Random
from statistics import median

import pytest

from beacons.sim.radio import Drift, hear
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
