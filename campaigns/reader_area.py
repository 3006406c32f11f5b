"""Which area does a GeoJSON geometry in a campaign file enclose?"""

from re import compile as pattern

from campaigns.area import Area, Ring
from campaigns.problems import shown
from campaigns.reader_fields import Fields
from campaigns.reader_nodes import ListNode, Node, ScalarNode
from campaigns.values import BadValueError

KINDS = ("Polygon", "MultiPolygon")

_NUMBER = pattern(r"-?[0-9]{1,3}(?:\.[0-9]{1,15})?")
_HINT = "{type: Polygon, coordinates: [[[2.29, 48.85], [2.31, 48.85], [2.31, 48.87], [2.29, 48.85]]]}"


class _NoAreaError(Exception):
    """What stands at the character index `at` keeps the geometry from being one."""

    def __init__(self, at: int, detail: str) -> None:
        self.at = at
        super().__init__(detail)


def read_area(fields: Fields, key: str) -> Area | None:
    """The area under a key; None when it is absent, or with a problem noted when it is none."""
    section = fields.section(key, what="an area", allowed=("type", "coordinates"))
    if section is None:
        return None
    kind = section.required("type", _kind)
    coordinates = section.node("coordinates") if section.present("coordinates") else None
    if kind is None or coordinates is None:
        return None
    try:
        found = [coordinates] if kind == "Polygon" else _items(coordinates, "polygons")
        area = Area(tuple(_polygon(node) for node in found))
    except _NoAreaError as error:
        fields.reading.report.add(error.at, "bad_area", detail=str(error), hint=_HINT)
        return None
    if flaw := area.flaw():
        section.problem("coordinates", "bad_area", detail=f"this encloses no area: {flaw}", hint=_HINT)
        return None
    return area


def _kind(text: str) -> str:
    if text not in KINDS:
        raise BadValueError(f"{shown(text)} is not an area", f"one of {', '.join(KINDS)}")
    return text


def _items(node: Node, what: str) -> tuple[Node, ...]:
    if not isinstance(node, ListNode) or not node.items:
        raise _NoAreaError(node.at, f"here stands a list of {what}")
    return node.items


def _polygon(node: Node) -> tuple[Ring, ...]:
    return tuple(_ring(ring) for ring in _items(node, "rings"))


def _ring(node: Node) -> Ring:
    ring = tuple(_position(item) for item in _items(node, "positions"))
    if len(ring) < 4 or ring[0] != ring[-1]:
        raise _NoAreaError(node.at, "a ring has at least four positions, the last as the first")
    return ring


def _position(node: Node) -> tuple[float, float]:
    items = _items(node, "two numbers")
    if len(items) != 2:
        raise _NoAreaError(node.at, "a position is two numbers, the longitude first")
    longitude, latitude = (_number(item) for item in items)
    if abs(longitude) > 180 or abs(latitude) > 90:
        raise _NoAreaError(node.at, "this is nowhere: a position is longitude, then latitude")
    return longitude, latitude


def _number(node: Node) -> float:
    if not isinstance(node, ScalarNode) or not node.plain or not _NUMBER.fullmatch(node.text):
        raise _NoAreaError(node.at, "here stands a number, as in 2.29")
    return float(node.text)
