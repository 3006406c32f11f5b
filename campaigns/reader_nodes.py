"""What does a YAML text say, and where? A tree of texts with their places; limits apply while it grows.

The only module that knows the YAML library. Scalars stay texts: nothing is guessed from how they look.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from re import MULTILINE
from re import compile as pattern
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError

from campaigns.problems import Report, shown
from campaigns.reader_syntax import Mistake, find_mistake

MAX_BYTES = 256 * 1024
MAX_NODES = 2_000
MAX_DEPTH = 20

_DIRECTIVE = pattern(r"\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*%")
_TAB_INDENT = pattern(r"^ *\t", MULTILINE)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text; `plain` when it stands without quotes, `at` is the character index at which it begins."""

    text: str
    plain: bool
    at: int


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list of nodes."""

    items: "tuple[Node, ...]"
    at: int


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys with their values, in the order written."""

    entries: "dict[str, tuple[ScalarNode, Node]]"
    at: int


Node = ScalarNode | ListNode | MappingNode


@dataclass(slots=True)
class _Frame:
    is_mapping: bool
    at: int
    children: list[Node] = field(default_factory=list)


class _StopReadingError(Exception):
    """The text cannot be read further; the problem is in the report."""


def compose(report: Report, *, what: str = "campaign") -> Node | None:
    """The tree of the report's text, or None when it cannot be read at all; problems go to the report.

    A file describes one thing, `what`, whose key is to stand first.

    Refused: more than `MAX_BYTES`, `MAX_NODES` or `MAX_DEPTH`, anchors, aliases, merge keys, tags,
    directives, duplicate keys, several documents.
    """
    try:
        _refuse_before_parsing(report)
        root = _build(_events(report), report, what=what)
    except _StopReadingError:
        return None
    if root is None:
        report.add(0, "empty", detail="the file is empty", hint=f"begin with {what}: and an id")
    return root


def _refuse_before_parsing(report: Report) -> None:
    text = report.text
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        report.add(0, "too_large", detail=f"the file is larger than {MAX_BYTES // 1024} KiB")
        raise _StopReadingError
    if found := _DIRECTIVE.match(text):
        report.add(
            found.end() - 1, "directive", detail="YAML directives are not used", hint="remove this line"
        )
        raise _StopReadingError


def _events(report: Report) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe", pure=True).parse(report.text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = min(mark.index, len(report.text)) if mark else 0
        if _stop_at_tab(report, at):
            raise _StopReadingError from None
        mistake = find_mistake(report.text, at) or Mistake(
            at,
            f"not YAML: {error.problem or error.context}",
            'a text that holds ": " or "#" or begins with one of {[&*!|>%@ needs quotes',
        )
        report.add(mistake.at, "not_yaml", detail=mistake.detail, hint=mistake.hint)
        raise _StopReadingError from None
    except ReaderError as error:
        report.add(error.position, "character", detail="a character that YAML does not allow")
        raise _StopReadingError from None
    except (ValueError, OverflowError, AssertionError, IndexError, TypeError, AttributeError) as error:
        # The library lets these escape on malformed escapes and numbers instead of its own error.
        report.add(0, "not_yaml", detail=f"not YAML: {shown(str(error))}")
        raise _StopReadingError from None


def _stop_at_tab(report: Report, at: int) -> bool:
    line_start = report.text.rfind("\n", 0, at) + 1
    found = _TAB_INDENT.match(report.text, line_start)
    if found is None:
        return False
    report.add(found.end() - 1, "tab", detail="a tab in the indentation", hint="indent with spaces")
    return True


def _build(events: Iterator[Any], report: Report, *, what: str) -> Node | None:
    stack: list[_Frame] = []
    root: Node | None = None
    nodes = 0
    for event in events:
        done: Node | None = None
        if isinstance(event, DocumentStartEvent):
            if root is not None:
                _stop(report, event, code="documents", detail=f"a second document: one file is one {what}")
        elif isinstance(event, CollectionEndEvent):
            done = _close(stack.pop(), report)
        elif isinstance(event, NodeEvent):
            nodes += 1
            if nodes > MAX_NODES:
                _stop(report, event, code="too_many_nodes", detail=f"more than {MAX_NODES} values")
            done = _open(event, stack, report=report)
        if done is None:
            continue
        if stack:
            stack[-1].children.append(done)
        else:
            root = done
    return root


def _open(event: Any, stack: list[_Frame], *, report: Report) -> Node | None:
    at = int(event.start_mark.index)
    _refuse_decorations(event, report)
    if isinstance(event, ScalarEvent):
        plain = event.style is None or event.style == ""
        return ScalarNode(str(event.value), plain=plain, at=at)
    if isinstance(event, AliasEvent):
        return ScalarNode("", plain=False, at=at)
    if len(stack) >= MAX_DEPTH:
        _stop(report, event, code="too_deep", detail=f"nested deeper than {MAX_DEPTH} levels")
    stack.append(_Frame(isinstance(event, MappingStartEvent), at))
    return None


def _refuse_decorations(event: Any, report: Report) -> None:
    at = int(event.start_mark.index)
    if isinstance(event, AliasEvent):
        detail = f"the alias *{event.anchor} is not allowed"
        report.add(
            at, "alias", detail=detail, hint="write the value out; a text that begins with * needs quotes"
        )
    elif event.anchor:
        detail = f"the anchor &{event.anchor} is not allowed"
        report.add(at, "anchor", detail=detail, hint="remove it; a text that begins with & needs quotes")
    if getattr(event, "ctag", None):
        detail = f"the tag {shown(str(event.tag))} is not allowed"
        report.add(at, "tag", detail=detail, hint="remove it; a text that begins with ! needs quotes")


def _close(frame: _Frame, report: Report) -> Node:
    if not frame.is_mapping:
        return ListNode(tuple(frame.children), frame.at)
    entries: dict[str, tuple[ScalarNode, Node]] = {}
    for key, value in zip(frame.children[::2], frame.children[1::2], strict=True):
        if not isinstance(key, ScalarNode):
            report.add(
                key.at, "key", detail="a key must be one word", hint="a text that begins with { needs quotes"
            )
        elif key.text == "<<" and key.plain:
            report.add(key.at, "merge_key", detail="merge keys are not allowed", hint="write the values out")
        elif key.text in entries:
            detail = f"the key {shown(key.text)} stands here a second time"
            report.add(key.at, "duplicate_key", detail=detail, hint="keep one of the two")
        else:
            # The library places an absent value at whatever follows; the reader looks for it at its key.
            absent = isinstance(value, ScalarNode) and value.plain and not value.text
            entries[key.text] = (key, ScalarNode("", plain=True, at=key.at) if absent else value)
    return MappingNode(entries, frame.at)


def _stop(report: Report, event: Any, *, code: str, detail: str) -> None:
    report.add(int(event.start_mark.index), code, detail=detail)
    raise _StopReadingError
