"""Which stores are in this GeoJSON text? Strict JSON in, stores out."""

import json
from collections import Counter

from m2s.core.base.errors import Invalid
from m2s.core.places.geojson import read_collection
from m2s.core.places.store import Store


def read_geojson(text: str, default_timezone: str | None = None) -> list[Store]:
    """The stores of a GeoJSON FeatureCollection.

    `default_timezone` (IANA) is for features that name none. Raises Invalid with all problems: no store of a
    text with problems is returned. NaN, Infinity and members that come twice are not JSON here.
    """
    try:
        document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_members)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"this is not JSON: {error.msg} at {where}", code="json") from None
    except RecursionError:
        raise Invalid("this JSON is nested too deeply", code="json") from None
    except ValueError as error:
        raise Invalid(f"this is not JSON: {error}", code="json") from None
    return read_collection(document, default_timezone)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the member {twice!r} comes twice in one object")
    return members
