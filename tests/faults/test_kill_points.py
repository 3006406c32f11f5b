"""Is anything lost or doubled when the process dies at the worst moments there are?"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.faults.clients import crowd
from tests.faults.process import SERVE, Process
from tests.faults.reckoning import check_all, check_integrity
from tests.faults.site import furnish
from tests.faults.size import times

KILLS = times(2, nightly=20)


@pytest.mark.parametrize(
    "point", ["group worked", "group committed", "Redeem.redeem worked", "Redeem.redeem committed"]
)
def test_a_request_whose_server_died_is_repeated_and_counts_once(tmp_path: Path, point: str) -> None:
    rng = Random(point)
    site = furnish(tmp_path, seed=1)
    with crowd(site, seed=1) as clients:
        for _ in range(KILLS):
            doomed = ["-m", "tests.faults.killed", "serve", str(site.database), str(site.port), point]
            with Process(site, [*doomed, str(rng.randint(1, 15))]) as server:
                server.wait_until_listening()
                clients.up.set()
                assert server.wait() == -9
                clients.up.clear()
            check_integrity(site.database)
        with Process(site, SERVE) as server:
            server.wait_until_listening()
            clients.up.set()
            clients.finish()
            server.terminate()
    print(f"{KILLS} kills at {point!r}: {check_all(site, clients.phones, clients.tills)}")
    again = sum(client.duplicates for client in clients.phones)
    assert again > 0 or point != "group committed", "nothing was repeated that had been kept"
