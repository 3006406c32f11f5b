"""How long does one position take to be matched?"""

import time
from pathlib import Path
from statistics import quantiles

import numpy as np

from benchmarks.measured import Goal, Row, absolute
from benchmarks.workload import make_stores, opened

_POINTS = 20_000


def single_point(folder: Path, *, seed: int) -> Row:
    """Positions round the stores, half of them within a kilometre, one call each."""
    engine = opened(folder / "points.sqlite3", make_stores(seed), devices=1)
    try:
        index, stores = engine.catalog().index, list(engine.catalog().stores.values())
    finally:
        engine.stop()
    points = points_near([(store.latitude, store.longitude) for store in stores], _POINTS, seed=seed)
    taken_us = []
    for latitude, longitude in points.tolist():
        began_ns = time.perf_counter_ns()
        index.locate_one(latitude, longitude)
        taken_us.append((time.perf_counter_ns() - began_ns) / 1e3)
    cuts = quantiles(taken_us, n=100)
    return absolute(
        "match of a single point with 10 000 stores, p50",
        [cuts[49]],
        goal=Goal(3, at_most=True),
        unit="µs",
        beside={"p99 in µs": cuts[98]},
    )


def points_near(middles: list[tuple[float, float]], number: int, *, seed: int) -> np.ndarray:
    """Half within 600 m of a store, half within some 15 km."""
    rng = np.random.default_rng(seed)
    chosen = np.array(middles)[rng.integers(0, len(middles), number)]
    reach = np.where(rng.uniform(size=number) < 0.5, 600 * rng.uniform(size=number) ** 0.5, 15_000)
    angle = rng.uniform(0, 2 * np.pi, number)
    north, east = reach * np.cos(angle) / 111_195, reach * np.sin(angle) / 111_195
    return np.stack([chosen[:, 0] + north, chosen[:, 1] + east / np.cos(np.radians(chosen[:, 0]))], axis=1)
