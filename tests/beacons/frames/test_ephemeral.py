"""Rotating identities: the published vectors, and whose identity is told within two periods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.frames.ephemeral import ephemeral_id, resolve

KEY = bytes(range(16))
KEYS = st.binary(min_size=16, max_size=16)


@pytest.mark.parametrize(
    ("clock_s", "told"),
    [
        (0, "df8e76bbfec4efc5"),
        (1023, "df8e76bbfec4efc5"),
        (1024, "f7a6081d867e3474"),
        (65_541, "ec31ae4cb8abc2d8"),
    ],
)
def test_identities_are_those_of_the_published_algorithm(clock_s: int, told: str) -> None:
    assert ephemeral_id(KEY, clock_s, exponent=10).hex() == told
    assert resolve(bytes.fromhex(told), KEY, clock_s, exponent=10) == 0


@given(KEYS, st.integers(2**20, 2**31), st.integers(0, 15), st.integers(-4, 4))
def test_a_clock_may_be_two_periods_off(key: bytes, clock_s: int, exponent: int, off: int) -> None:
    found = ephemeral_id(key, clock_s + (off << exponent), exponent=exponent)
    assert resolve(found, key, clock_s, exponent=exponent) == (off if abs(off) <= 2 else None)


@given(KEYS, KEYS)
def test_another_key_does_not_resolve(key: bytes, other: bytes) -> None:
    found = ephemeral_id(key, 5_000, exponent=10)
    assert (resolve(found, other, 5_000, exponent=10) is not None) == (key == other)


def test_a_clock_at_its_ends_is_resolved() -> None:
    for clock_s in (0, 2**32 - 1):
        assert resolve(ephemeral_id(KEY, clock_s, exponent=10), KEY, clock_s, exponent=10) == 0


@pytest.mark.parametrize(("clock_s", "exponent"), [(-1, 10), (2**32, 10), (0, 16), (0, -1)])
def test_what_cannot_be_is_refused(clock_s: int, exponent: int) -> None:
    with pytest.raises(ValueError, match="it is 0 to"):
        ephemeral_id(KEY, clock_s, exponent=exponent)


@pytest.mark.parametrize("length", [15, 24, 32])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"the key has {length} bytes; it has 16"):
        ephemeral_id(bytes(length), 0, exponent=10)
