"""Does a server that is told to stop under load drain in time, end well, and lose nothing that it acknowledged?"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from tests.faults.clients import crowd
from tests.faults.process import Process
from tests.faults.reckoning import check_all
from tests.faults.site import furnish
from tests.faults.size import times

STOPS = times(5, nightly=50)
LONGEST_DRAIN_S = 10.0


def test_told_to_stop_under_load_it_drains_and_its_clients_see_nothing_worse_than_503(tmp_path: Path) -> None:
    rng = Random(1)
    site = furnish(tmp_path, seed=1)
    drains_s = []
    with crowd(site, seed=1) as clients:
        for _ in range(STOPS):
            with Process(site) as server:
                server.wait_until_listening()
                clients.up.set()
                time.sleep(rng.uniform(0.1, 0.6))
                drains_s.append(server.terminate())
                clients.up.clear()
        with Process(site) as server:
            server.wait_until_listening()
            clients.up.set()
            clients.finish()
            server.terminate()
    found = check_all(site, clients.phones, clients.tills)
    print(f"{STOPS} stops, drained within {max(drains_s):.2f} s at most: {found}; {dict(clients.statuses)}")
    assert max(drains_s) <= LONGEST_DRAIN_S
    assert set(clients.statuses) <= {200, 201, 409, 503}
    assert sum(client.duplicates for client in clients.phones) == 0, "what was committed was not answered"
    assert "level=error" not in (tmp_path / "server.log").read_text(encoding="utf-8")
