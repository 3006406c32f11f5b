"""Far beacons of one store: does telling places apart tell the departments in which shoppers stood?"""

from __future__ import annotations

from accuracy.departments import evaluate


def test_places_told_apart_are_better_than_all_that_are_heard() -> None:
    (row,) = evaluate(seed=101)
    assert row.met
    assert row.ours.low > 0.75 > 0.5 > row.baseline.high
    ours, baseline = row.beside.values()
    assert isinstance(ours, float)
    assert isinstance(baseline, float)
    assert ours > 0.7 > 0.4 > baseline
