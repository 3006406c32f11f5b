from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.measure.power import detectable, power_of, shoppers_needed


@pytest.mark.parametrize(
    ("base", "treated", "power", "each"),
    [
        pytest.param(0.50, 0.75, 0.90, 76.7, id="the example of R's documentation"),
        pytest.param(0.02, 0.025, 0.80, 13_808.9, id="power.prop.test"),
    ],
)
def test_arms_of_equal_size_need_what_r_says(base: float, treated: float, power: float, each: float) -> None:
    both = shoppers_needed(base, treated, share=0.5, power=power)
    assert both / 2 == pytest.approx(each, abs=0.05)


def test_fifty_an_arm_have_the_power_that_r_says() -> None:
    assert power_of(0.50, 0.75, shoppers=100, share=0.5) == pytest.approx(0.7401659, abs=1e-7)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 42_217), (0.2, 67_325), (0.1, 120_462), (0.05, 228_965)])
def test_a_smaller_holdout_needs_more_shoppers(share: float, needed: int) -> None:
    assert shoppers_needed(0.02, 0.024, share=share) == pytest.approx(needed, abs=1)


@pytest.mark.parametrize(
    ("shoppers", "points"),
    [
        (2_000, {0.05: 6.93, 0.1: 4.43, 0.2: 2.99, 0.5: 2.16}),
        (10_000, {0.05: 2.37, 0.1: 1.60, 0.2: 1.13, 0.5: 0.86}),
        (50_000, {0.05: 0.92, 0.1: 0.64, 0.2: 0.47, 0.5: 0.37}),
        (200_000, {0.05: 0.43, 0.1: 0.31, 0.2: 0.23, 0.5: 0.18}),
    ],
)
def test_what_can_be_shown_at_a_base_of_two_percent(shoppers: int, points: dict[float, float]) -> None:
    for share, expected in points.items():
        found = detectable(0.02, shoppers=shoppers, share=share)
        assert found is not None
        assert 100 * found == pytest.approx(expected, abs=0.0051)


def test_too_few_can_show_nothing() -> None:
    assert detectable(0.02, shoppers=3, share=0.1) is None


@pytest.mark.parametrize(
    ("base", "treated", "share"), [(0.0, 0.1, 0.5), (0.1, 1.0, 0.5), (0.1, 0.2, 0.0), (0.1, 0.1, 0.5)]
)
def test_what_is_no_comparison_is_refused(base: float, treated: float, share: float) -> None:
    with pytest.raises(ValueError, match=r"shares|difference"):
        shoppers_needed(base, treated, share=share)


@given(
    base=st.floats(0.001, 0.5),
    rise=st.floats(0.001, 0.4),
    share=st.floats(0.02, 0.98),
    power=st.floats(0.5, 0.99),
)
def test_so_many_as_are_needed_have_that_power(base: float, rise: float, share: float, power: float) -> None:
    needed = shoppers_needed(base, base + rise, share=share, power=power)
    assert power_of(base, base + rise, shoppers=needed, share=share) == pytest.approx(power, abs=1e-6)
