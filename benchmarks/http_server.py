"""The product's own server in a process of its own: `python -m benchmarks.http_server DATABASE GROUP_WEIGHT`.

Prints its port, then for every line on its standard input the CPU seconds that it has used; ends with its input.
"""

import os
import signal
import sys
import threading
import time

from m2s.adapters.storage.database import SqlDatabase
from m2s.bootstrap import Engine, World
from m2s.entry.cli.server import Server
from m2s.settings import Settings


def main() -> None:
    """Serves until the standard input ends."""
    settings = Settings(database_url=f"sqlite:///{sys.argv[1]}")
    database = SqlDatabase(settings.database_url, group_weight=int(sys.argv[2]))
    engine = Engine(settings, database, world=World.real())
    server = Server(engine, heartbeat=False)

    def answer() -> None:
        print(server.url.rpartition(":")[2], flush=True)
        for _ in sys.stdin:
            print(time.process_time(), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def listening() -> None:
        engine.settle()
        threading.Thread(target=answer, daemon=True).start()

    server.run(listening)


if __name__ == "__main__":
    main()
