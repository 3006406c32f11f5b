"""What is wrong in a campaign file, where exactly, and what would be right?"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from re import compile as pattern

EXCERPT_WIDTH = 100
"""Characters of a line that an excerpt shows: a terminal's width with room for the line number."""

_SHOWN_LENGTH = 60
_LINE_BREAK = pattern(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1, `column` in characters.

    `code` is stable, `detail` says what was found, `hint` what would be right; `source_line` is the line
    as it stands in the file.
    """

    file: str
    line: int
    column: int
    code: str
    detail: str
    hint: str | None = None
    source_line: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.detail}{hint}"

    def excerpt(self) -> str:
        """The line with its number and, beneath, a caret under the column; long lines are cut around it."""
        start = max(0, self.column - 1 - EXCERPT_WIDTH // 2)
        cut = self.source_line[start : start + EXCERPT_WIDTH]
        before = self.source_line[start : self.column - 1]
        padding = "".join("\t" if character == "\t" else " " for character in before)
        number = str(self.line)
        return f"{number} | {_printable(cut)}\n{' ' * len(number)} | {padding}^"


class CampaignProblems(Exception):
    """A campaign file cannot be used; `problems` are all that was found, sorted by line and column."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column, problem.code))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Report:
    """Collects the problems of one text; places are character indexes into it."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self._flagged: set[int] = set()
        self._starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]

    def add(self, at: int, code: str, *, detail: str, hint: str | None = None) -> None:
        """Note that what stands at the character index `at` is wrong."""
        self._flagged.add(at)
        line = bisect_right(self._starts, at)
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        source_line = self.text[start:end].rstrip("\r\n")
        self.problems.append(Problem(self.file, line, at - start + 1, code, detail, hint, source_line))

    def has(self, at: int) -> bool:
        """Whether a problem is already noted at exactly this place."""
        return at in self._flagged


def shown(text: str) -> str:
    """The text in quotes, printable and short, for use inside a sentence."""
    cut = text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…"
    return f'"{_printable(cut.replace(chr(9), " "))}"'


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that the given one was probably meant to be, as a question; None when none is near."""
    near = get_close_matches(word[:_SHOWN_LENGTH].lower(), sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else None


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\t" else " " for character in text)
