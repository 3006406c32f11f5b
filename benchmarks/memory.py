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
    """After the second million in the window, how much of it that took, and what its repetition took.

    When it is repeated first, connections that read fill their caches: it is the second repetition that shows growth.
    """
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
        for _ in range(2):
            for bodies in sent:
                served.asked(requests_of(bodies, _CONNECTIONS), each=_SIZE, taken_as="duplicates")
            occupied_mb.append(served.resident_mb())
    start_mb, first_mb, second_mb, again_mb, thrice_mb = occupied_mb
    grown, grown_again = (
        (later_mb - earlier_mb) * 1024 * 1024 / _MILLION
        for earlier_mb, later_mb in ((first_mb, second_mb), (again_mb, thrice_mb))
    )
    beside = {"MB at the start": start_mb, "MB after 1 M": first_mb, "MB after repeating 1 M": again_mb}
    return [
        absolute(
            "memory with 10 000 stores, 200 000 devices, 2 M sightings in the window",
            [second_mb],
            goal=Goal(400, at_most=True),
            unit="MB",
            beside=beside,
        ),
        absolute(
            "memory that each sighting of the second million took",
            [grown],
            goal=None,
            unit="bytes",
        ),
        absolute(
            "memory that each took when the second million was sent for the third time",
            [grown_again],
            goal=Goal(1, at_most=True),
            unit="bytes",
        ),
    ]
