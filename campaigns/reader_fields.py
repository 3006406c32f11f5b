"""How are the keys of one mapping read? Each exactly once, each wrong one reported, and reading goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from campaigns.outline import Named, Reference, StoreOutline
from campaigns.problems import Report, shown, suggestion
from campaigns.reader_nodes import ListNode, MappingNode, Node, ScalarNode
from campaigns.reader_shapes import Flag, One, Parse, Part, Section, Several, Value
from campaigns.smslaw import SmsRules
from campaigns.values import BadValueError, is_ambiguous

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """What reading a file gathers besides the campaign. `stores` are those that take part, as far as they are known.

    `sms` are the rules of the house for SMS, None where they are not asked.
    """

    report: Report
    sms: SmsRules | None = None
    stores: Sequence[StoreOutline] = ()
    references: list[Reference] = field(default_factory=list)

    def refer(self, kind: Named, node: ScalarNode) -> None:
        """Note a name that is to be looked up among the stores."""
        self.references.append(Reference(kind, node.text, node.at))

    def parse(self, node: Node, parse: Parse[T], *, word: bool = False) -> T | None:
        """The meaning of a single value; None, with a problem noted, when it has none.

        `word`: a text is expected, so what older YAML would take for something else needs quotes.
        """
        if not isinstance(node, ScalarNode):
            found = "a list" if isinstance(node, ListNode) else "a mapping"
            hint = "one value; a text that begins with { or [ needs quotes"
            self._add(node, "wrong_type", detail=f"{found} where one value is expected", hint=hint)
            return None
        if node.plain and node.text in ("", "~"):
            self._add(node, "missing_value", detail="no value", hint="write the value or remove the key")
            return None
        if word and node.plain and is_ambiguous(node.text):
            detail = f"{node.text} without quotes is not a text to every YAML reader"
            self._add(node, "ambiguous", detail=detail, hint=f'write "{node.text}"')
            return None
        try:
            return parse(node.text)
        except BadValueError as error:
            self._add(node, error.code, detail=error.detail, hint=error.hint)
            return None

    def value(self, node: Node, value: Value[T]) -> T | None:
        """As `parse`, by the table; what is to be looked up among the stores is noted."""
        found = self.parse(node, value.parse, word=value.quoted)
        if found is not None and value.named is not None and isinstance(node, ScalarNode):
            self.refer(value.named, node)
        return found

    def _add(self, node: Node, code: str, *, detail: str, hint: str) -> None:
        if not self.report.has(node.at):
            self.report.add(node.at, code, detail=detail, hint=hint)


class Fields:
    """One mapping with a closed list of keys; keys that are not in the list are reported at once."""

    def __init__(self, reading: Reading, node: MappingNode, *, what: str, allowed: tuple[str, ...]) -> None:
        self.reading = reading
        self.what = what
        self.unknown = [key for key in node.entries if key not in allowed]
        self._node = node
        listed = "allowed: " + ", ".join(allowed)
        for key in self.unknown:
            near = suggestion(key, allowed)
            detail = f"{shown(key)} is not a key of {what}"
            hint = f"{near} {listed}" if near else listed
            reading.report.add(node.entries[key][0].at, "unknown_key", detail=detail, hint=hint)

    def node(self, key: str) -> Node | None:
        """What stands under a key, unread."""
        return self._node.entries[key][1] if key in self._node.entries else None

    def at(self, key: str) -> int:
        """Where the value of a key stands; where the mapping begins when the key is absent."""
        found = self.node(key)
        return self._node.at if found is None else found.at

    def problem(self, key: str, code: str, *, detail: str, hint: str | None = None) -> None:
        """Note a problem at the value of a key."""
        self.reading.report.add(self.at(key), code, detail=detail, hint=hint)

    def optional(self, key: str, parse: Parse[T], *, word: bool = False) -> T | None:
        """The value of a key; None when it is absent or wrong."""
        node = self.node(key)
        return None if node is None else self.reading.parse(node, parse, word=word)

    def required(self, key: str, parse: Parse[T], *, word: bool = False) -> T | None:
        """The value of a key that must be there; None, with a problem noted, when it is absent or wrong."""
        if self.present(key):
            return self.optional(key, parse, word=word)
        return None

    def present(self, key: str) -> bool:
        """Whether a key that must be there is; notes a problem when it is not."""
        if key in self._node.entries:
            return True
        self.reading.report.add(self._node.at, "missing_key", detail=f"{self.what} needs {key}:")
        return False

    def flag(self, key: str) -> bool | None:
        """`true` or `false`, without quotes."""
        node = self.node(key)
        if isinstance(node, ScalarNode) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        if node is not None and not self.reading.report.has(node.at):
            found = shown(node.text) if isinstance(node, ScalarNode) else "this"
            self.problem(
                key, "bad_value", detail=f"{found} is neither true nor false", hint="true or false, no quotes"
            )
        return None

    def several(self, key: str, parse: Parse[T], *, word: bool = False) -> list[tuple[T, ScalarNode]]:
        """The values of a key that holds one value or a list, each with its node; wrong ones are left out."""
        node = self.node(key)
        if node is None:
            return []
        if isinstance(node, ListNode) and not node.items:
            self.problem(
                key, "empty_list", detail="the list is empty", hint="name at least one or remove the key"
            )
        found: list[tuple[T, ScalarNode]] = []
        for item in node.items if isinstance(node, ListNode) else (node,):
            value = self.reading.parse(item, parse, word=word)
            if value is not None and isinstance(item, ScalarNode):
                found.append((value, item))
        return found

    def one(self, key: One[T]) -> T | None:
        """The value of a key of the table; None when it is absent or wrong."""
        node = self._wanted(key.name, required=key.required)
        return None if node is None else self.reading.value(node, key.value)

    def all(self, key: Several[T]) -> list[tuple[T, ScalarNode]]:
        """The values of a key of the table, each with its node; none when it is absent, wrong ones are left out."""
        self._wanted(key.name, required=key.required)
        found = self.several(key.name, key.value.parse, word=key.value.quoted)
        if key.value.named is not None:
            for _, node in found:
                self.reading.refer(key.value.named, node)
        return found

    def truth(self, key: Flag) -> bool | None:
        """The `true` or `false` of a key of the table; None when it is absent or wrong."""
        self._wanted(key.name, required=key.required)
        return self.flag(key.name)

    def part(self, key: Part) -> "Fields | None":
        """The mapping under a key of the table; None when it is absent or none."""
        node = self._wanted(key.name, required=key.required)
        return None if node is None else open_part(self.reading, node, key.section)

    def _wanted(self, key: str, *, required: bool) -> Node | None:
        if required and not self.present(key):
            return None
        return self.node(key)

    def section(self, key: str, *, what: str, allowed: tuple[str, ...]) -> "Fields | None":
        """The mapping under a key; None when it is absent or not a mapping."""
        node = self.node(key)
        return None if node is None else open_section(self.reading, node, what=what, allowed=allowed)


def open_section(reading: Reading, node: Node, *, what: str, allowed: tuple[str, ...]) -> Fields | None:
    """The fields of a node that must be a mapping; None, with a problem noted, when it is not."""
    if isinstance(node, MappingNode):
        return Fields(reading, node, what=what, allowed=allowed)
    if not reading.report.has(node.at):
        hint = "keys with values: " + ", ".join(f"{key}: …" for key in allowed)
        reading.report.add(node.at, "wrong_type", detail=f"{what} is a mapping", hint=hint)
    return None


def open_part(reading: Reading, node: Node, section: Section) -> Fields | None:
    """The fields of a node that must be a mapping of the table; None, with a problem noted, when it is not."""
    return open_section(reading, node, what=section.what, allowed=section.names)
