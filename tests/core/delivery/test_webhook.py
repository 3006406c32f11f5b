"""Is an event tried as Standard Webhooks has it, and is an endpoint that is gone given up, and no other?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest

from m2s.core.delivery.message import TERMINAL
from m2s.core.delivery.webhook import EVENTS, MESSAGES, MOST_TRIES, TRIED_FOR, is_given_up, next_try, wants

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


def test_ten_tries_over_three_days() -> None:
    waits = [next_try(tries) for tries in range(1, MOST_TRIES)]
    hours = [2, 5, 10, 14, 20, 24]
    assert waits == [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=number) for number in hours),
    ]
    assert MOST_TRIES == 10
    assert next_try(MOST_TRIES) is None
    assert list(accumulate(wait for wait in waits if wait))[-1] == TRIED_FOR
    assert timedelta(hours=75, minutes=35, seconds=5) == TRIED_FOR


def test_a_receiver_that_asks_for_time_gets_it_within_reason() -> None:
    assert next_try(1, at_least_s=90) == timedelta(seconds=90)
    assert next_try(2, at_least_s=90) == timedelta(minutes=5)
    assert next_try(1, at_least_s=1e12) == timedelta(hours=24)
    with pytest.raises(ValueError, match="1 or more"):
        next_try(0)


def test_an_endpoint_is_given_up_when_it_took_nothing_for_as_long_as_an_event_is_tried() -> None:
    assert not is_given_up(None, NOON)
    assert not is_given_up(NOON - TRIED_FOR + timedelta(seconds=1), NOON)
    assert is_given_up(NOON - TRIED_FOR, NOON)


@pytest.mark.parametrize(
    ("patterns", "event", "wanted"),
    [
        (["*"], "visit.started", True),
        (["visit.*"], "visit.ended", True),
        (["visit.*"], "message.expired", False),
        (["coupon.redeemed"], "coupon.redeemed", True),
        (["coupon.redeemed"], "coupon.voided", False),
        (["message.*", "visit.started"], "visit.started", True),
    ],
)
def test_an_endpoint_is_told_what_it_named(patterns: list[str], event: str, wanted: bool) -> None:
    assert wants(patterns, event) is wanted


def test_every_end_of_a_message_is_an_event() -> None:
    assert {f"message.{state}" for state in TERMINAL} == set(MESSAGES)
    assert len(set(EVENTS)) == len(EVENTS)
