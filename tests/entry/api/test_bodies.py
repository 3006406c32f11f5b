"""Is a body read within its limits, and JSON more strictly than usual?"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from m2s.core.base.errors import Invalid, M2sError, TooLarge
from m2s.entry.api.bodies import (
    ClientGoneError,
    media_type,
    nested_deeper,
    read_body,
    read_json,
    with_nul_for_half_pairs,
    with_numbers_for_constants,
)
from m2s.entry.api.problems import Malformed, UnsupportedMedia
from m2s.entry.api.room import Room

GZIP = [(b"content-encoding", b"gzip")]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab[]{}"\\', max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


class Wire:
    """What arrives from a client, message by message; notes how much was taken."""

    def __init__(self, chunks: Iterable[bytes], *, gone: bool = False) -> None:
        self.chunks = list(chunks)
        self.gone = gone
        self.taken = 0

    async def receive(self) -> Message:
        if self.taken == len(self.chunks):
            assert self.gone, "read past the end of the body"
            return {"type": "http.disconnect"}
        chunk = self.chunks[self.taken]
        self.taken += 1
        return {
            "type": "http.request",
            "body": chunk,
            "more_body": self.gone or self.taken < len(self.chunks),
        }


def read(wire: Wire, headers: list[tuple[bytes, bytes]] | None = None, *, limit: int = 1000) -> bytes:
    with Room().hold() as held:
        return asyncio.run(read_body(wire.receive, headers or [], limit=limit, held=held, gzip_allowed=True))


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert read(Wire([b"a" * 600, b"b" * 400])) == b"a" * 600 + b"b" * 400


def test_a_body_over_the_limit_is_refused_while_it_arrives() -> None:
    wire = Wire([b"a" * 600] * 100)
    with pytest.raises(TooLarge):
        read(wire)
    assert wire.taken == 2


def test_an_announced_length_over_the_limit_is_refused_before_anything_arrives() -> None:
    wire = Wire([b"a"])
    with pytest.raises(TooLarge):
        read(wire, [(b"content-length", b"1001")])
    assert wire.taken == 0


@pytest.mark.parametrize("length", [b"1", b"-5", b"abc", b""])
def test_a_length_that_lies_changes_nothing(length: bytes) -> None:
    with pytest.raises(TooLarge):
        read(Wire([b"a" * 1001]), [(b"content-length", length)])


def test_gzip_is_inflated_across_chunks() -> None:
    packed = gzip.compress(b"some text " * 50)
    assert read(Wire([packed[:7], packed[7:9], packed[9:]]), GZIP) == b"some text " * 50


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000])
def test_gzip_is_inflated_whole_at_every_step(size: int) -> None:
    text = bytes(Random(1).choices(b" \n", k=size))
    assert read(Wire([gzip.compress(text)]), GZIP, limit=size) == text


def test_what_inflates_too_far_is_refused_though_it_is_within_the_limit() -> None:
    packed = gzip.compress(bytes(500_000), 9)
    assert read(Wire([gzip.compress(bytes(60_000), 9)]), GZIP, limit=60_000) == bytes(60_000)
    with pytest.raises(TooLarge, match="100 times"):
        read(Wire([packed]), GZIP, limit=500_000)


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    packed = gzip.compress(bytes(50_000_000), 9)
    wire = Wire([packed[start : start + 500] for start in range(0, len(packed), 500)])
    with pytest.raises(TooLarge):
        read(wire, GZIP)
    assert wire.taken <= 2


def test_a_gzip_bomb_is_refused_by_its_first_steps() -> None:
    packed = gzip.compress(bytes(50_000_000), 9)
    with pytest.raises(TooLarge, match="100 times"):
        read(Wire([packed]), GZIP, limit=1_000_000)


def test_others_have_their_turn_while_a_body_is_inflated() -> None:
    text = bytes(Random(1).choices(b" \n", k=1_000_000))

    async def turns_of_others() -> int:
        with Room().hold() as held:
            wire = Wire([gzip.compress(text)])
            reading = asyncio.ensure_future(
                read_body(wire.receive, GZIP, limit=len(text), held=held, gzip_allowed=True)
            )
            turns = 0
            while not reading.done():
                await asyncio.sleep(0)
                turns += 1
            assert reading.result() == text
            return turns

    assert asyncio.run(turns_of_others()) >= len(text) // 65_536


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(b"abc")[:-4], gzip.compress(b"abc") + b"more", gzip.compress(b"a") * 2, b""],
    ids=["other", "cut off", "more behind", "two members", "empty"],
)
def test_bad_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(Wire([body]), GZIP)


@pytest.mark.parametrize("encoding", [b"br", b"deflate", b"gzip, gzip", b"zstd"])
def test_other_encodings_are_not_read(encoding: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        read(Wire([b"abc"]), [(b"content-encoding", encoding)])


def test_a_client_that_goes_away_leaves_no_body() -> None:
    with pytest.raises(ClientGoneError):
        read(Wire([b"{"], gone=True))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "{'a': 1}",
        "[1] x",
        "\ufeff[]",
        "9" * 5000,
        "[" * 100_000,
        "[1,]",
    ],
)
def test_what_is_not_json_is_malformed_and_not_repeated(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_json(text.encode())
    assert "9999" not in caught.value.detail


@pytest.mark.parametrize("body", ["[]".encode("utf-16"), b'"\xff"', b'"\xed\xa0\x80"'])
def test_only_utf_8_is_read(body: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        read_json(body)


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ('{"a": [1e999]}', "/a/0", "number_out_of_range"),
        ('{"a": {"b": "\\ud800"}}', "/a/b", "bad_character"),
        ('{"a": "x\\u0000"}', "/a", "bad_character"),
        ('{"a": "\\u001b"}', "/a", "bad_character"),
        ('{"\\u0000": 1}', "", "bad_character"),
        ('{"a": 1, "a": 2}', "", "duplicate_key"),
    ],
)
def test_values_that_nothing_could_store_are_refused_by_name(text: str, pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_json(text.encode())
    assert [(item.pointer, item.code) for item in caught.value.problems] == [(pointer, code)]


@pytest.mark.parametrize(
    ("body", "place", "why"),
    [
        (b'{"a": NaN}', "byte 6 (line 1, column 7)", "NaN and Infinity are not numbers"),
        (b'{"a": -Infinity}', "byte 7 (line 1, column 8)", "NaN and Infinity are not numbers"),
        (b'{\n  "\xc3\xa9": 1,\n}', "byte 13 (line 3, column 1)", "trailing comma in object"),
        (b'{"\xc3\xa9": x}', "byte 7 (line 1, column 7)", "invalid character"),
        (b'{"a": "\n"}', "byte 7 (line 1, column 8)", "control characters are written as escapes"),
        (b'{"a": ', "byte 6 (line 1, column 7)", "it ends too early"),
        (b"", "byte 0 (line 1, column 1)", "it ends too early"),
        (b"{} secret", "byte 3 (line 1, column 4)", "trailing characters"),
    ],
)
def test_what_is_no_json_is_refused_by_its_place(body: bytes, place: str, why: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_json(body)
    assert caught.value.detail == f"the body is not JSON at {place}: {why}"


def test_a_number_of_too_many_digits_is_refused_without_its_digits() -> None:
    with pytest.raises(Malformed) as caught:
        read_json(b'{"a": ' + b"9" * 5000 + b"}")
    assert caught.value.detail == "the body is not JSON: a number has too many digits"


@given(st.binary(max_size=60) | st.text('[]{}",:0e\\uNaIn-d8\x00', max_size=40).map(str.encode))
def test_only_numbers_that_are_none_are_replaced(body: bytes) -> None:
    replaced = with_numbers_for_constants(body)
    if b"NaN" not in body and b"Infinity" not in body:
        assert replaced == body
    with suppress(ValueError):
        assert json.loads(replaced) == json.loads(body, parse_constant=lambda _: math.inf)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[NaN, -Infinity ,Infinity]", b"[1e999, 1e999 ,1e999]"),
        (b'{"NaN": "[NaN]", "a": "\\"[NaN]"}', b'{"NaN": "[NaN]", "a": "\\"[NaN]"}'),
        (b"[1NaN, NaN1, --Infinity]", b"[1NaN, NaN1, --Infinity]"),
        (b'["[NaN]', b'["[NaN]'),
    ],
)
def test_a_constant_is_replaced_only_where_a_value_stands(body: bytes, expected: bytes) -> None:
    assert with_numbers_for_constants(body) == expected


def test_replacing_constants_is_linear_in_hostile_quotes() -> None:
    hostile = b'\\"' * 500_000 + b"\\"
    assert with_numbers_for_constants(hostile) == hostile
    assert with_numbers_for_constants(b'"' + hostile) == b'"' + hostile


@given(st.lists(st.sampled_from([r"\ud83d", r"\uDE00", r"\u00e9", r"\\", r"\"", "ud83d", "é"]), max_size=12))
def test_only_halves_of_surrogate_pairs_are_replaced(parts: list[str]) -> None:
    body = f'"{"".join(parts)}"'.encode()
    text = re.sub("[\ud800-\udfff]", "\0", json.loads(body))
    assert json.loads(with_nul_for_half_pairs(body)) == text


@given(values)
def test_the_reader_agrees_with_the_usual_one_on_ordinary_json(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(values, st.integers(0, 6))
def test_depth_is_measured_exactly(value: Any, levels: int) -> None:
    assert nested_deeper(json.dumps(value).encode(), levels) == (depth(value) > levels)


@given(st.binary(max_size=60) | st.text('[]{}",:0e\\uNa\x00', max_size=40).map(str.encode))
def test_no_bytes_cause_anything_but_a_refusal(body: bytes) -> None:
    with suppress(M2sError):
        read_json(body)


def test_a_media_type_is_read_without_its_parameters() -> None:
    assert media_type([(b"content-type", b"Application/JSON; charset=UTF-8")]) == "application/json"
    assert media_type([]) == ""
    with pytest.raises(UnsupportedMedia):
        media_type([(b"content-type", b"application/json; charset=latin-1")])
