"""Prints the benchmark's rows, as a table or with `--json` as one JSON list."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.http_load import singles
from benchmarks.in_process import whole_job
from benchmarks.measured import Row
from benchmarks.workload import Mix

SEED = 20261102


def main() -> int:
    """Runs every row; 0 when all goals are met."""
    with tempfile.TemporaryDirectory(prefix="m2s-bench-") as folder:
        rows = [
            whole_job(Path(folder, "hundreds"), seed=SEED, mix=Mix(), size=100),
            whole_job(Path(folder, "twenties"), seed=SEED, mix=Mix(), size=20),
            whole_job(Path(folder, "scattered"), seed=SEED, mix=Mix(together=False), size=20),
            singles(Path(folder), seed=SEED),
        ]
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(row) | {"met": row.met} for row in rows]))
    else:
        for row in rows:
            print(_line(row))
    return 0 if all(row.met for row in rows) else 1


def _line(row: Row) -> str:
    low, high = row.spread
    goal = f"goal {row.goal:.2f} {'met' if row.met else 'MISSED'}"
    return (
        f"{row.name}: {row.ratio:.2f} of {row.floor:,.0f} (rounds {low:.2f} to {high:.2f}, {goal});"
        f" {row.value:,.0f} {row.unit}, {row.wall:,.0f} a second of wall time,"
        f" {row.cpu_us[0]:.1f} µs of CPU each against {row.cpu_us[1]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
