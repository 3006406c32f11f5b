"""Does a compact set answer like a plain one: few keys or many, spread or alike, while its table grows?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from m2s.core.base.id_set import MOST_KEYS, IdSet

Halves = NDArray[np.int64]

# Few buckets (bits 0-13), few tags (bits 14-29) and few rests, so that keys meet in all of them, and the extremes.
HIGH = st.one_of(
    st.builds(
        lambda bucket, tag, rest: bucket | tag << 14 | rest << 30,
        st.integers(0, 1),
        st.integers(0, 20),
        st.integers(0, 2),
    ),
    st.sampled_from([-1, 2**63 - 1, -(2**63)]),
)
KEYS = st.lists(st.tuples(HIGH, st.integers(-1, 2)), max_size=50, unique=True)


def halves(keys: list[tuple[int, int]]) -> Halves:
    return np.array(keys, np.int64).reshape(-1, 2).T


def random_halves(random: np.random.Generator, count: int) -> Halves:
    return random.integers(-(2**63), 2**63 - 1, (2, count), endpoint=True)


@given(st.lists(KEYS, max_size=8))
def test_it_answers_like_a_plain_set(groups: list[list[tuple[int, int]]]) -> None:
    ids, plain = IdSet(1_000), set[tuple[int, int]]()
    for keys in groups:
        found = ids.contains(*halves(keys)).tolist()
        assert found == [key in plain for key in keys]
        new = [key for key in keys if key not in plain]
        ids.add(*halves(new))
        plain.update(new)
        assert len(ids) == len(plain)
        assert ids.contains(*halves(keys)).all()


def test_300_000_keys_are_found_and_no_others_in_37_bytes_a_key() -> None:
    random = np.random.default_rng(7)
    high, low = random_halves(random, 300_000)
    high[1_000:1_200] = high[0] & 0xFF_FFFF | high[1_000:1_200] << 24
    high[2_000:2_100] = high[0]
    ids = IdSet(300_000)
    for first in range(0, 300_000, 1_500):
        part = slice(first, first + 1_500)
        assert not ids.contains(high[part], low[part]).any()
        ids.add(high[part], low[part])
        assert ids.nbytes <= 37 * max(len(ids), 85_000)
        if first % 30_000 == 0:
            assert ids.contains(high[: part.stop], low[: part.stop]).all()
    assert ids.contains(high, low).all()
    for bit in (0, 14, 29, 30, 63):
        other = np.int64(-(2**63)) if bit == 63 else np.int64(1 << bit)
        assert not ids.contains(high ^ other, low).any()
        assert not ids.contains(high, low ^ other).any()


def test_halves_may_have_a_sign_or_none() -> None:
    high, low = random_halves(np.random.default_rng(8), 100)
    ids = IdSet(100)
    ids.add(high.view(np.uint64), low)
    assert ids.contains(high, low.view(np.uint64)).all()
    assert len(ids) == 100


def test_what_is_too_much_is_refused_whole() -> None:
    high, low = random_halves(np.random.default_rng(9), 11)
    ids = IdSet(10)
    ids.add(high[:6], low[:6])
    with pytest.raises(ValueError, match=r"5 keys more than 6 are over the 10 of this set"):
        ids.add(high[6:], low[6:])
    assert ids.contains(high, low).tolist() == [True] * 6 + [False] * 5
    ids.add(high[6:10], low[6:10])
    assert len(ids) == 10


@pytest.mark.parametrize("most", [0, -1, MOST_KEYS + 1])
def test_a_set_of_impossible_size_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match=f"at most {most} keys: give 1 to {MOST_KEYS}"):
        IdSet(most)
