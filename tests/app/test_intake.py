"""What does the engine do with requests: is every item accounted for, and is what failed as if never sent?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.app.groups import GroupResult
from m2s.app.intake import Intake
from m2s.app.matching import CLOCK_TRUSTED
from m2s.app.ports import Records
from m2s.app.sighting import Answer, Batch, Rejected, Sighting
from tests.app.town import HARBOUR, ROCK, SPOTS, Town, campaign, fence, fix, heard, open_town

DAY_S = 86_400
OFFER = campaign("c", "o: {enter: premises}|coupon: {value: 1.00 EUR, expires: 2d}")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town for examples that use devices of their own."""
    found = open_town(tmp_path_factory.mktemp("town"))
    found.furnish()
    yield found
    found.engine.stop()


names = st.sampled_from([f"s{n}" for n in range(6)])
ages_s = st.sampled_from([0, 5, 600, 3 * DAY_S, 3 * DAY_S + 1, 40 * DAY_S])
shops = st.sampled_from([HARBOUR, ROCK])
mixed: st.SearchStrategy[Sighting] = st.one_of(
    st.builds(fix, names, st.sampled_from(list(SPOTS)), shop=shops, age_s=ages_s),
    st.builds(
        fence,
        names,
        st.sampled_from(["enter", "exit", "dwell"]),
        shop=st.sampled_from([HARBOUR, "gone"]),
        zone=st.sampled_from(["premises", "vicinity", "gone"]),
        age_s=ages_s,
    ),
    st.builds(heard, names, shop=shops, age_s=ages_s, minor=st.sampled_from([1, 2])),
    st.builds(fix, names, age_ms=st.none()),
)
numbers = itertools.count()


@given(st.lists(st.lists(mixed, max_size=8), min_size=1, max_size=4), st.booleans())
def test_every_item_is_accounted_for(shared: Town, requests: list[list[Sighting]], at_once: bool) -> None:
    device = shared.device(f"d{next(numbers)}")
    before = shared.count("sightings")
    batches = [shared.batch(device, *items) for items in requests]
    groups = [batches] if at_once else [[batch] for batch in batches]
    answers = [answer for group in groups for answer in shared.together(group)]
    for answer, items in zip(answers, requests, strict=True):
        assert answer.accepted + answer.away + answer.duplicates + len(answer.rejected) == len(items)
        assert [one.id for one in answer.rejected] == [items[one.index].id for one in answer.rejected]
    accepted = sum(answer.accepted for answer in answers)
    assert shared.count("sightings") - before == accepted
    assert accepted <= len({item.id for items in requests for item in items})


def test_what_the_door_rejected_is_in_the_answer(town: Town) -> None:
    town.furnish()
    batch = town.batch(town.device("ann"), fix("s0"))
    bad = Rejected(1, "s1", "invalid", "/latitude")
    with_bad = Batch(batch.device_id, batch.shoppers, batch.received_at_ms, None, batch.items, [bad])
    (answer,) = town.together([with_bad])
    assert (answer.accepted, answer.rejected) == (1, [bad])


def test_times_of_the_window_are_taken_and_others_rejected(town: Town) -> None:
    town.furnish()
    now = town.clock.now()
    limits = [timedelta(minutes=5), -timedelta(hours=72)]
    step = timedelta(milliseconds=1)
    answer = town.post(
        town.device("ann"),
        *(fix(f"in{n}", age_ms=None, at=now + limit) for n, limit in enumerate(limits)),
        fix("ahead", age_ms=None, at=now + limits[0] + step),
        fix("old", age_ms=None, at=now + limits[1] - step),
        fix("never", age_ms=None),
        fix("in_by_age", age_ms=72 * 3_600_000),
        fix("old_by_age", age_ms=72 * 3_600_000 + 1),
    )
    assert answer.accepted == 3
    assert [(one.index, one.id, one.code) for one in answer.rejected] == [
        (2, "ahead", "time_out_of_range"),
        (3, "old", "time_out_of_range"),
        (4, "never", "missing_time"),
        (6, "old_by_age", "time_out_of_range"),
    ]


def test_the_age_beats_both_clocks_and_a_bare_time_is_flagged(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    now = town.clock.now()
    wrong = timedelta(days=40)
    town.post(
        device,
        fix("by_age", age_s=60, at=now - wrong),
        fix("by_difference", age_ms=None, at=now - wrong - timedelta(minutes=2)),
        sent_at=now - wrong,
    )
    town.post(device, fix("by_clock", age_ms=None, at=now - timedelta(minutes=3)))
    now_ms = int(now.timestamp() * 1000)
    kept = {row[0]: row[1:] for row in town.rows("SELECT sighting_id, at_ms, flags FROM sightings")}
    assert kept == {
        "by_age": (now_ms - 60_000, 0),
        "by_difference": (now_ms - 120_000, 0),
        "by_clock": (now_ms - 180_000, CLOCK_TRUSTED),
    }


def test_a_fix_near_the_shops_is_kept_without_evidence(town: Town) -> None:
    town.furnish()
    answer = town.post(town.device("ann"), fix("near", "near"), fix("away", "away"))
    assert (answer.accepted, answer.away) == (1, 1)
    assert town.rows("SELECT sighting_id FROM sightings") == [("near",)]
    assert town.count("evidence") == 0
    assert town.count("presence") == 0


def test_an_occasion_that_comes_up_twice_in_a_group_is_decided_once(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    phone, watch = town.device("phone", of="ann"), town.device("watch", of="ann")
    together = [
        town.batch(phone, fix("s0"), fence("s1", "exit")),
        town.batch(watch, fix("s0")),
    ]
    assert [answer.accepted for answer in town.together(together)] == [2, 1]
    assert len(town.decisions()) == 1
    assert "a group of" not in caplog.text


def test_the_requests_of_one_group_are_answered_each_for_itself(town: Town) -> None:
    town.furnish(OFFER)
    ann, bob = town.device("ann"), town.device("bob")
    first, second, third = town.together(
        [
            town.batch(ann, fix("s0", age_s=360), fix("s1")),
            town.batch(bob, fix("s0", "near")),
            town.batch(bob, fix("s0", "near"), fix("s2", "away")),
        ]
    )
    assert [event["type"] for event in first.events] == ["visit.started", "offer.decided"]
    assert (first.accepted, second.accepted) == (2, 1)
    assert (third.accepted, third.duplicates, third.away, third.events) == (0, 1, 1, [])


@dataclass
class Poisonable:
    """The engine's own group handler, except that it breaks at the very end over sightings called `poison…`."""

    intake: Intake

    def weight(self, item: Batch) -> int:
        return self.intake.weight(item)

    def process(self, records: Records, items: Sequence[Batch]) -> GroupResult[Answer]:
        result = self.intake.process(records, items)
        if any(one.id.startswith("poison") for item in items for _, one in item.items):
            raise ZeroDivisionError
        return result

    def split(self, item: Batch) -> list[Batch]:
        return self.intake.split(item)

    def join(self, item: Batch, answers: Sequence[Answer]) -> Answer:
        return self.intake.join(item, answers)

    def refuse(self, records: Records, item: Batch, error: Exception) -> GroupResult[Answer]:
        return self.intake.refuse(records, item, error)


def test_a_poisoned_item_costs_its_neighbours_nothing(town: Town) -> None:
    town.furnish(OFFER)
    ann, bob, eve = (town.device(name) for name in ("ann", "bob", "eve"))
    town.engine.database.handle_groups(Poisonable(town.engine.intake))
    first, second, third = town.together(
        [
            town.batch(ann, fix("a0", age_s=300), fix("a1")),
            town.batch(bob, fix("b0", age_s=300), fix("poison", age_s=200), fix("b1")),
            town.batch(eve, fix("poison")),
        ]
    )
    assert (first.accepted, first.rejected) == (2, [])
    assert second.accepted == 2
    assert [(one.index, one.id, one.code) for one in second.rejected] == [(1, "poison", "unprocessable")]
    assert [(one.index, one.code) for one in third.rejected] == [(0, "unprocessable")]
    assert town.rows("SELECT sighting_id FROM sightings ORDER BY sighting_id") == [
        ("a0",),
        ("a1",),
        ("b0",),
        ("b1",),
    ]
    assert {row[0] for row in town.rows("SELECT shopper_id FROM evidence")} == {"shp_ann", "shp_bob"}
    assert {(row.shopper_id, row.kind, row.dwell_s) for row in town.visits()} == {
        ("shp_ann", "visit", 300),
        ("shp_bob", "visit", 300),
    }
    assert sorted(row.shopper_id for row in town.decisions()) == ["shp_ann", "shp_bob"]
    assert (town.count("messages"), town.count("coupons")) == (2, 2)
    assert memory(town) == memory_after_restart(town)


def test_nothing_of_a_refused_item_stays_in_memory(town: Town) -> None:
    town.furnish(OFFER)
    eve = town.device("eve")
    town.engine.database.handle_groups(Poisonable(town.engine.intake))
    assert [one.code for one in town.post(eve, fix("poison")).rejected] == ["unprocessable"]
    assert town.inside("eve") == frozenset()
    town.engine.database.handle_groups(town.engine.intake)
    answer = town.post(eve, fix("poison"))
    assert (answer.accepted, answer.duplicates) == (1, 0)
    assert [event["type"] for event in answer.events] == ["offer.decided"]
    assert town.inside("eve") == frozenset({HARBOUR})


def test_a_name_that_cannot_be_written_is_refused_alone(town: Town) -> None:
    town.furnish()
    answer = town.post(town.device("ann"), fix("s0"), fix("lone surrogate \ud800"), fix("s2"))
    assert (answer.accepted, [one.code for one in answer.rejected]) == (2, ["unprocessable"])


def memory(town: Town) -> list[frozenset[str]]:
    return [town.inside(name) for name in ("ann", "bob", "eve")]


def memory_after_restart(town: Town) -> list[frozenset[str]]:
    town.restart()
    return memory(town)
