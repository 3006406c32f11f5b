"""Is a sighting that comes twice taken once: in a request, in a group, later, and after a restart?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.app import dedupe
from m2s.app.dedupe import SeenIds
from m2s.app.sighting import Answer
from m2s.core.base.errors import Unavailable
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


def known(seen: SeenIds, device_id: str, *names: str) -> list[bool]:
    found: list[bool] = seen.repeated(SeenIds.keys([device_id] * len(names), names)).tolist()
    return found


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20)), max_size=60))
def test_nothing_is_forgotten_within_the_window(arrivals: list[tuple[int, int]]) -> None:
    seen = SeenIds(WINDOW_MS, most=1_000)
    now_ms = 1_793_606_400_000
    latest: dict[int, int] = {}
    for step_ms, number in arrivals:
        now_ms += step_ms
        for name, at_ms in latest.items():
            assert now_ms - at_ms > WINDOW_MS or known(seen, "dev", str(name)) == [True]
        keys = SeenIds.keys(["dev"], [str(number)])
        if not seen.repeated(keys)[0]:
            seen.add(keys, received_at_ms=now_ms)
            latest[number] = now_ms


def test_what_is_long_past_is_forgotten() -> None:
    seen = SeenIds(WINDOW_MS, most=10)
    for at_ms in range(WINDOW_MS, 20 * WINDOW_MS, WINDOW_MS // 4):
        seen.check_room(1, received_at_ms=at_ms)
        seen.add(SeenIds.keys(["dev"], [str(at_ms)]), received_at_ms=at_ms)
    assert len(seen) <= 2 * 5
    assert known(seen, "dev", str(WINDOW_MS), str(20 * WINDOW_MS - WINDOW_MS // 4)) == [False, True]


def test_a_repeat_among_those_that_come_together_is_one() -> None:
    seen = SeenIds(WINDOW_MS, most=10)
    keys = SeenIds.keys(["a", "b", "a", "a", "b"], ["1", "1", "2", "1", "1"])
    assert seen.repeated(keys).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("way", [hash, dedupe._blake])
def test_names_that_join_or_cross_alike_are_apart(way: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedupe, "_hash", way)
    pairs = [("dev1", "2"), ("dev", "12"), ("2", "dev1"), ("dev", "dev"), ("12", "12"), ("dev1", "dev1")]
    keys = SeenIds.keys(*zip(*pairs, strict=True))
    assert len(np.unique(keys[0])) == len(pairs)


def test_names_that_every_device_uses_are_spread() -> None:
    seen = SeenIds(WINDOW_MS, most=100_000)
    for name in range(10):
        seen.add(SeenIds.keys([f"dev{one}" for one in range(10_000)], [str(name)] * 10_000), received_at_ms=1)
    assert seen._young.nbytes < 37 * 100_000


def test_a_full_memory_refuses_and_forgets_nothing() -> None:
    seen = SeenIds(WINDOW_MS, most=3)
    names = ["1", "2", "3"]
    seen.check_room(3, received_at_ms=5_000)
    seen.add(SeenIds.keys(["dev"] * 3, names), received_at_ms=5_000)
    with pytest.raises(
        Unavailable, match=r"3 sightings are remembered .* over the 3 there is room for: raise dedupe_max_ids"
    ):
        seen.check_room(1, received_at_ms=5_999)
    assert known(seen, "dev", *names) == [True] * 3
    with pytest.raises(Unavailable):
        seen.check_full(6_000)
    seen.check_full(6_001)
    seen.check_room(0, received_at_ms=6_001)
    seen.check_room(3, received_at_ms=7_002)
    assert known(seen, "dev", *names) == [False] * 3


def test_after_a_long_silence_there_is_room_at_once() -> None:
    seen = SeenIds(WINDOW_MS, most=3)
    seen.add(SeenIds.keys(["dev"] * 3, ["1", "2", "3"]), received_at_ms=5_000)
    seen.check_room(3, received_at_ms=7_001)
    assert len(seen) == 0


def test_the_last_instant_belongs_to_the_window() -> None:
    seen = SeenIds(WINDOW_MS, most=3)
    seen.load([(["dev"], ["1"])], received_at_ms=5_000)
    seen.check_room(0, received_at_ms=5_000 + WINDOW_MS)
    assert known(seen, "dev", "1") == [True]
    seen.check_room(0, received_at_ms=5_001 + WINDOW_MS)
    assert known(seen, "dev", "1") == [False]


def test_what_the_ledger_holds_is_taken_up_once() -> None:
    seen = SeenIds(WINDOW_MS, most=30_000)
    names = [str(one) for one in range(20_000)]
    seen.load([(["dev"] * 20_000, names), (["dev"] * 2, ["7", "x"])], received_at_ms=5_000)
    assert len(seen) == 20_001
    assert known(seen, "dev", "19999", "20000", "x") == [True, False, True]
