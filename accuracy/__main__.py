"""Prints how accurate m2s is beside its baselines; `--json` prints one JSON list, `--only NAME` scores some of it."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from accuracy import doorway, library_cells, nearest_beacon, phone_distance, real_stays
from accuracy.recordings import data_root
from accuracy.scored import Compared, Skipped

SEED = 20261102
_Row = Compared | Skipped

_EVALUATIONS: dict[str, Callable[[Path], Sequence[_Row]]] = {
    "doorway": lambda root: doorway.evaluate(root, seed=SEED),
    "cells": lambda root: library_cells.evaluate(root, seed=SEED),
    "nearest": lambda root: nearest_beacon.evaluate(root, seed=SEED),
    "distance": lambda root: phone_distance.evaluate(root, seed=SEED),
    "stays": lambda root: real_stays.evaluate(root, seed=SEED),
}
"""What each name of `--only` scores, given the folder of recordings."""


def main() -> int:
    """Runs the evaluations; 0 when everything that could be scored is as good as it has to be."""
    parser = argparse.ArgumentParser(prog="accuracy", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument(
        "--only", action="append", choices=sorted(_EVALUATIONS), help="score this; may be repeated"
    )
    chosen = parser.parse_args()
    rows: list[_Row] = []
    for name, evaluate in _EVALUATIONS.items():
        if name not in (chosen.only or _EVALUATIONS):
            continue
        found = _scored(name, evaluate)
        rows += found
        if not chosen.json:
            print("\n".join(map(str, found)), flush=True)
    if chosen.json:
        print(json.dumps([_document(row) for row in rows]))
    return 0 if all(isinstance(row, Skipped) or row.met for row in rows) else 1


def _scored(name: str, evaluate: Callable[[Path], Sequence[_Row]]) -> Sequence[_Row]:
    try:
        return evaluate(data_root())
    except FileNotFoundError as error:
        return [
            Skipped(
                name, f"there is no {error.filename}: set M2S_DATA to the folder that holds the recordings"
            )
        ]


def _document(row: _Row) -> dict[str, object]:
    return asdict(row) | ({} if isinstance(row, Skipped) else {"met": row.met})


if __name__ == "__main__":
    sys.exit(main())
