"""The statistics against published tables, a worked example and scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from m2s.core.measure.lift import Arm, lift, newcombe, wilson


@pytest.mark.parametrize(
    ("visited", "shoppers", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombes_first_table(
    visited: int, shoppers: int, low: float, high: float
) -> None:
    interval = wilson(Arm(visited, shoppers))
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("treated", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_agrees_with_his_second_table(
    treated: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    interval = newcombe(Arm(*treated), Arm(*control))
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_the_worked_example_comes_out_to_the_printed_digits() -> None:
    found = lift(Arm(1150, 45_000), Arm(100, 5_000))
    assert found is not None
    assert f"{found.treated.share:.7f} {found.control.share:.2f}" == "0.0255556 0.02"
    treated, control = wilson(found.treated), wilson(found.control)
    assert f"{treated.low:.7f} {treated.high:.7f}" == "0.0241375 0.0270546"
    assert f"{control.low:.7f} {control.high:.7f}" == "0.0164720 0.0242650"
    assert f"{found.difference:.7f}" == "0.0055556"
    assert f"{found.interval.low:.7f} {found.interval.high:.7f}" == "0.0010610 0.0093888"
    assert found.ratio is not None
    assert f"{found.ratio - 1:+.1%}" == "+27.8%"
    assert found.ratio_interval is not None
    assert f"{found.ratio_interval.low:.4f} {found.ratio_interval.high:.4f}" == "1.0438 1.5642"
    assert f"{found.z:.4f} {found.p_value:.5f}" == "2.3870 0.01698"
    assert f"{found.incremental_visitors:.0f}" == "250"
    assert f"{found.incremental_interval.low:.1f} {found.incremental_interval.high:.1f}" == "47.7 422.5"
    assert found.enough


def test_an_empty_arm_gives_no_lift_and_a_small_control_is_not_enough() -> None:
    assert lift(Arm(3, 10), Arm(0, 0)) is None
    assert lift(Arm(0, 0), Arm(3, 10)) is None
    small = lift(Arm(30, 100), Arm(9, 49))
    assert small is not None
    assert not small.enough


@pytest.mark.parametrize(("visited", "shoppers"), [(-1, 5), (6, 5)])
def test_a_count_outside_its_arm_is_refused(visited: int, shoppers: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        Arm(visited, shoppers)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(counts: tuple[int, int]) -> None:
    ours = wilson(Arm(*counts))
    theirs = binomtest(*counts).proportion_ci(method="wilson")
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
