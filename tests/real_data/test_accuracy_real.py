"""Do our methods beat plain baselines on what phones really heard? At full size, as `python -m accuracy` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from accuracy import doorway, library_cells, nearest_beacon, phone_distance
from accuracy.scored import Compared
from tests.data import data_path, data_root

Evaluate = Callable[..., Sequence[Compared]]
SEED = 1

CASES: list[tuple[Evaluate, list[str], dict[str, int]]] = [
    (
        doorway.evaluate,
        ["doorway_zones_raw.csv.gz", "doorway_zones_filtered.csv.gz"],
        {"doorway, one phone": 357, "doorway, two phones": 352},
    ),
    (library_cells.evaluate, ["ibeacon_waldo_labeled.csv"], {"library cells": 643}),
    (nearest_beacon.evaluate, ["uji_lib_rssi.csv.gz", "uji_lib_beacons.csv"], {"nearest beacon": 348}),
    (
        phone_distance.evaluate,
        [f"phone_distance_{name}.csv.gz" for name in ("handhand", "handpocket", "handbackpack")],
        {
            "within 2 m, hand to hand": 215,
            "within 2 m, hand to pocket": 196,
            "within 2 m, hand to backpack": 204,
        },
    ),
]


@pytest.mark.parametrize(
    ("evaluate", "files", "sizes"), CASES, ids=["doorway", "cells", "nearest", "distance"]
)
def test_ours_is_as_good_as_it_has_to_be(evaluate: Evaluate, files: list[str], sizes: dict[str, int]) -> None:
    for name in files:
        data_path(f"ble/{name}")
    rows = evaluate(data_root(), seed=SEED)
    assert {row.name: row.n for row in rows} == sizes
    for row in rows:
        assert row.met, row
        assert row.strictly is not row.name.startswith("within")
        assert row.ours.low <= row.ours.value <= row.ours.high
