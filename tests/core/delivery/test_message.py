"""Do messages move only as the state machine allows?"""

from __future__ import annotations

from itertools import pairwise

import pytest

from m2s.core.delivery.message import NEXT, State, states_before


def test_every_state_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(State)


def test_a_message_is_sent_through_claimed_and_sending() -> None:
    way = [State.PLANNED, State.CLAIMED, State.SENDING, State.ACCEPTED]
    assert all(before in states_before(after) for before, after in pairwise(way))


def test_nothing_but_a_claim_leads_to_sending() -> None:
    assert states_before(State.SENDING) == (State.CLAIMED,)


@pytest.mark.parametrize(
    "state", [State.ACCEPTED, State.UNKNOWN, State.REFUSED, State.EXPIRED, State.CANCELLED]
)
def test_what_has_ended_stays_ended(state: State) -> None:
    assert not any(state in states_before(after) for after in State)


def test_every_state_can_be_reached_from_planned() -> None:
    reached, frontier = {State.PLANNED}, [State.PLANNED]
    while frontier:
        for after in NEXT[frontier.pop()] - reached:
            reached.add(after)
            frontier.append(after)
    assert reached == set(State)
