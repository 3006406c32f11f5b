"""Is a provider's rate kept, and can retries never outgrow a tenth of the calls?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.pace import FEW_RETRIES, RETRY_SHARE, Rate, RetryBudget


@given(
    per_s=st.floats(0.05, 50),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=100),
)
def test_in_no_span_do_more_calls_begin_than_the_rate_allows(per_s: float, gaps: list[float]) -> None:
    rate, now_s, calls = Rate(per_s), 0.0, []
    for gap in gaps:
        now_s += gap
        for _ in range(rate.room(now_s) or 0):
            rate.began()
            calls.append(now_s)
    for first, begin_s in enumerate(calls):
        for last in range(first, len(calls)):
            assert last - first + 1 <= max(1.0, per_s) + (calls[last] - begin_s) * per_s + 1e-6


@pytest.mark.parametrize("per_s", [0.5, 1, 10, 37])
def test_a_rate_is_used_to_the_full_when_asked_often_enough(per_s: float) -> None:
    rate, calls = Rate(per_s), 0
    for tick in range(1, 601):
        for _ in range(rate.room(tick / 10) or 0):
            rate.began()
            calls += 1
    assert calls == pytest.approx(60 * per_s, rel=0.05, abs=1)


def test_without_a_rate_there_is_no_limit() -> None:
    assert Rate(None).room(0.0) is None


@pytest.mark.parametrize("per_s", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(per_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Rate(per_s)


@given(waiting=st.lists(st.tuples(st.floats(0, 2), st.integers(0, 30)), max_size=80))
def test_retries_stay_within_a_tenth_of_the_calls_of_any_minute(waiting: list[tuple[float, int]]) -> None:
    """Retries are begun whenever there is room, new calls as they come."""
    budget, now_s = RetryBudget(), 0.0
    begun: list[tuple[int, bool]] = []
    for gap, new in waiting:
        now_s += gap
        for again in [False] * new + [True] * budget.room(now_s):
            budget.began(now_s, again=again)
            begun.append((int(now_s), again))
        minute = [again for second, again in begun if second > now_s - 60]
        assert sum(minute) <= max(FEW_RETRIES, RETRY_SHARE * len(minute))


def test_a_few_retries_a_minute_are_always_allowed() -> None:
    budget = RetryBudget()
    for _ in range(FEW_RETRIES):
        assert budget.room(0.0)
        budget.began(0.0, again=True)
    assert budget.room(59.9) == 0
    assert budget.room(60.0) == FEW_RETRIES
