"""Do messages move only as the state machine allows?"""

from __future__ import annotations

from itertools import pairwise

import pytest

from m2s.core.delivery.message import NEXT, State, may_follow


def test_every_state_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(State)


def test_a_message_is_sent_through_claimed_and_sending() -> None:
    way = [State.PLANNED, State.CLAIMED, State.SENDING, State.ACCEPTED]
    assert all(may_follow(before, after) for before, after in pairwise(way))


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLAIMED])
def test_nothing_but_a_claim_leads_to_sending(state: State) -> None:
    assert not may_follow(state, State.SENDING)


@pytest.mark.parametrize(
    "state", [State.ACCEPTED, State.UNKNOWN, State.REFUSED, State.EXPIRED, State.CANCELLED]
)
def test_what_has_ended_stays_ended(state: State) -> None:
    assert not any(may_follow(state, after) for after in State)


def test_every_state_can_be_reached_from_planned() -> None:
    reached, frontier = {State.PLANNED}, [State.PLANNED]
    while frontier:
        for after in NEXT[frontier.pop()] - reached:
            reached.add(after)
            frontier.append(after)
    assert reached == set(State)
