from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.coupon import RANDOM_BYTES, make_code, normalize

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODES = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES).map(make_code)
PLACES = [place for place in range(14) if place not in (4, 9)]


def accepted(text: str) -> bool:
    try:
        normalize(text)
    except ValueError:
        return False
    return True


@given(code=CODES)
def test_a_code_is_three_groups_of_symbols_without_look_alikes(code: str) -> None:
    assert re.fullmatch(rf"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{2}}", code)
    assert not set("01ILO") & set(code)


@given(code=CODES)
def test_a_code_survives_how_people_type_it(code: str) -> None:
    bare = code.replace("-", "")
    typed = (code, code.lower(), bare, f" {bare[:3]} {bare[3:]}\t", "-".join(bare))
    assert {normalize(text) for text in typed} == {code}


@given(code=CODES)
def test_every_single_wrong_symbol_is_caught(code: str) -> None:
    for place in PLACES:
        for symbol in ALPHABET:
            wrong = code[:place] + symbol + code[place + 1 :]
            assert accepted(wrong) is (wrong == code)


@given(code=CODES)
def test_every_swap_of_two_symbols_is_caught(code: str) -> None:
    for first in PLACES:
        for second in PLACES:
            symbols = list(code)
            symbols[first], symbols[second] = symbols[second], symbols[first]
            assert accepted("".join(symbols)) is ("".join(symbols) == code)


def test_different_bytes_give_different_codes() -> None:
    codes = {make_code(number.to_bytes(RANDOM_BYTES, "big")) for number in range(5_000)}
    assert len(codes) == 5_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this one has 0"),
        ("ABCD-EFGH", "this one has 8"),
        ("ABCD-EFGH-JKM0", "never holds '0'"),
        ("2222-2222-2223", "the last character does not fit"),
        ("A" * 1000, "far longer"),
        ("ßßßßßß", "the last character does not fit"),
    ],
)
def test_what_is_no_code_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalize(text)


@given(text=st.text(alphabet=ALPHABET.lower() + "01IL- ", max_size=80) | st.text(max_size=80))
def test_any_text_is_refused_as_a_value_or_read_to_a_code_that_stays(text: str) -> None:
    if accepted(text):
        assert normalize(normalize(text)) == normalize(text)


def test_a_code_needs_exactly_its_random_bytes() -> None:
    with pytest.raises(ValueError, match="needs 16 random bytes, not 8"):
        make_code(bytes(8))
