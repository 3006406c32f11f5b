"""Prints the benchmark's rows, as a table or with `--json` as one JSON list; `--only NAME` measures some of them."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import (
    backtest,
    catalog_swap,
    delivery,
    http_load,
    id_window,
    in_process,
    memory,
    outage,
    points,
    postgis,
    profiled,
    upkeep,
)
from benchmarks.measured import Row, Skipped
from benchmarks.workload import BUSY, Mix, make_stores

SEED = 20261102
_Measured = Row | Skipped
_HUNDREDS, _TWENTIES = "500 a commit in requests of 100", "500 a commit in requests of 20"


def _hundreds(folder: Path) -> Sequence[_Measured]:
    return in_process.whole_job(folder, _HUNDREDS, seed=SEED, mix=BUSY, size=100, goal=0.6)


def _twenties(folder: Path) -> Sequence[_Measured]:
    return in_process.whole_job(folder, _TWENTIES, seed=SEED, mix=BUSY, goal=0.6)


def _inside(folder: Path) -> Sequence[_Measured]:
    stores, mix = make_stores(SEED, taking_part=1), profiled.MIXES["half inside a zone"]
    name = f"{_TWENTIES}, half of them inside a zone, every store with an offer"
    return in_process.whole_job(folder, name, seed=SEED, mix=mix, stores=stores, goal=None)


def _away(folder: Path) -> Sequence[_Measured]:
    name = f"{_TWENTIES}, 60 % away"
    return in_process.whole_job(folder, name, seed=SEED, mix=profiled.MIXES["60 % away"], goal=None)


def _scattered(folder: Path) -> Sequence[_Measured]:
    name = f"{_TWENTIES}, every touch at a store of its own"
    return in_process.whole_job(folder, name, seed=SEED, mix=Mix(together=False), goal=0.5)


_ROWS: dict[str, Callable[[Path], Sequence[_Measured]]] = {
    "hundreds": _hundreds,
    "twenties": _twenties,
    "scattered": _scattered,
    "batches": lambda folder: [http_load.batches(folder, seed=SEED)],
    "singles": lambda folder: [http_load.singles(folder, seed=SEED)],
    "ids": lambda folder: [in_process.random_ids(folder, seed=SEED)],
    "stores": lambda folder: [in_process.many_stores(folder, seed=SEED)],
    "stored": lambda folder: [in_process.many_stored(folder, seed=SEED)],
    "inside": _inside,
    "away": _away,
    "profile": lambda folder: profiled.profiles(folder, seed=SEED),
    "catalog": lambda folder: catalog_swap.swaps(folder, seed=SEED),
    "memory": lambda folder: memory.resident(folder, seed=SEED),
    "rebuild": lambda folder: upkeep.rebuild(folder, seed=SEED),
    "retention": lambda folder: upkeep.retention(folder, seed=SEED),
    "backtest": lambda folder: [backtest.backtest(folder, seed=SEED)],
    "push": lambda folder: delivery.push(folder, seed=SEED),
    "sms": lambda folder: delivery.sms(folder, seed=SEED),
    "outage": lambda folder: outage.outage(folder, seed=SEED),
    "point": lambda folder: [points.single_point(folder, seed=SEED)],
    "postgis": lambda _: postgis.matches(SEED),
    "window": lambda _: id_window.window(),
}
"""What each name of `--only` measures."""


def main() -> int:
    """Runs the rows, each in a folder of its own; 0 when all goals are met."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument(
        "--only", action="append", choices=sorted(_ROWS), help="measure this; may be repeated"
    )
    chosen = parser.parse_args()
    rows: list[_Measured] = []
    for name, measure in _ROWS.items():
        if name not in (chosen.only or _ROWS):
            continue
        with tempfile.TemporaryDirectory(prefix="m2s-bench-") as folder:
            measured = measure(Path(folder))
        rows += measured
        if not chosen.json:
            print("\n".join(map(_line, measured)), flush=True)
    if chosen.json:
        print(json.dumps([_document(row) for row in rows]))
    return 0 if all(row.met for row in rows if isinstance(row, Row)) else 1


def _document(row: _Measured) -> dict[str, object]:
    return asdict(row) | ({"met": row.met} if isinstance(row, Row) else {})


def _line(row: _Measured) -> str:
    if isinstance(row, Skipped):
        return f"{row.name}: skipped: {row.reason}"
    low, high = row.spread
    goal = "no goal"
    if row.goal is not None:
        sign = "≤" if row.goal.at_most else "≥"
        goal = f"goal {sign} {row.goal.limit:g} {'met' if row.met else 'MISSED'}"
    if row.floor is None:
        head = f"{row.figure:,.2f} {row.unit}"
    else:
        head = f"{row.figure:.2f}; {row.value:,.1f} {row.unit} against {row.floor:,.1f}"
    beside = "".join(f"; {name} {figure:,.2f}" for name, figure in row.beside.items())
    return f"{row.name}: {head} (rounds {low:,.2f} to {high:,.2f}, {goal}){beside}"


if __name__ == "__main__":
    sys.exit(main())
