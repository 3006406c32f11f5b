"""Which states can a message be in, and which may follow which? The one table of them."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a message stands. `sending` is committed before the provider is called, so a crash leaves a trace."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNKNOWN = "unknown"
    UNKNOWN_FINAL = "unknown_final"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DEAD_LETTER = "dead_letter"


_TOLD = frozenset({State.DELIVERED, State.UNDELIVERED})

NEXT: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.CLAIMED, State.EXPIRED, State.UNKNOWN_FINAL}),
    State.CLAIMED: frozenset({State.SENDING, State.PLANNED, State.DEAD_LETTER})
    | {State.CANCELLED, State.EXPIRED, State.UNKNOWN_FINAL},
    State.SENDING: _TOLD
    | {State.ACCEPTED, State.REFUSED, State.UNKNOWN, State.UNKNOWN_FINAL}
    | {State.PLANNED, State.EXPIRED, State.DEAD_LETTER},
    State.UNKNOWN: _TOLD | {State.ACCEPTED, State.REFUSED, State.UNKNOWN_FINAL},
    State.ACCEPTED: _TOLD,
    State.UNDELIVERED: frozenset({State.DELIVERED}),
    State.DEAD_LETTER: frozenset({State.PLANNED}),
    State.DELIVERED: frozenset(),
    State.UNKNOWN_FINAL: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""The states that may follow each state.

`planned` follows `claimed` when a lease is lost or the send law asks to wait, and `sending` when the provider asks
to wait, when the message goes by the shopper's next channel after a refusal, or, on channels where sending again does
no harm, when nobody knows what became of it; that ends in `unknown_final` where it cannot be sent again. It follows
`dead_letter` when somebody replays that. Receipts lead from `accepted` on, and from `sending` and `unknown`, because
they may overtake the answer to the call."""

TERMINAL = frozenset(State) - {State.PLANNED, State.CLAIMED, State.SENDING, State.UNKNOWN}
"""What needs nothing more from the service: `accepted` is the end where no receipt comes, `dead_letter` unless
somebody replays it."""

MAY_HAVE_LEFT = frozenset({State.SENDING, State.ACCEPTED, State.UNKNOWN, State.UNKNOWN_FINAL}) | _TOLD
"""States in which the shopper may have got the message."""


def states_before(after: State) -> tuple[State, ...]:
    """The states from which a message may come into this one."""
    return tuple(before for before in State if after in NEXT[before])
