"""Is what is wrong with a value said in plain words, for every pattern and kind that the API has?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m2s.entry.api.sentences import PATTERNS, of_msgspec, of_pydantic
from tests.entry.api.wiring import Service


def patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        for item in value.values():
            yield from patterns(item)
    elif isinstance(value, list):
        for item in value:
            yield from patterns(item)


def test_every_pattern_of_the_document_has_its_sentence(shared: Service) -> None:
    found = set(patterns(shared.call("GET", "/openapi.json").json()))
    # Amounts have a reader of their own, with its own sentence.
    amounts = {pattern for pattern in found if pattern.startswith("^[0-9]{1,8}")}
    assert found - amounts == set(PATTERNS)


def test_a_pattern_or_kind_without_a_sentence_is_not_shown() -> None:
    pattern = {"type": "string_pattern_mismatch", "msg": "should match '^x$'", "ctx": {"pattern": "^x$"}}
    for said in (
        of_pydantic(pattern),
        of_pydantic({"type": "new_kind", "msg": "Input should be '^x$'"}),
        of_msgspec("/a", "Expected `str` matching regex '^x$'")[1],
        of_msgspec("/a", "Something new about 'x^'")[1],
    ):
        assert "^" not in said
        assert "/openapi.json" in said


def test_null_is_never_said_to_be_allowed() -> None:
    assert of_msgspec("/at", "Expected `datetime | null`, got `int`") == (
        "/at",
        "write text, not a whole number",
    )
    assert of_msgspec("/a", "Expected `float`, got `null`") == ("/a", "write a number, not null")
