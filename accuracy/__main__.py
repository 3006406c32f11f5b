"""Prints how accurate m2s is beside baselines and targets; `--json` prints one JSON list, `--only NAME` scores some."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from accuracy import (
    departments,
    doorway,
    library_cells,
    nearest_beacon,
    phone_distance,
    real_stays,
    simulated,
)
from accuracy.aimed import Aimed
from accuracy.recordings import data_root
from accuracy.scored import Compared, Skipped

SEED = 20261102
_Row = Compared | Aimed | Skipped

_RECORDED: dict[str, Callable[[Path], Sequence[_Row]]] = {
    "doorway": lambda root: doorway.evaluate(root, seed=SEED),
    "cells": lambda root: library_cells.evaluate(root, seed=SEED),
    "nearest": lambda root: nearest_beacon.evaluate(root, seed=SEED),
    "distance": lambda root: phone_distance.evaluate(root, seed=SEED),
    "stays": lambda root: real_stays.evaluate(root, seed=SEED),
}
"""What each name of `--only` scores, given the folder of recordings."""

_DEPARTMENTS, _SIMULATED = "departments", "simulated"
_NAMES = (*_RECORDED, _DEPARTMENTS, _SIMULATED)


def main() -> int:
    """Runs the evaluations; 0 when everything that could be scored is as good as it has to be."""
    parser = argparse.ArgumentParser(prog="accuracy", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--only", action="append", choices=_NAMES, help="score this; may be repeated")
    parser.add_argument(
        "--without", action="append", choices=_NAMES, default=[], help="leave this out; may be repeated"
    )
    parser.add_argument(
        "--person-days",
        type=_person_days,
        default=simulated.PERSON_DAYS,
        help="how many days of persons to simulate at least (default: %(default)s)",
    )
    chosen = parser.parse_args()
    rows: list[_Row] = []
    for name in _NAMES:
        if name not in (chosen.only or _NAMES) or name in chosen.without:
            continue
        found = _scored(name, person_days=chosen.person_days)
        rows += found
        if not chosen.json:
            print("\n".join(map(str, found)), flush=True)
    if chosen.json:
        print(json.dumps([_document(row) for row in rows]))
    return 0 if all(isinstance(row, Skipped) or row.met for row in rows) else 1


def _person_days(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days: write one from 1 up, as 20000")
    return int(text)


def _scored(name: str, *, person_days: int) -> Sequence[_Row]:
    if name == _DEPARTMENTS:
        return departments.evaluate(seed=SEED)
    if name == _SIMULATED:
        return simulated.evaluate(person_days=person_days, seed=SEED)
    try:
        return _RECORDED[name](data_root())
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
