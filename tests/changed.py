"""How does a test say "the same, but"? One `replace` for dataclasses and for Structs."""

import dataclasses
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")


def replace(value: T, **changes: object) -> T:
    """A copy of a dataclass or a Struct with some of its fields changed."""
    if isinstance(value, msgspec.Struct):
        return cast(T, msgspec.structs.replace(value, **changes))
    return cast(T, dataclasses.replace(value, **changes))  # type: ignore[type-var]
