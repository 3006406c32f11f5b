from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.facts import PastOffer, PressureRule
from campaigns.model import Channel, Rate
from campaigns.pressure import pressure_rule, rate_text, rule_text, tightest
from campaigns.values import BadValueError

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT = (Rate(1, 24 * HOUR), Rate(2, 7 * 24 * HOUR), Rate(6, 30 * 24 * HOUR))


def found_tightest(
    past: Sequence[datetime], now: datetime, *, rates: Sequence[Rate]
) -> tuple[Rate, int] | None:
    offered = [PastOffer(at, "other", "other") for at in past]
    rules = [PressureRule(rate) for rate in rates]
    found = tightest(offered, now, rules=rules, channel=None, tags=frozenset())
    return None if found is None else (found[0].rate, found[1])


@pytest.mark.parametrize(
    ("hours_ago", "rate", "count"),
    [
        ([], 0, 0),
        ([0], 0, 1),
        ([23.999], 0, 1),
        ([24], 0, 0),
        ([25, 50], 1, 2),
        ([25, 168], 0, 0),
        ([200, 300, 400, 500, 600, 700], 2, 6),
        ([-23.999], 0, 1),
        ([-24], 0, 0),
    ],
)
def test_a_rate_counts_what_is_less_than_its_window_away_and_the_tightest_is_told(
    hours_ago: list[float], rate: int, count: int
) -> None:
    past = [NOW - ago * HOUR for ago in hours_ago]
    assert found_tightest(past, NOW, rates=DEFAULT) == (DEFAULT[rate], count)


def test_without_rates_none_is_tightest_and_a_rate_of_zero_leaves_nothing() -> None:
    assert found_tightest([NOW] * 9, NOW, rates=()) is None
    assert found_tightest([], NOW, rates=[Rate(1, HOUR), Rate(0, HOUR)]) == (Rate(0, HOUR), 0)


def full(past: list[datetime], now: datetime, *, rates: Sequence[Rate]) -> bool:
    found = found_tightest(past, now, rates=rates)
    return found is not None and found[1] >= found[0].count


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
        if not full(accepted, now, rates=rates):
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
        if not full(accepted, now, rates=DEFAULT):
            accepted.append(now)
        else:
            told = [*accepted, now]
            assert any(sum(now - rate.window < at <= now for at in told) > rate.count for rate in DEFAULT)


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


def test_a_rule_of_a_channel_counts_that_channel_and_holds_for_it_alone() -> None:
    past = [PastOffer(NOW, "c", "o", Channel.SMS), PastOffer(NOW, "c", "o", Channel.PUSH)]
    rule = PressureRule(Rate(1, 24 * HOUR), channel=Channel.SMS)
    assert tightest(past, NOW, rules=[rule], channel=Channel.SMS, tags=frozenset()) == (rule, 1)
    assert tightest(past, NOW, rules=[rule], channel=Channel.PUSH, tags=frozenset()) is None


def test_a_rule_of_a_tag_counts_the_tags_of_then_and_holds_for_campaigns_that_have_it_now() -> None:
    past = [
        PastOffer(NOW, "c", "o", tags=frozenset({"promo", "food"})),
        PastOffer(NOW, "c", "o", tags=frozenset({"news"})),
    ]
    rule = PressureRule(Rate(1, 24 * HOUR), tag="promo")
    assert tightest(past, NOW, rules=[rule], channel=None, tags=frozenset({"promo"})) == (rule, 1)
    assert tightest(past, NOW, rules=[rule], channel=None, tags=frozenset({"news"})) is None


@pytest.mark.parametrize("text", ["1 per 1d", "2 per 7d by sms", "1 per 30d tagged promo"])
def test_a_rule_is_read_as_it_is_told(text: str) -> None:
    assert rule_text(pressure_rule(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 per 1d by smss", "did you mean sms"),
        ("1 per 1d tagged ", "names no tag"),
        ("often by sms", "1 per"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(BadValueError, match=told):
        pressure_rule(text)
