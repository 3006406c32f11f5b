"""How much memory does a server take, and does it grow? Two million sightings of many phones, over HTTP."""

from pathlib import Path

from benchmarks.measured import Goal, Row, absolute
from benchmarks.served import Served, requests_of
from benchmarks.workload import Body, Traffic, make_stores, opened

_DEVICES = 200_000
_MILLION = 1_000_000
_SIZE, _AT_ONCE, _CONNECTIONS = 10, 100_000, 16
"""The first million has more requests than tokens are remembered: the second one shows what sightings take."""


def resident(folder: Path, *, seed: int) -> list[Row]:
    """After a second million in the window that was sent twice, and how much of it each sighting of that took."""
    path = folder / "memory.sqlite3"
    engine = opened(path, make_stores(seed), devices=_DEVICES)
    traffic = Traffic(engine, seed=seed, devices=_DEVICES)
    engine.stop()
    with Served(path) as served:
        occupied_mb = [served.resident_mb()]
        for _ in range(2):
            sent: list[list[Body]] = []
            for _ in range(_MILLION // _AT_ONCE):
                sent.append(traffic.bodies(_AT_ONCE // _SIZE, _SIZE))
                served.asked(requests_of(sent[-1], _CONNECTIONS), each=_SIZE)
            occupied_mb.append(served.resident_mb())
        for bodies in sent:
            served.asked(requests_of(bodies, _CONNECTIONS), each=_SIZE, taken_as="duplicates")
        occupied_mb.append(served.resident_mb())
    start_mb, first_mb, second_mb, again_mb = occupied_mb
    beside = {"MB at the start": start_mb, "MB after 1 M": first_mb, "MB before the repetition": second_mb}
    return [
        absolute(
            "memory with 10 000 stores, 200 000 devices, 2 M sightings in the window, 1 M of them repeated",
            [again_mb],
            goal=Goal(400, at_most=True),
            unit="MB",
            beside=beside,
        ),
        absolute(
            "memory that each sighting of the second million took",
            [(second_mb - first_mb) * 1024 * 1024 / _MILLION],
            goal=None,
            unit="bytes",
        ),
    ]
