"""Are repeated tries spread as promised, is an SMS in doubt left alone, and asked for less and less often?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.retry import RESENT_CHANNELS, ask_again_after, on_unknown, retry_after


def test_waits_grow_fourfold_and_stay_at_64_seconds() -> None:
    assert [retry_after(tries, 0.0) for tries in range(1, 7)] == [1, 4, 16, 64, 64, 64]


def test_waits_double_from_a_first_one_that_a_provider_needs_up_to_an_hour() -> None:
    assert [retry_after(tries, 0.0, first_s=60.0) for tries in range(1, 9)] == [
        *(60, 120, 240, 480, 960, 1920),
        *(3600, 3600),
    ]
    assert retry_after(3, 0.0, first_s=7200.0) == 7200.0


@given(tries=st.integers(1, 50), jitter=st.floats(0, 1, exclude_max=True), first_s=st.floats(0, 1e4))
def test_jitter_adds_less_than_half_of_the_wait(tries: int, jitter: float, first_s: float) -> None:
    wait_s = retry_after(tries, 0.0, first_s=first_s)
    assert wait_s <= retry_after(tries, jitter, first_s=first_s) <= 1.5 * wait_s


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


def test_questions_come_less_and_less_often() -> None:
    doubted, asked = timedelta(0), []
    while doubted < timedelta(hours=5):
        doubted += ask_again_after(doubted)
        asked.append(round(doubted.total_seconds() / 60))
    assert asked == [1, 2, 4, 8, 16, 32, 64, 124, 184, 244, 304]
