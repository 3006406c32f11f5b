"""What does taking sightings cost over HTTP, tokens checked, each answered after its synced commit?"""

import shutil
from pathlib import Path

from benchmarks.measured import ROUNDS, Cost, Goal, Row, compared
from benchmarks.served import Requests, Served, requests_of
from benchmarks.workload import Traffic, make_stores, opened

_DEVICES = 400
"""Few, so that every token was seen in the round that is not counted."""


def batches(folder: Path, *, seed: int) -> Row:
    """Requests of a hundred, against the same server without de-duplicating, matching and deciding."""
    rounds = _rounds(folder, seed=seed, requests=400, size=100, connections=8)
    with Served(folder / "a.sqlite3") as ours, Served(folder / "b.sqlite3", job="rows") as floor:
        costs = [(ours.asked(each, each=100), floor.asked(each, each=100)) for each in rounds]
    return _row("batches of 100 over HTTP from 8 connections, against rows alone", costs, goal=0.6)


def singles(folder: Path, *, seed: int) -> Row:
    """Requests of one sighting, against a server that commits each alone."""
    rounds = _rounds(folder, seed=seed, requests=2_560, size=1, connections=64)
    with Served(folder / "a.sqlite3") as ours, Served(folder / "b.sqlite3", group_weight=1) as floor:
        costs = [(ours.asked(each), floor.asked(each)) for each in rounds]
    return _row(
        "single sightings over HTTP from 64 connections, against one commit per request", costs, goal=3.5
    )


def _rounds(folder: Path, *, seed: int, requests: int, size: int, connections: int) -> list[Requests]:
    """What is asked in every round, and a database for either server."""
    engine = opened(folder / "a.sqlite3", make_stores(seed), devices=_DEVICES)
    traffic = Traffic(engine, seed=seed, devices=_DEVICES)
    engine.stop()
    rounds = [requests_of(traffic.bodies(requests, size), connections) for _ in range(ROUNDS + 1)]
    shutil.copyfile(folder / "a.sqlite3", folder / "b.sqlite3")
    return rounds


def _row(name: str, costs: list[tuple[Cost, Cost]], *, goal: float) -> Row:
    ours, floor = zip(*costs[1:], strict=True)
    return compared(name, ours, floor, goal=Goal(goal), unit="sightings")
