"""Which states can a message be in, and which may follow which?"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a message stands. `sending` is committed before the provider is called, so a crash leaves a trace."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


NEXT: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.CLAIMED, State.EXPIRED}),
    State.CLAIMED: frozenset({State.SENDING, State.PLANNED, State.CANCELLED, State.EXPIRED}),
    State.SENDING: frozenset({State.ACCEPTED, State.REFUSED, State.UNKNOWN, State.PLANNED, State.EXPIRED}),
    State.UNKNOWN: frozenset(),
    State.ACCEPTED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""The states that may follow each state.

`planned` follows `claimed` when a lease is lost or the send law asks to wait, and `sending` when the provider asks
to wait or, on channels where sending again does no harm, when nobody knows what became of it."""


def states_before(after: State) -> tuple[State, ...]:
    """The states from which a message may come into this one."""
    return tuple(before for before in State if after in NEXT[before])
