"""What does one version of a campaign file say that another does not? Key by key, in the words of the files."""

from collections.abc import Iterator

from campaigns.problems import Report, shown
from campaigns.reader_nodes import ListNode, MappingNode, Node, ScalarNode, compose

_NAMED_BY = ("offer", "segment", "name")
"""Keys by which an entry of a list is known, wherever it stands in the list."""


def differences(before: str, after: str) -> list[str]:
    """Lines such as `offers.warm.valid_for: 45m → 1h`, in the order of the files; what is new has a `+`, gone a `-`.

    Both are texts that can be read.
    """
    was, now = (dict(_flat(compose(Report(text, "")))) for text in (before, after))
    lines = [f"- {key}: {value}" for key, value in was.items() if key not in now]
    for key, value in now.items():
        if key not in was:
            lines.append(f"+ {key}: {value}")
        elif was[key] != value:
            lines.append(f"{key}: {was[key]} → {value}")
    return lines


def _flat(node: Node | None, path: str = "") -> Iterator[tuple[str, str]]:
    match node:
        case ScalarNode(text):
            yield path, shown(text) if not text or text != text.strip() else text
        case ListNode(items) if all(isinstance(item, ScalarNode) for item in items):
            yield path, f"[{', '.join(item.text for item in items if isinstance(item, ScalarNode))}]"
        case ListNode(items):
            for number, item in enumerate(items):
                yield from _flat(item, _joined(path, _name(item) or str(number + 1)))
        case MappingNode(entries):
            for key, (_, value) in entries.items():
                yield from _flat(value, _joined(path, key))


def _name(node: Node) -> str | None:
    if isinstance(node, MappingNode):
        for key in _NAMED_BY:
            if key in node.entries and isinstance(found := node.entries[key][1], ScalarNode):
                return found.text
    return None


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
