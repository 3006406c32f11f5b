"""Which mistake keeps a text from being YAML? The common ones, told where they were made, not where reading ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from re import MULTILINE, Match
from re import compile as pattern

from campaigns.problems import shown

_KEY_LINE = pattern(
    r"""^(?P<indent> *)(?P<dashes>(?:- +)*)(?P<name>[^\s:#'"\[{-][^:\n]*):(?=\s|$)[ \t]*(?P<value>[^\s#|>].*)?""",
    MULTILINE,
)
_DASHED_LINE = pattern(r"^ *-(?=[A-Za-z])", MULTILINE)

_QUOTED = {"'": pattern(r"'(?:[^']|'')*'"), '"': pattern(r'"(?:[^"\\]|\\[\s\S])*"')}
_AFTER_QUOTED = pattern(r"[ \t]*(?:[,\]}:\r\n]|\Z)|[ \t]+#")
_STRUCTURE = " \t\r\n,:-?[]{}"
_PLAIN = pattern(r"(?:(?!:(?:\s|$)| #)[^\n])+")
_PLAIN_IN_BRACKETS = pattern(r"(?:(?!:(?:\s|$)| #|[,\[\]{}])[^\n])+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was found at the character index `at`, and what would be right."""

    at: int
    detail: str
    hint: str


def find_mistake(text: str, at: int) -> Mistake | None:
    """The mistake for which reading ended at the character index `at`; None when it is none of those known here."""
    return _in_quotes(text, at) or _after_dash(text, at) or _in_indentation(text, at)


def _in_quotes(text: str, at: int) -> Mistake | None:
    for start, end, closed in _quoted(text):
        if start > at:
            return None
        quote = text[start]
        if not closed:
            return Mistake(
                start, f"the {quote} that opens here is never closed", f"end the text with {quote}"
            )
        if _AFTER_QUOTED.match(text, end):
            continue
        inside = text[start + 1 : end - 1]
        if "\n" in inside or inside.rstrip().endswith((":", ",", "{", "[")):
            hint = f"end the text with {quote} on the same line"
            return Mistake(start, f"the {quote} that opens here is not closed where its text ends", hint)
        column = start - text.rfind("\n", 0, start)
        detail = f"this {quote} ends the text that begins in column {column}, and more text follows"
        if quote == "'":
            return Mistake(
                end - 1, detail, "write an apostrophe twice (''), or put the text in double quotes"
            )
        return Mistake(end - 1, detail, 'write \\" inside the text, or put the text in single quotes')
    return None


def _quoted(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where each text in quotes begins and ends, and whether it is closed; comments and block texts are passed over."""
    at, depth = 0, 0
    while at < len(text):
        sign = text[at]
        if sign in _QUOTED:
            found = _QUOTED[sign].match(text, at)
            yield at, found.end() if found else len(text), found is not None
            at = found.end() if found else len(text)
        elif sign == "#":
            at = _line_end(text, at)
        elif sign in "|>" and not depth:
            at = _block_end(text, at)
        elif sign not in _STRUCTURE:
            found = (_PLAIN_IN_BRACKETS if depth else _PLAIN).match(text, at)
            at = found.end() if found else at + 1
        else:
            depth = max(0, depth + (sign in "[{") - (sign in "]}"))
            at += 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _block_end(text: str, at: int) -> int:
    """Where a text after `|` or `>` ends: before the next line that is not indented deeper than the line of its key."""
    start = text.rfind("\n", 0, at) + 1
    indent = len(text[start:at]) - len(text[start:at].lstrip(" "))
    end = _line_end(text, at)
    while end < len(text):
        line = text[end + 1 : _line_end(text, end + 1)]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            return end
        end = _line_end(text, end + 1)
    return end


def _after_dash(text: str, at: int) -> Mistake | None:
    """A dash without a space, in the line at which reading ended or the one before."""
    line = text.rfind("\n", 0, at) + 1
    before = text.rfind("\n", 0, max(0, line - 1)) + 1
    found = _DASHED_LINE.match(text, line) or _DASHED_LINE.match(text, before)
    if found is None:
        return None
    return Mistake(
        found.end() - 1, "there is no space after the -", "begin each offer with - offer: and an id"
    )


def _in_indentation(text: str, at: int) -> Mistake | None:
    """A key that begins in another column than those beside which it stands; for a list item, its dash."""
    here = _KEY_LINE.match(text, text.rfind("\n", 0, at) + 1)
    if here is None or at > here.end("name"):
        return None
    part = "dashes" if here["dashes"] else "name"
    column = _column(here, part)
    beside = None
    for line in reversed(list(_KEY_LINE.finditer(text, 0, here.start()))):
        if not line[part]:
            continue
        if _column(line, part) == column:
            return None
        if _column(line, part) < column and (
            beside is not None or (line["value"] is None and part == "name")
        ):
            break
        beside = line
        if part == "dashes" or _column(line, part) < column:
            break
    if beside is None:
        return None
    number = text.count("\n", 0, beside.start()) + 1
    detail = (
        f"{_named(here, part)} begins in column {column}, "
        f"but {_named(beside, part)} in line {number} in column {_column(beside, part)}"
    )
    hint = "what belongs together begins in the same column: count the spaces before it"
    return Mistake(here.start(part), detail, hint)


def _column(line: Match[str], part: str) -> int:
    return line.start(part) - line.start() + 1


def _named(line: Match[str], part: str) -> str:
    return shown(("- " if part == "dashes" else "") + line["name"])
