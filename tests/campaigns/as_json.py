"""What does an editor see of a campaign file, and which keys of the reader's tables does it use?"""

from __future__ import annotations

from re import compile as pattern
from typing import Any

from campaigns.problems import Report
from campaigns.reader_nodes import ListNode, MappingNode, Node, compose
from campaigns.reader_shapes import Key, Part, Parts, Section

# The core schema of YAML 1.2, but for octal and hexadecimal numbers.
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = pattern(r"[-+]?[0-9]{1,4000}")
_FLOAT = pattern(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


def as_json(text: str) -> Any:
    """A YAML text as YAML 1.2 reads it and JSON has it: days and durations are texts."""
    report = Report(text, "text")
    root = compose(report)
    assert root is not None, [str(problem) for problem in report.problems]
    return plain(root)


def plain(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    if node.plain and node.text in _WORDS:
        return _WORDS[node.text]
    if node.plain and _INTEGER.fullmatch(node.text):
        return int(node.text)
    if node.plain and _FLOAT.fullmatch(node.text):
        return float(node.text)
    return node.text


def every_key(section: Section) -> set[str]:
    """Every key that a file can have, with what it is a key of; one that stands in several places counts once."""
    found = {f"{section.what}: {name}" for name in section.names}
    for key in section.keys:
        if isinstance(key, Part | Parts):
            found |= every_key(key.section)
    return found


def used(value: Any, section: Section) -> set[str]:
    """The keys that a file has, as `every_key` tells them."""
    keys: dict[str, Key] = {key.name: key for key in section.keys}
    found = {f"{section.what}: {name}" for name in value}
    for name, inner in value.items():
        key = keys[name]
        for each in _mappings(key, inner):
            assert isinstance(key, Part | Parts)
            found |= used(each, key.section)
    return found


def _mappings(key: Key, inner: Any) -> list[Any]:
    if isinstance(key, Part):
        return [inner]
    if isinstance(key, Parts):
        return list(inner.values()) if key.by_name else inner
    return []
