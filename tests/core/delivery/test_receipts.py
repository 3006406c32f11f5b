"""Do receipts, in any order and however often, end in one state, and never take back what an earlier one said?"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.message import NEXT, State
from m2s.core.delivery.receipts import Receipt, state_of

D, U = State.DELIVERED, State.UNDELIVERED
receipts = st.lists(
    st.builds(Receipt, part=st.integers(1, 4), state=st.sampled_from([None, D, U])), max_size=12
)


@pytest.mark.parametrize(
    ("told", "parts", "state"),
    [
        ([], 1, State.ACCEPTED),
        ([(1, None)], 1, State.ACCEPTED),
        ([(1, D)], 1, D),
        ([(1, U)], 1, U),
        # A handset that has it cannot give it back.
        ([(1, U), (1, D)], 1, D),
        ([(1, D), (1, U)], 1, D),
        ([(1, D), (1, None)], 1, D),
        ([(1, D)], 2, State.ACCEPTED),
        ([(1, D), (2, D)], 2, D),
        # The success of a later part does not undo the failure of an earlier one.
        ([(1, U), (2, D)], 2, U),
        ([(2, D), (1, U), (2, D)], 2, U),
        ([(1, D), (2, U)], 1, D),
    ],
)
def test_a_message_is_delivered_when_every_part_is(
    told: list[tuple[int, State | None]], parts: int, state: State
) -> None:
    assert state_of([Receipt(part, what) for part, what in told], parts=parts) is state


@given(told=receipts, parts=st.integers(1, 4), order=st.randoms(use_true_random=False))
def test_any_order_with_repeats_ends_in_the_same_state(
    told: list[Receipt], parts: int, order: object
) -> None:
    shuffled = told + told[:3]
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert state_of(shuffled, parts=parts) is state_of(told, parts=parts)


@given(told=receipts, parts=st.integers(1, 4))
def test_no_receipt_takes_back_what_an_earlier_one_said(told: list[Receipt], parts: int) -> None:
    way = [state_of(told[:many], parts=parts) for many in range(len(told) + 1)]
    assert all(after == before or after in NEXT[before] for before, after in pairwise(way))


@pytest.mark.parametrize(("part", "state"), [(0, D), (1, State.ACCEPTED)])
def test_what_is_no_receipt_is_refused(part: int, state: State) -> None:
    with pytest.raises(ValueError, match="a receipt is of a part"):
        Receipt(part, state)
