"""What does a store file say, field by field? Checked values, and each problem with its place in the file."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches

from m2s.core.base.errors import Problem

_LONGEST_WORD = 250
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)` when a known word is close, else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""


def shown(value: object) -> str:
    """A value as an error message shows it: short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def identifier_problem(value: str) -> str | None:
    """Why a text cannot be the id of a store or zone; None when it can."""
    if _ID.fullmatch(value):
        return None
    better = re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-_")[:64]
    advice = f"; {better!r} would do" if better else ""
    return (
        f"{shown(value)} is not 1 to 64 characters of a-z, 0-9, _ and -, the first a letter or digit{advice}"
    )


class Fields:
    """The members of one object of a file: typed reads that note problems instead of raising them.

    An absent member and null are the same. `pointer` says where the object is.
    """

    def __init__(self, values: Mapping[str, object], pointer: str, problems: list[Problem]) -> None:
        self.values = {key: value for key, value in values.items() if value is not None}
        self.pointer = pointer
        self.problems = problems

    def note(self, key: str | None, code: str, *, detail: str) -> None:
        """Keep a problem of a member, or of the object itself when `key` is None."""
        pointer = self.pointer if key is None else f"{self.pointer}.{key}"
        self.problems.append(Problem(pointer, code, detail))

    def text(self, *keys: str, most: int = 250, required: str | None = None) -> str | None:
        """The first of these members that is there: a text of at most `most` characters; blank is absent.

        `required` is what to say when it is absent, if that is a problem.
        """
        key = next((key for key in keys if key in self.values), keys[0])
        value = self.values.get(key, "")
        if not isinstance(value, str):
            self.note(key, "type", detail=f"{shown(value)} is not a text")
            return None
        if len(value) > most or not value.isprintable():
            self.note(key, "text", detail=f"a text of at most {most} printable characters is needed here")
            return None
        if required is not None and not value.strip():
            self.note(key, "required", detail=required)
        return value.strip() or None

    def number(self, key: str, *, low: float, high: float) -> float | None:
        """A finite number from `low` to `high`."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.note(key, "type", detail=f"{shown(value)} is not a number")
            return None
        if not low <= value <= high:
            self.note(key, "range", detail=f"{shown(value)} is not from {low:g} to {high:g}")
            return None
        return float(value)

    def whole(self, key: str, *, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`."""
        value = self.number(key, low=low, high=high)
        if value is not None and not value.is_integer():
            self.note(key, "type", detail=f"{value:g} is not a whole number")
            return None
        return None if value is None else int(value)

    def words(self, key: str) -> frozenset[str]:
        """A list of texts, or one text with `;` between them."""
        value = self.values.get(key, [])
        items: object = value.split(";") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.note(key, "type", detail=f"{shown(value)} is not a list of texts")
            return frozenset()
        if any(len(item) > _LONGEST_WORD or not item.isprintable() for item in items):
            detail = f"texts of at most {_LONGEST_WORD} printable characters are needed here"
            self.note(key, "text", detail=detail)
            return frozenset()
        return frozenset(item.strip() for item in items if item.strip())

    def child(self, key: str) -> "Fields | None":
        """The object at a member."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.note(key, "type", detail=f"{shown(value)} is not an object")
            return None
        return Fields(value, f"{self.pointer}.{key}", self.problems)

    def children(self, key: str) -> Iterator["Fields"]:
        """The objects of the list at a member."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            self.note(key, "type", detail=f"{shown(value)} is not a list")
            return
        for place, item in enumerate(value):
            if isinstance(item, dict):
                yield Fields(item, f"{self.pointer}.{key}[{place}]", self.problems)
            else:
                self.note(f"{key}[{place}]", "type", detail=f"{shown(item)} is not an object")

    def refuse_unknown(self, known: Collection[str], *, but: Callable[[str], bool] = lambda _: False) -> None:
        """Note every member that is not known, except those that `but` lets pass."""
        for key in self.values:
            if key not in known and not but(key):
                self.note(key, "unknown_key", detail=f"{key!r} is not known here{did_you_mean(key, known)}")
