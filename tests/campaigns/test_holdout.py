from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from campaigns.holdout import arm, bucket


@pytest.mark.parametrize(
    ("shopper_id", "expected"), [("p1", 8572), ("p2", 1898), ("alice", 3251), ("+33612345678", 82)]
)
def test_buckets_are_the_published_ones(shopper_id: str, expected: int) -> None:
    assert bucket("s1", "promo-2026-11", shopper_id=shopper_id) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, "treatment"), (0.0082, "treatment"), (0.0083, "control"), (0.1, "control"), (1.0, "control")],
)
def test_the_control_arm_is_the_lowest_buckets(share: float, expected: str) -> None:
    assert arm(bucket("s1", "promo-2026-11", shopper_id="+33612345678"), share=share) == expected


def test_buckets_are_uniform_and_two_experiments_independent() -> None:
    shoppers = [f"shopper-{number}" for number in range(20_000)]
    first = [bucket("s1", "a", shopper_id=shopper) // 1000 for shopper in shoppers]
    second = [bucket("s1", "b", shopper_id=shopper) // 1000 for shopper in shoppers]
    deciles = [first.count(decile) for decile in range(10)]
    assert stats.chisquare(deciles).pvalue > 0.001
    pairs = list(zip(first, second, strict=True))
    table = [[pairs.count((row, column)) for column in range(10)] for row in range(10)]
    assert stats.chi2_contingency(table).pvalue > 0.001


@given(shopper_id=st.text(), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_larger_share_never_frees_a_shopper_who_is_held_out(
    shopper_id: str, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    if arm(bucket("s", "e", shopper_id=shopper_id), share=low) == "control":
        assert arm(bucket("s", "e", shopper_id=shopper_id), share=high) == "control"
