"""Is anything lost or doubled when the server is killed at any moment, again and again, under load?"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from tests.faults.clients import crowd
from tests.faults.process import Process
from tests.faults.reckoning import check_all, check_integrity
from tests.faults.site import furnish
from tests.faults.size import times

KILLS = 25
CHECKED_EVERY = times(6, nightly=1)


@pytest.mark.parametrize("seed", range(times(1, nightly=20)))
def test_nothing_acknowledged_is_lost_however_often_it_is_killed(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    site = furnish(tmp_path, seed=seed)
    with crowd(site, seed=seed) as clients:
        for kill in range(KILLS):
            with Process(site) as server:
                server.wait_until_listening()
                clients.up.set()
                time.sleep(rng.uniform(0.1, 0.6))
                clients.up.clear()
                server.kill()
            if kill % CHECKED_EVERY == 0:
                check_integrity(site.database)
        with Process(site) as server:
            server.wait_until_listening()
            clients.up.set()
            clients.finish()
            server.terminate()
    found = check_all(site, clients.phones, clients.tills)
    print(f"{KILLS} kills: {found}; {sum(line.broken for line in clients.lines)} requests cut off")
    assert set(clients.statuses) <= {200, 201, 409, 503}
    assert sum(line.broken for line in clients.lines) >= KILLS, "the kills met no request"
