"""Which visit rules, zones and beacons does a store's feature name?"""

import re
from uuid import UUID

from m2s.core.places.fields import Fields, identifier_problem, shown
from m2s.core.places.shapes import Position, read_geometry, write_geometry
from m2s.core.places.store import VICINITY_RADIUS_M, VISIT_DEFAULTS, Beacon, StoreType, VisitRules
from m2s.core.places.zone import PREMISES, VICINITY, Circle, Polygon, Zone

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

DEFAULT_POWER_DBM = -59
"""Power at 1 m of a beacon that does not say: what most iBeacons are sold with."""


def read_visit(fields: Fields | None, kind: StoreType) -> VisitRules:
    """The type's rules, with what the store overrides."""
    rules = VISIT_DEFAULTS[kind].rules
    if fields is None:
        return rules
    fields.refuse_unknown({"dwell_min_s", "gap_merge_s", "max_accuracy_m", "revisit_cooldown_s"})
    dwell_s = fields.whole("dwell_min_s", low=30, high=rules.dwell_max_s)
    gap_s = fields.whole("gap_merge_s", low=60, high=14_400)
    cooldown_s = fields.whole("revisit_cooldown_s", low=0, high=14_400)
    accuracy_m = fields.number("max_accuracy_m", low=5.0, high=500.0)
    return VisitRules(
        dwell_min_s=rules.dwell_min_s if dwell_s is None else dwell_s,
        beacon_dwell_min_s=rules.beacon_dwell_min_s,
        dwell_max_s=rules.dwell_max_s,
        gap_merge_s=rules.gap_merge_s if gap_s is None else gap_s,
        max_accuracy_m=rules.max_accuracy_m if accuracy_m is None else accuracy_m,
        revisit_cooldown_s=rules.revisit_cooldown_s if cooldown_s is None else cooldown_s,
    )


def read_zones(fields: Fields, geometry: Position | Polygon, kind: StoreType) -> tuple[Zone, ...]:
    """Premises first, then the approach zones: those that are named, else one vicinity circle."""
    radius_m = fields.number("premises_radius_m", low=10.0, high=5_000.0)
    if isinstance(geometry, Polygon):
        premises = Zone(PREMISES, geometry)
        if radius_m is not None:
            detail = "the geometry is an area already; leave one of the two out"
            fields.note("premises_radius_m", "premises_radius_m", detail=detail)
    else:
        default_m = VISIT_DEFAULTS[kind].premises_radius_m
        premises = Zone(PREMISES, Circle(geometry[1], geometry[0], radius_m or default_m))
    zones = {PREMISES: premises}
    for item in fields.children("zones"):
        zone = _zone(item, premises.shape)
        if zone is not None and zone.id in zones:
            reason = "is made from the feature's own geometry" if zone.id == PREMISES else "is there twice"
            item.note("id", "duplicate", detail=f"zone {zone.id!r} {reason}")
        elif zone is not None:
            zones[zone.id] = zone
    if "zones" not in fields.values:
        centre = premises.shape
        zones[VICINITY] = Zone(VICINITY, Circle(centre.latitude, centre.longitude, VICINITY_RADIUS_M))
    return tuple(zones.values())


def _zone(fields: Fields, centre: Circle | Polygon) -> Zone | None:
    fields.refuse_unknown({"id", "radius_m", "geometry"})
    zone_id = fields.text("id")
    wrong = identifier_problem(zone_id) if zone_id else "a zone needs an id, such as vicinity"
    if zone_id is None or wrong:
        fields.note("id", "id", detail=wrong or "")
        return None
    if ("radius_m" in fields.values) == ("geometry" in fields.values):
        fields.note(None, "zone", detail="a zone has either radius_m or geometry")
        return None
    if "radius_m" in fields.values:
        radius_m = fields.number("radius_m", low=10.0, high=50_000.0)
        return (
            None if radius_m is None else Zone(zone_id, Circle(centre.latitude, centre.longitude, radius_m))
        )
    pointer = f"{fields.pointer}.geometry"
    shape = read_geometry(fields.values["geometry"], pointer, problems=fields.problems)
    if isinstance(shape, Polygon):
        return Zone(zone_id, shape)
    if shape is not None:
        detail = "a zone is a Polygon or MultiPolygon; for a circle write radius_m"
        fields.note("geometry", "geometry_type", detail=detail)
    return None


def read_beacon(fields: Fields) -> Beacon | None:
    """One beacon; None with problems noted when it is not valid."""
    fields.refuse_unknown(Beacon.__slots__)
    for key in ("uuid", "major", "minor"):
        if key not in fields.values:
            fields.note(key, "required", detail=f"a beacon needs a {key}")
    uuid = fields.text("uuid")
    if uuid is not None and not _UUID.fullmatch(uuid):
        fields.note("uuid", "uuid", detail=f"{shown(uuid)} is not a UUID (32 hexadecimal digits)")
        return None
    major, minor = (fields.whole(key, low=0, high=65_535) for key in ("major", "minor"))
    power_dbm = fields.whole("measured_power_dbm", low=-128, high=20)
    if uuid is None or major is None or minor is None:
        return None
    power_dbm = DEFAULT_POWER_DBM if power_dbm is None else power_dbm
    return Beacon(str(UUID(uuid)), major, minor, power_dbm, fields.text("place", most=64))


def written_zone(zone: Zone) -> dict[str, object]:
    """An approach zone as `zones` has it."""
    if isinstance(zone.shape, Circle):
        return {"id": zone.id, "radius_m": zone.shape.radius_m}
    return {"id": zone.id, "geometry": write_geometry(zone.shape)}
