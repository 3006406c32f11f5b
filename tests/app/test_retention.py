"""Is what is too old dropped, between groups, and nothing that is still needed?"""

from __future__ import annotations

from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.app import retention as module
from m2s.app.retention import Dropped, Retention, evidence_kept_since
from m2s.app.sighting import Answer
from m2s.app.upkeep import Piece
from m2s.core.base.errors import Invalid
from m2s.entry.cli.configuration import load_settings
from tests.app.town import MORNING, Town, fix
from tests.app.world import MORNING as FIRST
from tests.app.world import PORT, World

DAY = timedelta(days=1)


def stay(town: Town, device: str, name: str) -> None:
    """A visit of 6 minutes that ends now."""
    town.post(device, fix(f"{name}1", age_s=360), fix(f"{name}2", age_s=60), fix(f"{name}3"))


def test_positions_go_after_a_week_evidence_after_13_months_and_visits_stay(town: Town) -> None:
    town.furnish()
    ann = town.device("ann")
    stay(town, ann, "first")
    town.wait(days=1)
    first = town.visits()
    assert [row.kind for row in first] == ["visit"]
    town.wait(days=6)
    assert (town.count("sightings"), town.count("evidence")) == (3, 9)
    town.wait(seconds=61)
    assert (town.count("sightings"), town.count("evidence")) == (0, 9)
    stay(town, ann, "second")
    town.wait(days=389, minutes=-8)
    assert (town.count("sightings"), town.count("evidence")) == (0, 18)
    town.wait(minutes=10)
    assert town.count("evidence") == 9
    assert town.visits()[0] == first[0]
    with town.engine.database.read() as records:
        since = evidence_kept_since(records)
    assert since is not None
    assert MORNING < since <= town.clock.now() - timedelta(days=396)


def test_a_repeat_is_known_after_retention_and_a_restart(town: Town) -> None:
    town.furnish()
    ann = town.device("ann")
    stay(town, ann, "first")
    town.wait(hours=71)
    town.engine.retention.run(town.clock.now())
    town.restart()
    answer = town.post(ann, fix("first3", age_s=71 * 3600))
    assert (answer.accepted, answer.duplicates) == (0, 1)


def test_late_evidence_leaves_a_stay_alone_whose_evidence_is_gone(town: Town) -> None:
    town.furnish()
    ann = town.device("ann")
    stay(town, ann, "first")
    town.wait(hours=1)
    before = town.visits()
    town.wait(days=396)
    assert town.count("evidence") == 0
    answer = town.post(ann, fix("late1", age_s=72 * 3600), fix("late2", age_s=72 * 3600 - 400))
    assert answer.accepted == 2
    assert town.visits()[0] == before[0]
    assert len(town.visits()) == 2


def test_what_waits_is_committed_between_two_pieces(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIGHTINGS_PIECE", 2)
    town.furnish()
    ann, bob = town.device("ann"), town.device("bob")
    town.post(ann, *(fix(f"s{n}", "near") for n in range(10)))
    town.clock.advance(8 * DAY)
    kept: list[int] = []
    futures: list[Future[Answer]] = []
    real = town.engine.database.write

    class Asked:
        """The database, before each of whose writes a request comes in."""

        def write(self, work: Any) -> Any:
            done = real(work)
            if isinstance(done, Piece):
                assert all(future.done() for future in futures)
                batch = town.batch(bob, fix(f"b{len(futures)}", "near"))
                futures.append(town.engine.submit(batch))
                kept.append(done.dropped)
            return done

    retention = Retention(
        Asked(),  # type: ignore[arg-type]
        town.clock,
        sightings_kept=7 * DAY,
        evidence_kept=396 * DAY,
    )
    dropped = retention.run(town.clock.now())
    assert kept[:5] == [2, 2, 2, 2, 2]
    assert [future.result(timeout=30).accepted for future in futures] == [1] * len(futures)
    assert dropped == Dropped(10, 0, 0, finished=True)
    seqs = town.rows("SELECT sighting_id FROM sightings ORDER BY seq")
    assert seqs == [(f"b{n}",) for n in range(len(futures))]


def test_a_run_that_is_stopped_ends_after_its_piece_and_says_that_there_is_more(town: Town) -> None:
    town.furnish()
    town.post(town.device("ann"), fix("s0", "near"))
    town.clock.advance(8 * DAY)
    town.engine.retention.stop()
    assert town.engine.retention.run(town.clock.now()) == Dropped(0, 0, 0, finished=False)
    assert town.count("sightings") == 1


def test_the_floor_of_evidence_never_goes_back(world: World) -> None:
    shopper = world.shopper("ann")
    world.seen(shopper, PORT, FIRST)
    floors = []
    for kept_days in (60, 90):
        world.seen(shopper, PORT, FIRST)
        retention = Retention(
            world.database, world.clock, sightings_kept=DAY, evidence_kept=timedelta(days=kept_days)
        )
        assert retention.run(FIRST + timedelta(days=100)).evidence > 0
        with world.database.read() as records:
            floors.append(evidence_kept_since(records))
    assert floors == [FIRST + timedelta(days=40)] * 2


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("sightings_kept_days = 3", "4 or more"),
        ("sightings_kept_days = 31", "30 or less"),
        ("evidence_kept_days = 59", "60 or more"),
        ("evidence_kept_days = true", "no numbers"),
    ],
)
def test_positions_outlive_the_repeats_and_evidence_all_that_can_still_change(
    tmp_path: Path, setting: str, words: str
) -> None:
    file = tmp_path / "m2s.toml"
    file.write_text(f"{setting}\n", encoding="utf-8")
    with pytest.raises(Invalid, match=words):
        load_settings(file)
