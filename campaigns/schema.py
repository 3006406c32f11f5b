"""What may a campaign file look like, for editors and other programs? A JSON Schema, made of the reader's tables.

It says which keys and forms of values exist. What depends on more than one place (dates in order, a closing buffer
that needs `open`, placeholders, stores that exist) only the reader knows.
"""

from typing import Any

from campaigns import values
from campaigns.reader_area import KINDS
from campaigns.reader_keys import A_CAMPAIGN
from campaigns.reader_shapes import Flag, Geometry, Key, One, Part, Parts, Section, Several, Words

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def campaign_schema() -> dict[str, Any]:
    """The JSON Schema of a campaign file."""
    return {"$schema": DIALECT, "title": "m2s campaign"} | _section(A_CAMPAIGN)


def _section(section: Section) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {key.name: _described(key) for key in section.keys},
        "additionalProperties": False,
    }
    if required := [key.name for key in section.keys if key.required]:
        schema["required"] = required
    if section.one_of:
        schema["oneOf"] = [{"required": [name]} for name in section.one_of]
    if section.any_of:
        schema["anyOf"] = [{"required": [name]} for name in section.any_of]
    if section.needs:
        schema["dependentRequired"] = {name: [needed] for name, needed in section.needs.items()}
    return schema


def _described(key: Key) -> dict[str, Any]:
    shape = _shape(key)
    bounds = f" {shape['description']}" if "description" in shape else ""
    return shape | {"description": key.about + bounds}


def _shape(key: Key) -> dict[str, Any]:
    match key:
        case One(value=value):
            return dict(value.schema)
        case Several(value=value):
            one = dict(value.schema)
            return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
        case Flag(only=only):
            return {"type": "boolean"} if only is None else {"const": only}
        case Part(section=section):
            return _section(section)
        case Parts(section=section, by_name=None):
            return {"type": "array", "items": _section(section), "minItems": 1}
        case Parts(section=section, by_name=names):
            return _by_name({} if names is None else dict(names.schema), _section(section))
        case Words(longest=longest):
            text = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S"}
            return _by_name({"enum": sorted(values.LANGUAGES)}, text)
        case Geometry():
            return _AREA


def _by_name(names: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "propertyNames": names, "additionalProperties": item, "minProperties": 1}


def _list(item: dict[str, Any], least: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": least}


_POLYGON = _list(_list(_list({"type": "number", "minimum": -180, "maximum": 180}, 2) | {"maxItems": 2}, 4), 1)
_AREA: dict[str, Any] = {
    "type": "object",
    "properties": {"type": {"enum": list(KINDS)}, "coordinates": {"type": "array"}},
    "required": ["type", "coordinates"],
    "additionalProperties": False,
    "oneOf": [
        {"properties": {"type": {"const": kind}, "coordinates": coordinates}}
        for kind, coordinates in zip(KINDS, (_POLYGON, _list(_POLYGON, 1)), strict=True)
    ],
}
