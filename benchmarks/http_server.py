"""The product's own server in a process of its own: `python -m benchmarks.http_server DATABASE GROUP_WEIGHT JOB`.

JOB is `whole`, or `rows` for the same server that neither matches nor decides. Prints its port, then for every line
on its standard input the CPU seconds that it has used and its resident MB; ends with its input.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from benchmarks.daytime import daytime
from benchmarks.floor import row_of
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.groups import GroupResult
from m2s.app.intake import Intake
from m2s.app.ports import Records
from m2s.app.sighting import Answer, Batch
from m2s.bootstrap import Engine
from m2s.entry.cli.server import Server
from m2s.settings import Settings

_PAGES_A_MB = 1024 * 1024 / os.sysconf("SC_PAGE_SIZE")


class _RowsAlone(Intake):
    """Keeps what did not come before, and no more."""

    def process(self, records: Records, items: Sequence[Batch]) -> GroupResult[Answer]:
        rows = [
            row_of(item.device_id or "", sighting, item.received_at_ms)
            for item in items
            for _, sighting in item.items
        ]
        keys = self._seen.keys([str(row[0]) for row in rows], [str(row[1]) for row in rows])
        if self._seen.repeated(keys).any():
            raise RuntimeError("the benchmark never repeats a sighting")
        records.sightings.add_sightings(rows)
        answers = [Answer(len(item.items), 0, 0, item.rejected, []) for item in items]
        received_at_ms = items[-1].received_at_ms
        return GroupResult(answers, lambda: self._seen.add(keys, received_at_ms=received_at_ms))


def main() -> None:
    """Serves until the standard input ends."""
    if hasattr(os, "sched_setaffinity"):
        # Before any other thread starts: each inherits it.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    path, group_weight, job = sys.argv[1:]
    settings = Settings(database_url=f"sqlite:///{path}")
    database = SqlDatabase(settings.database_url, group_weight=int(group_weight))
    engine = Engine(settings, database, world=daytime())
    if job == "rows":
        # All but `process` stays as the engine made it.
        engine.intake.__class__ = _RowsAlone
    server = Server(engine, heartbeat=False)

    def answer() -> None:
        print(server.url.rpartition(":")[2], flush=True)
        for _ in sys.stdin:
            print(time.process_time(), _resident_mb(), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def listening() -> None:
        engine.settle()
        threading.Thread(target=answer, daemon=True).start()

    server.run(listening)


def _resident_mb() -> float:
    with open("/proc/self/statm") as statm:  # noqa: PTH123  a file of the kernel
        return int(statm.read().split()[1]) / _PAGES_A_MB


if __name__ == "__main__":
    main()
