"""Which stores does a GeoJSON document describe, and how is a store written as a feature?

Pure: objects in, stores out; all problems of a document at once, and then no store at all.
"""

import re
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from m2s.core.base.errors import Invalid, Problem
from m2s.core.places.countries import COUNTRY_OF_TIMEZONE
from m2s.core.places.fields import Fields, did_you_mean, identifier_problem, shown
from m2s.core.places.hours import hours_of
from m2s.core.places.shapes import read_geometry, write_geometry
from m2s.core.places.store import Beacon, Store, StoreType, store_type_of_shop
from m2s.core.places.store_parts import read_beacon, read_visit, read_zones, written_zone
from m2s.core.places.zone import PREMISES, Circle, Polygon

_OSM_KEYS = frozenset(["@id", "id", "ref", "name", "brand", "phone", "opening_hours", "shop"])
_OWN_KEYS = frozenset(
    ["timezone", "country", "subdivision", "address", "currency", "tags", "store_type", "visit", "zones"]
)
KNOWN_KEYS = _OSM_KEYS | _OWN_KEYS | {"premises_radius_m", "beacons"}
"""The properties of a store. Keys with a colon, and all keys of OpenStreetMap features, may stand beside."""

_FEATURE_MEMBERS = frozenset(["type", "id", "bbox", "geometry", "properties"])
_PROVENANCE = frozenset(["attribution", "copyright", "generator", "license", "source", "timestamp"])
_COLLECTION_MEMBERS = _PROVENANCE | {"type", "features", "bbox", "name", "crs"}
"""GeoJSON's own, and what mapping programs and OpenStreetMap's exports write beside."""

_ONLY_CRS = re.compile(r"(?i).*(CRS84|EPSG:.*4326)")
"""WGS 84, as the GeoJSON of 2008 named it."""
_LONGEST_ADDRESS = 250

_OSM_ID = re.compile(r"(node|way|relation)/(\d+)")
_NUMBER_FIRST = frozenset(["AU", "CA", "FR", "GB", "IE", "LU", "MC", "NZ", "US"])
"""Where the house number stands before the street."""


def read_collection(document: object, default_timezone: str | None = None) -> list[Store]:
    """The stores of a GeoJSON FeatureCollection (a decoded JSON document).

    `default_timezone` (IANA) is for features that name none. Raises Invalid with all problems.
    """
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise Invalid("stores are a GeoJSON FeatureCollection", code="geojson")
    if not isinstance(features, list):
        raise Invalid("a FeatureCollection has a list of `features`", code="geojson")
    problems: list[Problem] = []
    for key in sorted(document.keys() - _COLLECTION_MEMBERS):
        hint = did_you_mean(key, _COLLECTION_MEMBERS)
        problems.append(
            Problem(key, "unknown_key", f"{shown(key)} is not known in a FeatureCollection{hint}")
        )
    if "crs" in document and not _is_wgs84(document["crs"]):
        detail = "coordinates are WGS 84 degrees, longitude first; convert them and leave `crs` out"
        problems.append(Problem("crs", "crs", detail))
    pointed = ((f"features[{i}]", item) for i, item in enumerate(features))
    return _read(pointed, default_timezone, problems=problems)


def read_features(features: Iterable[tuple[str, object]], default_timezone: str | None = None) -> list[Store]:
    """The stores of GeoJSON features, each with the pointer that its problems are to carry.

    Raises Invalid with all problems of all features.
    """
    return _read(features, default_timezone, problems=[])


def _read(
    features: Iterable[tuple[str, object]], default_timezone: str | None, *, problems: list[Problem]
) -> list[Store]:
    stores: list[Store] = []
    taken: dict[str, str] = {}
    for pointer, feature in features:
        store = _read_feature(feature, pointer, default_timezone=default_timezone, problems=problems)
        if store is None:
            continue
        where = f"{pointer} ({store.id})"
        beacons = [f"beacon {beacon.uuid} {beacon.major} {beacon.minor}" for beacon in store.beacons]
        for name in (f"store {store.id!r}", *beacons):
            if name in taken:
                problems.append(Problem(where, "duplicate", f"{name} is already at {taken[name]}"))
            taken.setdefault(name, where)
        stores.append(store)
    if problems:
        what = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise Invalid(f"{what} in the stores; nothing was imported", code="stores", problems=problems)
    return stores


def store_to_feature(store: Store) -> dict[str, object]:
    """The GeoJSON feature of a store; reading it gives an equal store."""
    premises = store.premises.shape
    properties: dict[str, object] = {
        "name": store.name,
        "brand": store.brand,
        "address": store.address,
        "phone": store.phone,
        "opening_hours": store.opening_hours,
        "timezone": store.timezone,
        "country": store.country,
        "subdivision": store.subdivision,
        "currency": store.currency,
        "tags": sorted(store.tags),
        "store_type": store.store_type.value,
        "visit": {
            "dwell_min_s": store.visit.dwell_min_s,
            "gap_merge_s": store.visit.gap_merge_s,
            "max_accuracy_m": store.visit.max_accuracy_m,
            "revisit_cooldown_s": store.visit.revisit_cooldown_s,
        },
        "premises_radius_m": premises.radius_m if isinstance(premises, Circle) else None,
        "zones": [written_zone(zone) for zone in store.zones if zone.id != PREMISES],
        "beacons": [{name: getattr(beacon, name) for name in Beacon.__slots__} for beacon in store.beacons],
    }
    return {
        "type": "Feature",
        "id": store.id,
        "geometry": write_geometry(premises)
        if isinstance(premises, Polygon)
        else {"type": "Point", "coordinates": [store.longitude, store.latitude]},
        "properties": {key: value for key, value in properties.items() if value is not None},
    }


def _is_wgs84(crs: object) -> bool:
    named = crs.get("properties") if isinstance(crs, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    return crs is None or (isinstance(name, str) and _ONLY_CRS.fullmatch(name) is not None)


def _read_feature(
    feature: object, pointer: str, *, default_timezone: str | None, problems: list[Problem]
) -> Store | None:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        problems.append(Problem(pointer, "feature", f"{shown(feature)} is not a GeoJSON Feature"))
        return None
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        problems.append(Problem(f"{pointer}.properties", "type", "a feature has an object of `properties`"))
        return None
    before = len(problems)
    store_id, from_osm = _identity(feature.get("id"), properties, pointer, problems)
    fields = Fields(properties, f"{pointer} ({store_id})" if store_id else pointer, problems)
    Fields(feature, fields.pointer, problems).refuse_unknown(_FEATURE_MEMBERS)
    fields.refuse_unknown(KNOWN_KEYS, but=lambda key: from_osm or ":" in key)
    geometry = read_geometry(feature.get("geometry"), f"{fields.pointer}.geometry", problems=problems)
    name = fields.text("name", required=None if from_osm else "a store needs a name")
    if name is None and from_osm:
        name = fields.text("brand") or store_id
    timezone = _timezone(fields, default_timezone)
    country = _country(fields, timezone)
    kind = _store_type(fields)
    visit = read_visit(fields.child("visit"), kind)
    zones = read_zones(fields, geometry, kind) if geometry is not None else ()
    store = Store(
        id=store_id or "",
        name=name or "",
        latitude=zones[0].shape.latitude if zones else 0.0,
        longitude=zones[0].shape.longitude if zones else 0.0,
        timezone=timezone or "",
        country=country or "",
        subdivision=fields.text("subdivision", most=10),
        currency=_currency(fields),
        brand=fields.text("brand"),
        address=_address(fields, country),
        phone=fields.text("phone", "contact:phone", most=60),
        opening_hours=_opening_hours(fields, timezone, country),
        tags=fields.words("tags"),
        store_type=kind,
        visit=visit,
        zones=zones,
        beacons=tuple(beacon for item in fields.children("beacons") if (beacon := read_beacon(item))),
    )
    return store if len(problems) == before else None


def _identity(
    feature_id: object, properties: Mapping[str, object], pointer: str, problems: list[Problem]
) -> tuple[str | None, bool]:
    """The store's id, and whether the feature is OpenStreetMap's (its id is like node/25230434)."""
    given = [feature_id, *(properties.get(key) for key in ("id", "@id", "ref"))]
    texts = [str(v) for v in given if isinstance(v, str | int) and not isinstance(v, bool)]
    from_osm = any(_OSM_ID.fullmatch(text) for text in texts)
    if not texts:
        problems.append(Problem(f"{pointer}.id", "required", "a store needs an id, such as lyon-bellecour"))
        return None, from_osm
    osm = _OSM_ID.fullmatch(texts[0])
    store_id = f"{osm.group(1)}-{osm.group(2)}" if osm else texts[0]
    wrong = identifier_problem(store_id)
    if wrong:
        problems.append(Problem(f"{pointer}.id", "id", wrong))
        return None, from_osm
    return store_id, from_osm


def _timezone(fields: Fields, default: str | None) -> str | None:
    named = fields.text("timezone", most=60) or default
    if named is None:
        fields.note("timezone", "required", detail="a store needs a time zone, such as Europe/Paris")
        return None
    try:
        return ZoneInfo(named).key
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(named, COUNTRY_OF_TIMEZONE)
        fields.note("timezone", "timezone", detail=f"{shown(named)} is not an IANA time zone{hint}")
        return None


def _country(fields: Fields, timezone: str | None) -> str | None:
    key = "country" if "country" in fields.values else "addr:country"
    named = fields.text(key, most=60)
    if named is not None and re.fullmatch(r"[A-Za-z]{2}", named):
        return named.upper()
    if named is not None:
        fields.note(key, "country", detail=f"{shown(named)} is not a country code of two letters, such as FR")
    elif timezone is not None and timezone not in COUNTRY_OF_TIMEZONE:
        fields.note("country", "required", detail=f"which country is {timezone} in? add country, such as FR")
    return COUNTRY_OF_TIMEZONE.get(timezone or "") if named is None else None


def _currency(fields: Fields) -> str | None:
    named = fields.text("currency", most=60)
    if named is not None and not re.fullmatch(r"[A-Z]{3}", named):
        fields.note("currency", "currency", detail=f"{shown(named)} is not a currency code such as EUR")
    return named


def _store_type(fields: Fields) -> StoreType:
    named = fields.text("store_type", most=60)
    if named is None:
        return store_type_of_shop(fields.text("shop"))
    if named in set(StoreType):
        return StoreType(named)
    kinds = ", ".join(StoreType)
    fields.note("store_type", "store_type", detail=f"{shown(named)} is not one of {kinds}")
    return StoreType.CONVENIENCE


def _address(fields: Fields, country: str | None) -> str | None:
    """One line: as given, else put together from OpenStreetMap's `addr:` tags in the country's order."""
    whole = fields.text("address", "addr:full", most=_LONGEST_ADDRESS)
    if whole is not None:
        return whole
    number, street = fields.text("addr:housenumber"), fields.text("addr:street", "addr:place")
    first = [number, street] if country in _NUMBER_FIRST else [street, number]
    second = [fields.text("addr:postcode"), fields.text("addr:city")]
    lines = [" ".join(part for part in parts if part) for parts in (first, second)]
    address = ", ".join(line for line in lines if line)
    if len(address) > _LONGEST_ADDRESS:
        detail = f"the addr: values make a line of {len(address)} characters; {_LONGEST_ADDRESS} at most"
        fields.note("address", "text", detail=detail)
    return address or None


def _opening_hours(fields: Fields, timezone: str | None, country: str | None) -> str | None:
    text = fields.text("opening_hours", most=1000)
    if text is not None:
        try:
            hours_of(text, timezone or "UTC", country or "")
        except Invalid as wrong:
            fields.note("opening_hours", wrong.code, detail=wrong.detail)
    return text
