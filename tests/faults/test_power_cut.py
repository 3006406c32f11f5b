"""Does a power cut, at whatever write or sync, leave all that was answered, and nothing that is half applied?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.storage.migrate import upgrade
from m2s.app.rows import KeyRow
from m2s.app.sighting import Batch
from tests.app.town import HARBOUR, MORNING, ROCK, Town, campaign, fix, heard
from tests.data import ROOT
from tests.faults.size import times

OFFERS = campaign(
    "c", "warm: {enter: premises}|valid_for: 45m|coupon: {value: 1.00 EUR, min_basket: 5.00 EUR, expires: 1d}"
)
DEVICES, ROUNDS = 12, times(40, nightly=60)
MAIN = "m2s.sqlite3"
LEDGER = "SELECT device_id, sighting_id FROM sightings ORDER BY 1, 2"
EVIDENCE = """
    SELECT device_id, sighting_id, store_id, zone_id, at_ms, inside_probability FROM evidence ORDER BY 1, 2, 3, 4
"""


@dataclass
class Recording:
    """What the storage layer told SQLite on each connection that writes, and what was asked of the service."""

    connections: list[list[str]]
    batches: list[Batch] = field(default_factory=list)
    ledger: list[tuple[Any, ...]] = field(default_factory=list)
    evidence: list[tuple[Any, ...]] = field(default_factory=list)


@contextmanager
def listened() -> Iterator[list[list[str]]]:
    """Every statement with its values, by connection in the order of their opening."""
    heard_: list[list[str]] = []

    def on_connect(connection: Any, _record: object) -> None:
        statements: list[str] = []
        heard_.append(statements)
        connection.set_trace_callback(statements.append)

    # Listeners of the class are asked before those of an engine, which set the PRAGMAs.
    sa.event.listen(sa.Pool, "connect", on_connect)
    try:
        yield heard_
    finally:
        sa.event.remove(sa.Pool, "connect", on_connect)


def live_through(town: Town) -> list[Batch]:
    """Shoppers come in groups, are offered something, are sent it, and one redeems; silence closes the visits."""
    town.furnish(OFFERS)
    devices = [town.device(f"d{number}") for number in range(DEVICES)]
    batches: list[Batch] = []
    for turn in range(ROUNDS):
        shop = (HARBOUR, ROCK)[turn // 5 % 2]
        group = [
            town.batch(
                one,
                fix(f"f{turn}", shop=shop, age_s=5),
                heard(f"h{turn}", shop=shop),
                fix(f"v{turn}", "near"),
            )
            for one in devices[turn % 3 :]
        ]
        batches += group
        town.together(group)
        town.wait(seconds=20)
        if turn == 2:
            redeem_one(town)
    town.wait(hours=1)
    batches.append(town.batch(devices[0], fix("last")))
    town.together(batches[-1:])
    return batches


def redeem_one(town: Town) -> None:
    (code,) = town.rows("SELECT code FROM coupons ORDER BY code LIMIT 1")[0]
    town.engine.redeem.redeem(
        KeyRow("key_till", "till", HARBOUR, town.clock.now(), None),
        code,
        store_id=HARBOUR,
        basket_id="b-1",
        amount=Decimal("12.50"),
        currency="EUR",
        idempotency_key="once",
        body_hash=b"body",
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("recorded") / MAIN
    with listened() as connections:
        upgrade(f"sqlite:///{path}")
        town = Town(path, SteppedClock(MORNING), {"universal_holdout": 0.0})
        try:
            batches = live_through(town)
            for table in (
                "sightings",
                "evidence",
                "visits",
                "presence",
                "decisions",
                "messages",
                "redemptions",
            ):
                assert town.count(table) > 0, f"nothing was recorded in {table}"
            found = Recording([], batches, town.rows(LEDGER), town.rows(EVIDENCE))
        finally:
            town.engine.stop()
    found.connections = [
        each for each in connections if "BEGIN IMMEDIATE" in each or "PRAGMA synchronous=FULL" in each
    ]
    return found


def cut(
    recording: Recording, folder: Path, *, every: int, seeds: int, instead: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """What the cuts of a replay found; `instead` replaces one PRAGMA by another."""
    connections = [
        [instead[1] if text == instead[0] else text for text in statements]
        for statements in recording.connections
    ]
    assert connections != recording.connections or not instead[0], f"{instead[0]} is not run"
    asked = {"connections": connections, "folder": str(folder), "every": every, "seeds": seeds}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.power_cut"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=times(120, nightly=1_800),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    print(
        instead[1] or "as the service runs", {name: told for name, told in found.items() if name != "flaws"}
    )
    return found


@pytest.fixture(scope="module")
def cuts(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Every cut of the service's own statements, and where some of what they left is."""
    folder = tmp_path_factory.mktemp("cut")
    found = cut(recording, folder, every=times(5, nightly=1), seeds=times(1, nightly=3))
    return found, folder / "kept"


def test_no_cut_loses_what_was_answered_or_leaves_a_half(cuts: tuple[dict[str, Any], Path]) -> None:
    found, _ = cuts
    assert found["flaws"] == []
    assert (found["lost_cuts"], found["most_lost"], found["half_applied"]) == (0, 0, 0)
    # At the switch to the log, at the close of the connection that made the tables, when the log was full, at the end.
    assert found["written_back"] >= 4
    assert found["commits"] > 2 * ROUNDS
    assert found["torn"] > found["writes"] / 8


def test_without_the_sync_of_each_commit_what_was_answered_is_lost(
    recording: Recording, tmp_path: Path
) -> None:
    found = cut(
        recording,
        tmp_path,
        every=101,
        seeds=1,
        instead=("PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"),
    )
    assert found["flaws"] == []
    assert found["half_applied"] == 0
    assert found["most_lost"] > ROUNDS


def test_without_a_log_on_disk_a_half_is_left(recording: Recording, tmp_path: Path) -> None:
    found = cut(
        recording,
        tmp_path,
        every=31,
        seeds=1,
        instead=("PRAGMA journal_mode=WAL", "PRAGMA journal_mode=MEMORY"),
    )
    assert found["half_applied"] > 0
    assert found["flaws"] != []


def test_the_service_goes_on_from_what_a_cut_left(
    recording: Recording, cuts: tuple[dict[str, Any], Path]
) -> None:
    _, kept = cuts
    images = sorted(kept.iterdir(), key=lambda folder: int(folder.name))
    found: list[int] = []
    for image in images:
        upgrade(f"sqlite:///{image / MAIN}")
        town = Town(image / MAIN, SteppedClock(MORNING + timedelta(hours=3)), {"universal_holdout": 0.0})
        try:
            if town.count("devices") < DEVICES:
                continue
            found.append(town.count("sightings"))
            town.furnish(OFFERS)
            answers = [town.engine.submit(batch) for batch in recording.batches]
            again = sum(answer.result(timeout=30).duplicates for answer in answers)
            assert again == found[-1]
            assert town.rows(LEDGER) == recording.ledger
            assert town.rows(EVIDENCE) == recording.evidence
        finally:
            town.engine.stop()
    assert len(found) > 8
    assert found == sorted(set(found))
