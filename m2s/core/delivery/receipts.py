"""What do a provider's receipts say of a message, in whatever order and how often they come?

A part is told nothing of, undelivered or delivered, and goes up this ladder only; a message stands where its lowest
part stands. So any order of the same receipts, with repeats, ends in one state, and no later one takes an earlier back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from m2s.core.delivery.message import State

_LADDER = (State.ACCEPTED, State.UNDELIVERED, State.DELIVERED)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was reported of one part (from 1): `delivered`, `undelivered`, or that it is still on its way (None)."""

    part: int
    state: State | None

    def __post_init__(self) -> None:
        if self.part < 1 or self.state not in (None, State.DELIVERED, State.UNDELIVERED):
            raise ValueError(
                f"a receipt is of a part from 1 on and its end, not of {self.part} and {self.state}"
            )


def state_of(receipts: Iterable[Receipt], *, parts: int) -> State:
    """`delivered` when every part is, `undelivered` when all have ended and one is not, else `accepted`.

    `parts` is what the provider said when it accepted; a receipt of a part beyond them says nothing, or one that comes
    late would take back what was delivered.
    """
    rungs = [0] * parts
    for receipt in receipts:
        if receipt.part <= parts and receipt.state is not None:
            rungs[receipt.part - 1] = max(rungs[receipt.part - 1], _LADDER.index(receipt.state))
    return _LADDER[min(rungs)]
