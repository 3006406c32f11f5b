"""Is anything lost or doubled when the process dies at the worst moments there are?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from m2s.app.ports import Records
from m2s.app.rows import ConsentRow
from tests.app.town import Town, fix, open_town
from tests.data import ROOT
from tests.faults.clients import crowd
from tests.faults.process import SERVE, Process
from tests.faults.reckoning import check_all, check_integrity
from tests.faults.site import furnish
from tests.faults.size import times

KILLS = times(2, nightly=20)
SHOPPERS = 10 * (KILLS + 1)
"""One kill comes after nine messages at most."""
CAMPAIGN = """
campaign: doors
name: Doors
stores: {all: true}
holdout: 0%
offers:
  - offer: welcome
    trigger: {enter: premises}
    channels: [push, sms]
    valid_for: 8h
    message:
      push: {body: {en: "Welcome to {store_name}"}}
      sms: {en: "Welcome to {store_name}. STOP {stop_number}"}
"""


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


@pytest.mark.parametrize(
    "point", ["Deliver.run_once committed", "sending", "accepted", "Deliver._finish committed"]
)
def test_an_sms_whose_worker_died_is_never_sent_twice_and_nothing_else_waits_for_ever(
    tmp_path: Path, point: str
) -> None:
    rng, ledger = Random(point), tmp_path / "provider"
    ledger.touch()
    town = open_town(tmp_path)
    try:
        plan(town)
    finally:
        town.engine.stop()
    for _ in range(KILLS):
        nth = 2 if point == "Deliver.run_once committed" else rng.randint(2, 9)
        assert deliver(town, point, nth, ledger=ledger) == -9
        check_integrity(town.path)
    assert deliver(town, "none", 1, ledger=ledger) == 0

    accepted = Counter(ledger.read_text(encoding="utf-8").split())
    messages = town.rows("SELECT id, channel, state, lost FROM messages")
    in_doubt = {row[0] for row in messages if row[3]}
    died_in_a_call = point in ("sending", "accepted")
    assert len(messages) == SHOPPERS
    assert {row[1] for row in messages} == {"push", "sms"}
    assert len(in_doubt) == (KILLS if died_in_a_call else 0)
    for message_id, channel, state, _ in messages:
        final = message_id in in_doubt and channel == "sms"
        assert state == ("unknown" if final else "accepted")
        if message_id not in in_doubt:
            assert accepted[message_id] == 1
        elif channel == "sms":
            assert accepted[message_id] == (1 if point == "accepted" else 0)
        else:
            # The phone shows a repeated push once, by the message's id.
            assert accepted[message_id] == (2 if point == "accepted" else 1)


def plan(town: Town) -> None:
    """Makes one message each for shoppers who come in, by push and by SMS in turn."""
    town.furnish(CAMPAIGN)
    for number in range(SHOPPERS):
        device_id = town.device(str(number))
        if number % 2:
            by_sms(town, device_id, f"shp_{number}", phone=f"+336{number:08}")
        assert town.post(device_id, fix("1"), fix("2")).accepted == 2
    assert town.count("messages") == SHOPPERS


def by_sms(town: Town, device_id: str, shopper_id: str, *, phone: str) -> None:
    """Lets a shopper be reached by SMS only."""
    now = town.clock.now()
    said = [
        ConsentRow("marketing", "push", False, "v1", now),
        ConsentRow("marketing", "sms", True, "v1", now),
    ]

    def work(records: Records) -> None:
        device = records.devices.device(device_id)
        assert device is not None
        records.devices.set_phone(shopper_id, phone, country="FR")
        records.devices.add_consents(device, said, received_at=now)

    town.engine.database.write(work)


def deliver(town: Town, point: str, nth: int, *, ledger: Path) -> int:
    """The exit code of a worker that dies at a point; -9 when it came to it."""
    now = town.clock.now().isoformat()
    script = ["-m", "tests.faults.killed", "deliver", str(town.path), point, str(nth), str(ledger), now]
    return subprocess.run(
        [sys.executable, *script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
        stdout=subprocess.DEVNULL,
    ).returncode
