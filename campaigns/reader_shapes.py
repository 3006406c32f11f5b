"""What can stand under a key of a campaign file? The shapes that its tables are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from re import Pattern
from typing import Any, Generic, TypeVar

from campaigns import values
from campaigns.outline import Named

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Parse = Callable[[str], T]
"""Returns the meaning of a text or raises BadValueError."""


@dataclass(frozen=True, slots=True)
class Value(Generic[T_co]):
    """One value: how its text is read, and what JSON Schema says of it.

    `quoted`: a text that older YAML would take for something else needs quotes. `named` is looked up among the stores.
    """

    parse: Parse[T_co]
    schema: Mapping[str, Any]
    quoted: bool = False
    named: Named | None = None


@dataclass(frozen=True, slots=True)
class One(Generic[T_co]):
    """A key with one value."""

    name: str
    about: str
    value: Value[T_co]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Several(Generic[T_co]):
    """A key with one value or a list of them."""

    name: str
    about: str
    value: Value[T_co]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """A key that is true or false; with `only`, nothing but that."""

    name: str
    about: str
    only: bool | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A key with a mapping."""

    name: str
    about: str
    section: "Section"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """A key with a list of mappings of one kind, or where `by_name` is given, with a mapping of such names to them."""

    name: str
    about: str
    section: "Section"
    required: bool = False
    by_name: Value[str] | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """A key with a text for each language."""

    name: str
    about: str
    longest: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Geometry:
    """A key with a GeoJSON Polygon or MultiPolygon."""

    name: str
    about: str
    required: bool = False


Key = One[Any] | Several[Any] | Flag | Part | Parts | Words | Geometry


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping: what it is in a sentence, and its keys; any other key is refused.

    Exactly one of the keys `one_of` is there, at least one of `any_of`, and where a key of `needs` is, what it needs.
    """

    what: str
    keys: tuple[Key, ...]
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    needs: Mapping[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its keys, in order."""
        return tuple(key.name for key in self.keys)


def formed(form: Pattern[str], *examples: str) -> dict[str, Any]:
    """What JSON Schema says of a text of this form."""
    return {"type": "string", "pattern": f"^(?:{form.pattern})$", "examples": list(examples)}


def identifier(named: Named | None = None) -> Value[str]:
    """An id."""
    schema = formed(values.ID_FORM, "croissant-november")
    return Value(values.identifier, schema, quoted=True, named=named)


def words(most: int, named: Named | None = None) -> Value[str]:
    """A text of at most so many characters."""
    schema = {"type": "string", "minLength": 1, "maxLength": most, "pattern": r"\S"}
    return Value(values.words(most), schema, quoted=True, named=named)


def choice(*allowed: str) -> Value[str]:
    """One of the given words."""
    return Value(values.choice(*allowed), {"type": "string", "enum": list(allowed)})


def integer(least: int, most: int) -> Value[int]:
    """A whole number within the given bounds."""
    return Value(values.integer(least, most), {"type": "integer", "minimum": least, "maximum": most})


def duration(least: str, most: str) -> Value[Any]:
    """A length of time within the given bounds."""
    schema = formed(values.DURATION_FORM, "45m", "2h", "3d")
    return Value(values.duration(least, most), schema | {"description": f"From {least} to {most}."})
