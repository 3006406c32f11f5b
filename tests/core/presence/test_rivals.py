"""Rivals: of stays next door at the same time the clear one is the visit, else none is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.presence.rivals import Contender, compete, outcomes
from m2s.core.presence.visit import StayKind

MALL = {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
"""Three shops in a row: the first and the last are no neighbours."""
VISIT, ELSEWHERE, AMBIGUOUS = StayKind.VISIT, StayKind.ELSEWHERE, StayKind.AMBIGUOUS


def stay(
    store_id: str, score: float, *, start: float = 0, end: float = 10, proven: bool = False, id: str = ""
) -> Contender:
    """A stay by minutes."""
    return Contender(
        id or f"{store_id}{start}", store_id, int(start * 60_000), int(end * 60_000), score, proven
    )


def told(*stays: Contender) -> list[StayKind]:
    kinds = outcomes(stays, MALL)
    return [kinds[one.id] for one in stays]


@pytest.mark.parametrize(
    ("scores", "kinds"),
    [
        ((6, 4), [VISIT, ELSEWHERE]),
        ((4, 6), [ELSEWHERE, VISIT]),
        ((5.99, 4), [AMBIGUOUS, AMBIGUOUS]),
        ((4, 4), [AMBIGUOUS, AMBIGUOUS]),
    ],
)
def test_the_visit_is_where_the_score_is_half_as_much_again(
    scores: tuple[float, float], kinds: list[StayKind]
) -> None:
    assert told(stay("a", scores[0]), stay("b", scores[1])) == kinds


def test_stays_elsewhere_or_at_another_time_do_not_compete() -> None:
    assert told(stay("a", 4)) == [VISIT]
    assert told(stay("a", 4), stay("c", 9)) == [VISIT, VISIT]
    assert told(stay("a", 4), stay("unknown", 9)) == [VISIT, VISIT]
    assert told(stay("a", 4), stay("b", 9, start=11, end=20)) == [VISIT, VISIT]
    assert told(stay("a", 4), stay("a", 9, start=2)) == [VISIT, VISIT]


def test_stays_compete_from_half_of_the_shorter_on() -> None:
    long = stay("a", 90, end=60)
    assert compete(long, stay("b", 4, start=55, end=65))
    assert not compete(long, stay("b", 4, start=55.01, end=65.01))
    assert told(long, stay("b", 4, start=56, end=66)) == [VISIT, VISIT]
    at_an_instant = stay("b", 1, start=60, end=60)
    assert compete(long, at_an_instant)
    assert compete(at_an_instant, long)
    assert not compete(long, stay("b", 1, start=60.1, end=60.1))


def test_each_stay_is_held_against_its_own_rivals_only() -> None:
    # The one in the middle loses to the first, and the last loses to the one in the middle all the same.
    assert told(stay("a", 9), stay("b", 6), stay("c", 4)) == [VISIT, ELSEWHERE, ELSEWHERE]
    assert told(stay("a", 6), stay("b", 6), stay("c", 4)) == [AMBIGUOUS, AMBIGUOUS, ELSEWHERE]
    assert told(stay("a", 4), stay("b", 4), stay("b", 9, start=20, end=30)) == [AMBIGUOUS, AMBIGUOUS, VISIT]


def test_a_stay_that_is_too_long_is_no_visit_and_still_a_rival() -> None:
    clerk = stay("a", 90, end=480)
    clerk.may_count = False
    assert outcomes([clerk, stay("b", 9)], MALL) == {"b0": ELSEWHERE}
    assert outcomes([clerk, stay("b", 61)], MALL) == {"b0": AMBIGUOUS}


def test_a_proof_stands_above_every_score() -> None:
    assert told(stay("a", 1, proven=True), stay("b", 90)) == [VISIT, ELSEWHERE]
    assert told(stay("a", 1, proven=True), stay("b", 1, proven=True)) == [VISIT, VISIT]


@st.composite
def shoppers(draw: st.DrawFn) -> list[Contender]:
    made = []
    for n in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, 40))
        made.append(
            stay(
                draw(st.sampled_from("abc")),
                draw(st.sampled_from([1.0, 2.0, 3.0, 4.5])),
                start=start,
                end=start + draw(st.integers(0, 20)),
                proven=draw(st.integers(0, 9)) == 0,
                id=f"vis_{n}",
            )
        )
    return made


@given(shoppers(), st.randoms(use_true_random=False))
def test_the_order_says_nothing_and_no_two_unproven_visits_compete(
    stays: list[Contender], rng: Random
) -> None:
    kinds = outcomes(stays, MALL)
    assert outcomes(rng.sample(stays, len(stays)), MALL) == kinds
    assert kinds.keys() == {one.id for one in stays}
    for one in stays:
        rivals = [r for r in stays if r is not one and r.store_id in MALL[one.store_id] and compete(one, r)]
        if not rivals or one.proven:
            assert kinds[one.id] is VISIT
        elif kinds[one.id] is VISIT:
            assert all(kinds[rival.id] is ELSEWHERE for rival in rivals)
        elif kinds[one.id] is AMBIGUOUS:
            assert not any(rival.proven for rival in rivals)
