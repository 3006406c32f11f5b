"""Does a breaker open before a provider has failed twenty times, and probe one call every ten seconds at most?"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.breaker import IN_A_ROW, OF_LAST, REST_S, STOPPED_S, Breaker


def told(*failures: bool, breaker: Breaker | None = None, now_s: float = 0.0) -> Breaker:
    breaker = breaker or Breaker()
    for failed in failures:
        breaker = breaker.after(failed, now_s)
    return breaker


def test_it_opens_when_enough_fail_in_a_row_and_not_before() -> None:
    assert told(*[True] * (IN_A_ROW - 1)).closed
    assert not told(*[True] * IN_A_ROW).closed
    assert told(*[True] * (IN_A_ROW - 1), False, *[True] * (IN_A_ROW - 1)).closed


def test_it_opens_when_half_fail() -> None:
    every_other = [False, True] * (OF_LAST // 2)
    assert told(*every_other[:-1]).closed
    assert not told(*every_other).closed


def test_every_third_failure_leaves_it_closed() -> None:
    assert told(*[False, False, True] * 100).closed


def test_open_it_lets_nothing_through_then_one_call_at_a_time() -> None:
    opened = told(*[True] * IN_A_ROW)
    assert opened.room(REST_S - 0.001, running=0) == 0
    assert opened.room(REST_S, running=0) == 1
    assert opened.room(REST_S, running=1) == 0
    assert Breaker().room(0.0, running=100) is None


def test_what_comes_late_is_no_probe() -> None:
    opened = told(*[True] * IN_A_ROW)
    assert opened.after(False, REST_S / 2) == opened
    assert opened.after(True, REST_S / 2) == opened


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_again() -> None:
    opened = told(*[True] * IN_A_ROW)
    assert opened.after(False, REST_S) == Breaker()
    again = opened.after(True, REST_S)
    assert again.room(2.5 * REST_S - 0.001, running=0) == 0
    assert again.room(2.5 * REST_S, running=0) == 1


def test_it_rests_longer_after_each_probe_that_fails_and_no_longer_than_the_longest() -> None:
    breaker, now_s, rests = told(*[True] * IN_A_ROW), 0.0, []
    for _ in range(6):
        assert breaker.open_until_s is not None
        rests.append(breaker.open_until_s - now_s)
        now_s = breaker.open_until_s
        breaker = breaker.after(True, now_s)
    assert rests == [10.0, 15.0, 22.5, 30.0, 30.0, 30.0]
    assert (
        told(*[True] * IN_A_ROW, breaker=breaker.after(False, now_s + 30), now_s=0.0).open_until_s == REST_S
    )


def test_misconfigured_it_rests_for_long() -> None:
    stopped = Breaker().stopped(0.0)
    assert not stopped.closed
    assert stopped.room(STOPPED_S - 0.001, running=0) == 0
    assert stopped.room(STOPPED_S, running=0) == 1


@given(gaps=st.lists(st.floats(0, 3), min_size=50, max_size=200))
def test_a_provider_that_is_down_is_called_as_often_as_it_takes_to_open_and_once_each_rest(
    gaps: list[float],
) -> None:
    breaker, now_s, calls = Breaker(), 0.0, []
    for gap in gaps:
        now_s += gap
        if breaker.room(now_s, running=0) != 0:
            calls.append(now_s)
            breaker = breaker.after(True, now_s)
    assert all(later - earlier >= REST_S for earlier, later in pairwise(calls[IN_A_ROW - 1 :]))
