from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.model import Rate
from campaigns.pressure import exceeded, rate_text

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT = (Rate(1, 24 * HOUR), Rate(2, 7 * 24 * HOUR), Rate(6, 30 * 24 * HOUR))


@pytest.mark.parametrize(
    ("hours_ago", "broken", "count"),
    [
        ([], None, 0),
        ([0], 0, 1),
        ([23.999], 0, 1),
        ([24], None, 0),
        ([25, 50], 1, 2),
        ([25, 168], None, 0),
        ([200, 300, 400, 500, 600, 700], 2, 6),
        ([-1], None, 0),
    ],
)
def test_a_rate_counts_what_is_younger_than_its_window(
    hours_ago: list[float], broken: int | None, count: int
) -> None:
    past = [NOW - ago * HOUR for ago in hours_ago]
    rate = None if broken is None else DEFAULT[broken]
    assert exceeded(past, NOW, rates=DEFAULT) == (rate, count)


def test_no_rate_allows_everything_and_a_rate_of_zero_nothing() -> None:
    assert exceeded([NOW] * 9, NOW, rates=()) == (None, 0)
    assert exceeded([], NOW, rates=[Rate(0, HOUR)]) == (Rate(0, HOUR), 0)


@given(
    gaps_min=st.lists(st.integers(0, 3 * 24 * 60), max_size=60),
    rates=st.lists(
        st.builds(Rate, st.integers(0, 4), st.integers(1, 240).map(lambda h: h * HOUR)), max_size=3
    ),
)
def test_accepting_only_within_the_rates_never_breaks_any_sliding_window(
    gaps_min: list[int], rates: list[Rate]
) -> None:
    accepted: list[datetime] = []
    now = NOW
    for gap_min in gaps_min:
        now += timedelta(minutes=gap_min)
        if exceeded(accepted, now, rates=rates)[0] is None:
            accepted.append(now)
    for rate in rates:
        for end in accepted:
            assert sum(end - rate.window < at <= end for at in accepted) <= rate.count


@given(gaps_min=st.lists(st.integers(0, 3 * 24 * 60), max_size=60))
def test_a_refused_message_would_have_broken_a_window(gaps_min: list[int]) -> None:
    accepted: list[datetime] = []
    now = NOW
    for gap_min in gaps_min:
        now += timedelta(minutes=gap_min)
        rate, _ = exceeded(accepted, now, rates=DEFAULT)
        if rate is None:
            accepted.append(now)
        else:
            assert sum(now - rate.window < at <= now for at in [*accepted, now]) > rate.count


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Rate(1, 72 * HOUR), "1 per 3d"),
        (Rate(20, HOUR), "20 per 1h"),
        (Rate(1, 1.5 * HOUR), "1 per 90m"),
        (Rate(1, timedelta(seconds=45)), "1 per 45s"),
    ],
)
def test_a_rate_reads_like_the_yaml(rate: Rate, text: str) -> None:
    assert rate_text(rate) == text
