"""Do messages move only as the state machine allows, whatever happens in whatever order?"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.message import MAY_HAVE_LEFT, NEXT, TERMINAL, State, states_before

ENDED = frozenset({State.DELIVERED, State.UNKNOWN_FINAL, State.REFUSED, State.EXPIRED, State.CANCELLED})
"""Nothing follows these, not even by hand."""


def reachable(start: State) -> set[State]:
    reached, frontier = {start}, [start]
    while frontier:
        for after in NEXT[frontier.pop()] - reached:
            reached.add(after)
            frontier.append(after)
    return reached


def test_every_state_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(State)


def test_a_message_is_sent_through_claimed_and_sending() -> None:
    way = [State.PLANNED, State.CLAIMED, State.SENDING, State.ACCEPTED, State.DELIVERED]
    assert all(before in states_before(after) for before, after in pairwise(way))


def test_nothing_but_a_claim_leads_to_sending() -> None:
    assert states_before(State.SENDING) == (State.CLAIMED,)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_has_ended_stays_ended(state: State) -> None:
    assert not any(state in states_before(after) for after in State)


def test_every_state_can_be_reached_from_planned_and_leads_to_an_end() -> None:
    assert reachable(State.PLANNED) == set(State)
    for state in set(State) - TERMINAL:
        assert reachable(state) & TERMINAL, state


def test_from_doubt_and_from_acceptance_nothing_leads_back_to_a_call() -> None:
    for state in (State.UNKNOWN, State.UNKNOWN_FINAL, State.ACCEPTED, State.UNDELIVERED, State.DELIVERED):
        assert reachable(state) <= (MAY_HAVE_LEFT | {State.REFUSED}) - {State.SENDING}, state


@given(wanted=st.lists(st.sampled_from(State), max_size=40))
def test_any_sequence_of_events_only_moves_on(wanted: list[State]) -> None:
    """Every event asks for a state; the table lets it or does not."""
    way = [State.PLANNED]
    for after in wanted:
        if way[-1] in states_before(after):
            way.append(after)
    without_replays = [
        state for state, after in pairwise(way) if (state, after) != (State.DEAD_LETTER, State.PLANNED)
    ]
    assert all(
        state not in TERMINAL or state in {State.ACCEPTED, State.UNDELIVERED} for state in without_replays
    )
    calls = way.count(State.SENDING)
    assert calls <= way.count(State.CLAIMED)
    if {State.UNKNOWN, State.ACCEPTED} & set(way):
        first = min(way.index(state) for state in (State.UNKNOWN, State.ACCEPTED) if state in way)
        assert State.SENDING not in way[first:], "what may have left was sent again"
