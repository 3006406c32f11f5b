"""How is a person told what is wrong with a value? In our words, not those of the libraries that found it.

Nothing of what was sent is repeated, no pattern is shown, and null is never offered.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^[A-Za-z0-9_-]{1,64}$": "write 1 to 64 letters, digits, hyphens and underscores",
        r"^[\x21-\x7e]{16,255}$": "write 16 to 255 printable ASCII characters without spaces",
        r"^[\x21-\x7e]{1,255}$": "write 1 to 255 printable ASCII characters without spaces",
        "^[a-z]{2}$": "write two small letters, like fr",
        "^[a-z]{1,32}$": "write 1 to 32 small letters",
        "^[A-Za-z0-9_-]{1,128}$": "write 1 to 128 letters, digits, hyphens and underscores",
        "^[A-Z]{3}$": "write three capital letters, like EUR",
        "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$": (
            "write a UUID, like f7826da6-4fa2-4e98-8024-bc5b71e0893e"
        ),
    }
)
"""What each pattern of the API asks for."""
TIME = "write a time as RFC 3339 with its offset, like 2026-11-02T09:30:00+01:00"

_MISSING = "this is required"
_FINITE = "write a finite number"
_UNNAMED = "this value is not taken; /openapi.json says what is"
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "missing": _MISSING,
        "extra_forbidden": "there is no such field",
        "string_type": "write text",
        "bool_type": "write true or false",
        "bool_parsing": "write true or false",
        "int_type": "write a whole number",
        "int_parsing": "write a whole number",
        "int_parsing_size": "write a whole number",
        "int_from_float": "write a whole number",
        "float_type": "write a number",
        "float_parsing": "write a number",
        "finite_number": _FINITE,
        "dict_type": "write an object",
        "model_type": "write an object",
        "model_attributes_type": "write an object",
        "list_type": "write a list",
        "literal_error": "write one of {expected}",
        "string_too_short": "write at least {min_length} character{s}",
        "string_too_long": "write at most {max_length} character{s}",
        "too_short": "give at least {min_length} entr{ies}",
        "too_long": "give at most {max_length} entr{ies}",
        "greater_than_equal": "write at least {ge}",
        "less_than_equal": "write at most {le}",
        "decimal_max_digits": "write at most {max_digits} digit{s}",
        "decimal_whole_digits": "write at most {whole_digits} digit{s} before the point",
        "decimal_max_places": "write at most {decimal_places} digit{s} after the point",
    }
)
"""A sentence for each kind of pydantic's errors, filled from the error's limits."""
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "str": "text",
        "datetime": "text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }
)
"""What msgspec's types are in JSON."""
_LENGTHS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("str", ">="): "string_too_short",
        ("str", "<="): "string_too_long",
        ("array", ">="): "too_short",
        ("array", "<="): "too_long",
    }
)
_WRONG_TYPE = re.compile(r"Expected `(\w+)(?: \| null)?`(?:, got `(\w+)`)?")
_LENGTH = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)")
_BOUND = re.compile(r"Expected `\w+` (>=|<=) (\S+)")
_PATTERN = re.compile(r"Expected `str` matching regex '(.*)'")
_ABSENT = re.compile(r"Object missing required field `(\w+)`")


def of_pydantic(found: Mapping[str, Any]) -> str:
    """The sentence for one of pydantic's errors."""
    kind, limits = str(found["type"]), found.get("ctx", {})
    if kind == "value_error":
        return str(limits["error"])
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(limits["pattern"], _UNNAMED)
    return _filled(kind, limits)


def of_msgspec(place: str, message: str) -> tuple[str, str]:
    """The JSON pointer and the sentence for one of msgspec's messages, found at a pointer.

    A field that is missing moves the pointer to where it should be.
    """
    if absent := _ABSENT.fullmatch(message):
        return f"{place}/{absent[1]}", _MISSING
    return place, _said(message)


def _said(message: str) -> str:
    if "RFC3339" in message or "with a timezone" in message:
        return TIME
    if message.endswith("out of range"):
        return _FINITE
    if wrong := _WRONG_TYPE.fullmatch(message):
        wanted, got = _NAMES.get(wrong[1]), _NAMES.get(wrong[2])
        said = f"write {wanted}" if wanted else _UNNAMED
        return f"{said}, not {got}" if wanted and got not in (None, wanted) else said
    if length := _LENGTH.fullmatch(message):
        kind, most = _LENGTHS[length[1], length[2]], int(length[3])
        return _filled(kind, {"min_length": most, "max_length": most})
    if bound := _BOUND.fullmatch(message):
        kind, limit = ("greater_than_equal", "ge") if bound[1] == ">=" else ("less_than_equal", "le")
        return _filled(kind, {limit: float(bound[2])})
    if pattern := _PATTERN.fullmatch(message):
        return PATTERNS.get(pattern[1], _UNNAMED)
    return _UNNAMED


def _filled(kind: str, limits: Mapping[str, Any]) -> str:
    shown = {name: _shown(value) for name, value in limits.items()}
    one = "1" in shown.values()
    return _KINDS.get(kind, _UNNAMED).format_map(
        {**shown, "s": "" if one else "s", "ies": "y" if one else "ies"}
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("' or '", ", ").replace("'", "")
    return f"{value:.15g}" if isinstance(value, float) else str(value)
