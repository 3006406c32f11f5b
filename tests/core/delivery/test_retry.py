"""Are repeated tries spread as promised, and is an SMS in doubt left alone?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.retry import RESENT_CHANNELS, on_unknown, retry_after


def test_waits_grow_fourfold_and_stay_at_64_seconds() -> None:
    assert [retry_after(tries, 0.0) for tries in range(1, 7)] == [1, 4, 16, 64, 64, 64]


@given(tries=st.integers(1, 50), jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_adds_less_than_half_of_the_wait(tries: int, jitter: float) -> None:
    wait_s = retry_after(tries, 0.0)
    assert wait_s <= retry_after(tries, jitter) <= 1.5 * wait_s


@pytest.mark.parametrize(("tries", "jitter"), [(0, 0.0), (-1, 0.5), (1, 1.0), (1, -0.1)])
def test_values_out_of_range_are_refused(tries: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter in"):
        retry_after(tries, jitter)


@pytest.mark.parametrize(
    ("channel", "what"),
    [("sms", "final"), ("push", "retry"), ("webhook", "retry"), ("carrier-pigeon", "final")],
)
def test_only_channels_that_know_a_message_again_get_it_twice(channel: str, what: str) -> None:
    assert on_unknown(channel) == what
    assert (channel in RESENT_CHANNELS) == (what == "retry")
