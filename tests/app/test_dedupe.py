"""Is a sighting that comes twice taken once: in a request, in a group, later, and after a restart?"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from m2s.app.dedupe import SeenIds
from m2s.app.sighting import Answer
from tests.app.town import Town, campaign, fence, fix, heard

WINDOW_MS = 1_000


def counts(answer: Answer) -> tuple[int, int, int]:
    return answer.accepted, answer.duplicates, answer.away


def test_a_repeat_is_a_duplicate_wherever_it_comes(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    assert counts(town.post(device, fix("s0"), fix("s0"))) == (1, 1, 0)
    assert counts(town.post(device, fix("s0"))) == (0, 1, 0)
    twins = [town.batch(device, fix("s1"), heard("s2")) for _ in range(2)]
    assert [counts(answer) for answer in town.together(twins)] == [(2, 0, 0), (0, 2, 0)]
    town.restart()
    assert counts(town.post(device, fix("s0"), fix("s1"), heard("s2"), fence("s3", "enter"))) == (1, 3, 0)
    assert (town.count("sightings"), town.count("evidence")) == (4, 8)


def test_the_name_counts_not_what_it_says(town: Town) -> None:
    town.furnish()
    assert counts(town.post(town.device("ann"), fix("s0"), heard("s0"), fix("s0", "near"))) == (1, 2, 0)


def test_another_device_may_use_the_same_name(town: Town) -> None:
    town.furnish()
    phone, watch = town.device("phone", of="ann"), town.device("watch", of="ann")
    assert [counts(town.post(device, fix("s0"))) for device in (phone, watch)] == [(1, 0, 0), (1, 0, 0)]


def test_what_is_away_is_neither_kept_nor_remembered(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    unknown = (heard("b0", minor=9), fence("g0", "enter", shop="gone"), fix("s0", "away"))
    for _ in range(2):
        assert counts(town.post(device, *unknown, *unknown)) == (0, 0, 6)
    assert town.count("sightings") == 0
    assert counts(town.post(device, fix("s0"))) == (1, 0, 0)


def test_a_rejected_item_may_come_again_with_its_right_time(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    assert counts(town.post(device, fix("s0", age_s=300_000))) == (0, 0, 0)
    assert counts(town.post(device, fix("s0"))) == (1, 0, 0)


def test_a_repeat_is_known_for_three_days_also_after_a_restart(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("s0"))
    town.clock.advance(timedelta(hours=72))
    assert counts(town.post(device, fix("s0", age_s=72 * 3600))) == (0, 1, 0)
    town.restart()
    assert counts(town.post(device, fix("s0", age_s=72 * 3600))) == (0, 1, 0)


def test_a_repeat_fires_and_tells_nothing_again(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    device = town.device("ann")
    items = (fix("s0", age_s=300), fix("s1"))
    assert len(town.post(device, *items).events) == 2
    (visit,) = town.visits()
    assert town.post(device, *items).events == []
    town.restart()
    assert town.post(device, *items).events == []
    assert town.visits() == [visit]
    assert len(town.decisions()) == 1


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20)), max_size=60))
def test_nothing_is_forgotten_within_the_window(arrivals: list[tuple[int, int]]) -> None:
    seen = SeenIds(WINDOW_MS)
    now_ms = 1_793_606_400_000
    latest: dict[int, int] = {}
    for step_ms, number in arrivals:
        now_ms += step_ms
        for known, at_ms in latest.items():
            assert now_ms - at_ms >= WINDOW_MS or SeenIds.key("dev", str(known)) in seen
        seen.add([SeenIds.key("dev", str(number))], received_at_ms=now_ms)
        latest[number] = now_ms


def test_what_is_long_past_is_forgotten() -> None:
    seen = SeenIds(WINDOW_MS)
    for at_ms in range(WINDOW_MS, 20 * WINDOW_MS, WINDOW_MS // 4):
        seen.add([SeenIds.key("dev", str(at_ms))], received_at_ms=at_ms)
    assert len(seen) <= 2 * 4
    assert SeenIds.key("dev", str(WINDOW_MS)) not in seen


def test_names_that_join_alike_are_apart() -> None:
    assert SeenIds.key("dev1", "2") != SeenIds.key("dev", "12")
    assert len(SeenIds.key("dev", "1")) == 16
