"""Do clocks and identifiers keep their promises?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.adapters.runtime.ids import SeededIds, SystemIds
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def test_the_system_clock_is_aware_and_its_monotonic_seconds_never_go_back() -> None:
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic_s() <= clock.monotonic_s()


def test_a_stepped_clock_stands_still_until_moved_and_its_monotonic_seconds_follow() -> None:
    clock = SteppedClock(START)
    clock.advance(timedelta(minutes=2))
    assert (clock.now(), clock.monotonic_s()) == (START + timedelta(minutes=2), 120.0)
    clock.set(datetime(2026, 11, 2, 10, 0, tzinfo=timezone(timedelta(hours=1))))
    assert (clock.now().isoformat(), clock.monotonic_s()) == ("2026-11-02T09:00:00+00:00", 3600.0)


def test_a_stepped_clock_never_goes_back_and_wants_aware_instants() -> None:
    clock = SteppedClock(START)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(START - timedelta(seconds=1))
    with pytest.raises(ValueError, match="aware"):
        SteppedClock(datetime(2026, 11, 2))  # noqa: DTZ001


@pytest.mark.parametrize("ids", [SystemIds(SteppedClock(START)), SeededIds(SteppedClock(START), seed=7)])
def test_identifiers_of_one_millisecond_are_unique_and_in_order(ids: Ids) -> None:
    names = [ids.new("msg") for _ in range(1000)]
    assert names == sorted(set(names))
    assert all(name.startswith("msg_") and len(name) == 30 for name in names)


def test_a_later_identifier_sorts_after_an_earlier_one() -> None:
    clock = SteppedClock(START)
    ids = SystemIds(clock)
    earlier = ids.new("msg")
    clock.advance(timedelta(milliseconds=1))
    assert earlier < ids.new("msg")


def test_threads_never_get_the_same_identifier() -> None:
    ids = SystemIds(SystemClock())
    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(lambda _: ids.new("dec"), range(4000)))
    assert len(set(names)) == 4000


def test_the_same_seed_gives_the_same_identifiers_and_secrets_and_another_seed_others() -> None:
    def taken(seed: int) -> list[str]:
        ids = SeededIds(SteppedClock(START), seed=seed)
        return [ids.new("dec"), ids.secret(16).hex(), ids.new("dec")]

    assert taken(7) == taken(7)
    assert set(taken(7)).isdisjoint(taken(8))


def test_secrets_of_the_system_have_the_length_asked_for_and_differ() -> None:
    ids = SystemIds(SystemClock())
    assert len(ids.secret(32)) == 32
    assert ids.secret(32) != ids.secret(32)
