"""Is a sighting that cannot be processed kept with its cause, and taken when the cause is gone?"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from m2s.app import retention
from m2s.app.dead_letters import MOST_LETTERS
from m2s.app.sighting import Batch, Geofence
from m2s.core.base.errors import Conflict, NotFound
from m2s.core.base.instants import to_ms
from tests.app.town import HARBOUR, Town, campaign, fence, fix
from tests.changed import replace

OFFER = campaign("c", "o: {enter: premises}|fresh: 5m")


class Flawed(dict[tuple[str, str], object]):
    """Zones of a catalog in which one cannot be looked up."""

    def __contains__(self, zone: object) -> bool:
        if zone == (HARBOUR, "vicinity"):
            raise ZeroDivisionError("the vicinity is broken")
        return super().__contains__(zone)


@pytest.fixture
def broken(town: Town) -> Town:
    """A town whose catalog breaks over fence events of the vicinity until it is mended."""
    town.furnish(OFFER)
    whole = town.engine.catalog()
    town.engine._in_force._catalog = replace(whole, rules=Flawed(whole.rules))  # type: ignore[arg-type]
    return town


def mend(town: Town) -> None:
    """Puts the catalog in force that is published."""
    town.engine._in_force._catalog = town.engine._in_force._read({}, None)


def poison(name: str = "bad") -> Geofence:
    return fence(name, "enter", zone="vicinity", age_s=30)


def test_the_cause_is_kept_and_neighbours_are_answered_as_if_nothing_happened(broken: Town) -> None:
    ann, bob = broken.device("ann"), broken.device("bob")
    first, second = broken.together(
        [
            broken.batch(ann, fix("a0", age_s=360), poison(), fix("a1")),
            broken.batch(bob, fix("b0", age_s=360), fix("b1")),
        ]
    )
    assert (first.accepted, [(one.index, one.id, one.code) for one in first.rejected]) == (
        2,
        [(1, "bad", "unprocessable")],
    )
    assert (second.accepted, second.rejected) == (2, [])
    told = [sorted(event["type"] for event in answer.events) for answer in (first, second)]
    assert told == [["offer.decided", "visit.started"]] * 2
    (letter,) = broken.engine.dead_letters.list()
    assert (letter.kind, letter.device_id, letter.tries) == ("sighting", ann, 1)
    assert letter.cause == "ZeroDivisionError: the vicinity is broken"
    assert json.loads(letter.body)["region_ids"] == [f"{HARBOUR}/vicinity"]
    assert "m2s_dead_letters_total 1.0" in broken.engine.metrics.render().decode()


def test_a_letter_survives_the_end_of_the_process(broken: Town) -> None:
    broken.post(broken.device("ann"), poison())
    (letter,) = broken.engine.dead_letters.list()
    broken.restart()
    assert broken.engine.dead_letters.list() == [letter]


def test_a_replay_takes_it_as_of_its_first_receipt_and_sends_nothing_late(broken: Town) -> None:
    ann = broken.device("ann")
    received = broken.clock.now()
    broken.post(ann, poison())
    (letter,) = broken.engine.dead_letters.list()
    mend(broken)
    broken.wait(hours=80)
    assert broken.engine.replay(letter.id).verdict == "accepted"
    assert broken.engine.dead_letters.list() == []
    at_ms = to_ms(received) - 30_000
    assert broken.rows("SELECT sighting_id, at_ms, received_at_ms FROM sightings") == [
        ("bad", at_ms, to_ms(received))
    ]
    assert broken.rows("SELECT zone_id, at_ms FROM evidence") == [("vicinity", at_ms)]
    assert broken.count("messages") == 0


def test_what_fails_again_stays_with_one_more_try(broken: Town) -> None:
    ann = broken.device("ann")
    broken.post(ann, poison())
    (letter,) = broken.engine.dead_letters.list()
    broken.clock.advance(timedelta(hours=1))
    with pytest.raises(Conflict, match="could not be processed again: ZeroDivisionError"):
        broken.engine.replay(letter.id)
    assert broken.engine.dead_letters.list() == [replace(letter, tries=2, at=broken.clock.now())]
    broken.post(ann, poison())
    assert [row.tries for row in broken.engine.dead_letters.list()] == [3]


def test_what_came_in_meanwhile_is_a_duplicate_and_the_letter_goes(broken: Town) -> None:
    ann = broken.device("ann")
    broken.post(ann, poison())
    (letter,) = broken.engine.dead_letters.list()
    mend(broken)
    assert broken.post(ann, poison()).accepted == 1
    assert broken.engine.replay(letter.id).verdict == "duplicate"
    assert (broken.engine.dead_letters.list(), broken.count("sightings")) == ([], 1)


def test_a_desk_without_a_service_replays_too(broken: Town) -> None:
    broken.post(broken.device("ann"), poison())
    (letter,) = broken.engine.dead_letters.list()
    mend(broken)
    assert super(type(broken.engine), broken.engine).replay(letter.id).verdict == "accepted"
    assert broken.engine.dead_letters.list() == []


def test_a_text_that_cannot_be_written_can_be_kept_and_told(town: Town) -> None:
    town.furnish()
    ann = town.device("ann")
    town.post(ann, fix("lone \ud800"), fix("good"))
    (letter,) = town.engine.dead_letters.list()
    assert letter.cause.startswith("UnicodeEncodeError: ")
    assert json.loads(letter.body)["id"] == "lone \ud800"
    with pytest.raises(Conflict, match="UnicodeEncodeError"):
        town.engine.replay(letter.id)


def test_a_sighting_of_the_back_end_is_a_letter_of_its_device(broken: Town) -> None:
    ann = broken.device("ann")
    batch = broken.batch(ann, fence("bad", "enter", zone="vicinity", device_id=ann))
    from_server = Batch(None, batch.shoppers, batch.received_at_ms, batch.sent_at_ms, batch.items, [])
    assert [one.code for one in broken.together([from_server])[0].rejected] == ["unprocessable"]
    (letter,) = broken.engine.dead_letters.list()
    assert letter.device_id == ann
    mend(broken)
    assert broken.engine.replay(letter.id).verdict == "accepted"


def test_letters_are_no_older_than_the_positions_in_them_may_be(broken: Town) -> None:
    broken.post(broken.device("ann"), poison())
    broken.wait(days=7)
    assert len(broken.engine.dead_letters.list()) == 1
    broken.wait(seconds=61)
    assert broken.engine.dead_letters.list() == []


def test_a_dropped_letter_is_gone(broken: Town) -> None:
    broken.post(broken.device("ann"), poison("one"), poison("two"))
    first, second = broken.engine.dead_letters.list()
    broken.engine.dead_letters.drop(first.id)
    assert broken.engine.dead_letters.list() == [second]
    for gone in (broken.engine.dead_letters.drop, broken.engine.replay):
        with pytest.raises(NotFound, match="no dead letter"):
            gone(first.id)
    assert MOST_LETTERS == 10_000


def test_times_out_of_range_are_counted_by_their_side(town: Town) -> None:
    town.furnish()
    now = town.clock.now()
    answer = town.post(
        town.device("ann"),
        fix("old", age_s=73 * 3600),
        fix("older", age_s=80 * 3600),
        fix("new", age_ms=None, at=now + timedelta(minutes=6)),
    )
    assert [one.detail for one in answer.rejected] == [
        "happened more than 72 hours ago",
        "happened more than 72 hours ago",
        "happened more than 5 minutes in the future",
    ]
    text = town.engine.metrics.render().decode()
    assert 'm2s_sightings_out_of_range_total{reason="too_old"} 2.0' in text
    assert 'm2s_sightings_out_of_range_total{reason="too_new"} 1.0' in text


def test_a_position_that_was_set_aside_and_replayed_goes_a_week_after_it_came(
    broken: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_SIGHTINGS_PIECE", 2)
    ann, bob = broken.device("ann"), broken.device("bob")
    broken.post(ann, poison())
    (letter,) = broken.engine.dead_letters.list()
    mend(broken)
    broken.wait(days=6)
    broken.post(bob, *(fix(f"b{n}", "near") for n in range(4)))
    broken.wait(hours=20)
    broken.engine.replay(letter.id)
    kept = "SELECT count(*) FROM sightings WHERE device_id = 'dev_ann'"
    assert broken.rows(kept) == [(1,)]
    broken.wait(hours=5, minutes=1)
    assert broken.rows(kept) == [(0,)]
    assert broken.count("sightings") == 4
