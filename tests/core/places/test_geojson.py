"""Are stores read from GeoJSON as they were meant, and refused with all their problems when they are wrong?"""

from __future__ import annotations

from importlib.resources import files

import pytest

from m2s.core.base.errors import Invalid, Problem
from m2s.core.places.countries import COUNTRY_OF_TIMEZONE
from m2s.core.places.geojson import read_collection, store_to_feature
from m2s.core.places.store import StoreType
from m2s.core.places.zone import Circle, Polygon
from tests.core.places.stores import area_feature, collection, point_feature, stores

SQUARE = [[2.0, 48.0], [2.001, 48.0], [2.001, 48.001], [2.0, 48.001], [2.0, 48.0]]
UUID = "E2C56DB5-DFFB-48D2-B060-D0F5A71096E0"
BEACON = {"uuid": UUID, "major": 1, "minor": 2, "measured_power_dbm": -61, "place": "till"}


def problems_of(*features: object, default_timezone: str | None = None) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        read_collection(collection(*features), default_timezone)
    return caught.value.problems


def test_a_point_gets_the_premises_of_its_type_and_a_vicinity() -> None:
    (store,) = stores(point_feature("lyon-1", 45.76, 4.83, shop="supermarket"))
    assert store.store_type is StoreType.SUPERMARKET
    assert store.visit.dwell_min_s == 360
    assert [zone.id for zone in store.zones] == ["premises", "vicinity"]
    assert [zone.shape.reach_m for zone in store.zones] == [100.0, 300.0]
    assert (store.latitude, store.longitude) == (45.76, 4.83)
    assert store.country == "FR"


def test_a_polygon_is_the_premises_and_its_holes_are_outside() -> None:
    hole = [[2.0004, 48.0004], [2.0006, 48.0004], [2.0006, 48.0006], [2.0004, 48.0006], [2.0004, 48.0004]]
    feature = area_feature("paris-1", SQUARE)
    feature["geometry"] = {"type": "Polygon", "coordinates": [SQUARE, hole]}
    (store,) = stores(feature)
    assert isinstance(store.premises.shape, Polygon)
    assert store.premises.signed_distance_m(48.0002, 2.0002) < 0.0
    assert store.premises.signed_distance_m(48.0005, 2.0005) > 0.0


def test_a_multipolygon_is_one_area() -> None:
    other = [[lon + 0.01, lat] for lon, lat in SQUARE]
    feature = area_feature("paris-1", SQUARE)
    feature["geometry"] = {"type": "MultiPolygon", "coordinates": [[SQUARE], [other]]}
    (store,) = stores(feature)
    assert store.premises.signed_distance_m(48.0005, 2.0005) < 0.0
    assert store.premises.signed_distance_m(48.0005, 2.0105) < 0.0
    assert store.premises.signed_distance_m(48.0005, 2.005) > 200.0


@pytest.mark.parametrize(
    "geometry",
    [
        {
            "type": "Polygon",
            "coordinates": [
                [[179.999, 10.0], [-179.999, 10.0], [-179.999, 10.002], [179.999, 10.002], [179.999, 10.0]]
            ],
        },
        {
            "type": "MultiPolygon",
            "coordinates": [
                [[[179.999, 10.0], [180.0, 10.0], [180.0, 10.002], [179.999, 10.002], [179.999, 10.0]]],
                [[[-180.0, 10.0], [-179.999, 10.0], [-179.999, 10.002], [-180.0, 10.002], [-180.0, 10.0]]],
            ],
        },
    ],
)
def test_an_area_across_the_antimeridian_is_one_area(geometry: dict[str, object]) -> None:
    (store,) = stores(point_feature("fiji-1", 0, 0, timezone="Pacific/Fiji") | {"geometry": geometry})
    assert store.premises.area_m2 == pytest.approx(219.2 * 221.2, rel=0.001)
    for longitude in (180.0, -180.0, 179.9995, -179.9995):
        assert store.premises.signed_distance_m(10.001, longitude) < -50.0
    again = read_collection(collection(store_to_feature(store)))[0]
    assert again.premises.area_m2 == pytest.approx(store.premises.area_m2, rel=1e-9)


def test_openstreetmap_names_are_understood() -> None:
    feature = point_feature(
        "ignored",
        43.74,
        7.42,
        timezone=None,
        shop="clothes",
        brand="Zara",
        phone="+377 1",
        opening_hours="Mo-Sa 10:00-19:00",
        wheelchair="yes",
        level="1",
        **{"addr:housenumber": "30", "addr:street": "Rue A", "addr:postcode": "98000", "addr:city": "Monaco"},
    )
    feature["id"] = "node/267885935"
    (store,) = read_collection(collection(feature), "Europe/Monaco")
    assert store.id == "node-267885935"
    assert store.country == "MC"
    assert store.store_type is StoreType.FASHION
    assert store.address == "30 Rue A, 98000 Monaco"
    assert store.opening_hours == "Mo-Sa 10:00-19:00"


def test_a_german_address_has_its_number_last() -> None:
    street = {"addr:housenumber": "5", "addr:street": "Hauptstraße", "addr:country": "DE"}
    (store,) = stores(point_feature("essen", 51.0, 7.0, **street))
    assert store.address == "Hauptstraße 5"
    assert store.country == "DE"


def test_zones_beacons_and_rules_are_taken_over_and_written_back() -> None:
    feature = point_feature(
        "paris-1",
        48.0005,
        2.0005,
        tags=["bakery", "city"],
        currency="EUR",
        subdivision="57",
        premises_radius_m=55,
        visit={"dwell_min_s": 120, "gap_merge_s": 300, "max_accuracy_m": 40, "revisit_cooldown_s": 0},
        zones=[
            {"id": "vicinity", "radius_m": 250},
            {"id": "square", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
        ],
        beacons=[BEACON],
    )
    (store,) = stores(feature)
    assert [zone.id for zone in store.zones] == ["premises", "vicinity", "square"]
    assert store.visit.dwell_min_s == 120
    assert store.visit.max_accuracy_m == 40.0
    assert store.visit.revisit_cooldown_s == 0
    assert store.beacons[0].uuid == UUID.lower()
    assert isinstance(store.premises.shape, Circle)
    assert read_collection(collection(store_to_feature(store))) == [store]


def test_an_empty_list_of_zones_means_none() -> None:
    (store,) = stores(point_feature("paris-1", 48.0, 2.0, zones=[]))
    assert [zone.id for zone in store.zones] == ["premises"]


def with_geometry(geometry: object) -> dict[str, object]:
    return point_feature("a", 0, 0) | {"geometry": geometry}


BOW_TIE = [[2.0, 48.0], [2.001, 48.001], [2.001, 48.0], [2.0, 48.001], [2.0, 48.0]]


@pytest.mark.parametrize(
    ("feature", "where", "code", "says"),
    [
        (
            with_geometry({"type": "Point", "coordinates": [48.85, 102.35]}),
            ".geometry",
            "coordinates_range",
            "longitude first",
        ),
        (
            with_geometry({"type": "Point", "coordinates": [2.0, float("nan")]}),
            ".geometry",
            "coordinates_range",
            "nan",
        ),
        (with_geometry({"type": "Point", "coordinates": [True, 2]}), ".geometry", "geometry", "longitude"),
        (
            with_geometry({"type": "Point", "coordinates": [10**400, 2]}),
            ".geometry",
            "coordinates_range",
            "±180",
        ),
        (
            with_geometry({"type": "Polygon", "coordinates": [BOW_TIE]}),
            ".geometry",
            "geometry_invalid",
            "Self-intersection[2.0005 48.0005]",
        ),
        (
            with_geometry({"type": "Polygon", "coordinates": [SQUARE[:-1]]}),
            ".geometry",
            "ring_not_closed",
            "[2, 48]",
        ),
        (
            with_geometry({"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}),
            ".geometry",
            "geometry_too_large",
            "km",
        ),
        (
            with_geometry({"type": "LineString", "coordinates": SQUARE}),
            ".geometry",
            "geometry_type",
            "Polygon",
        ),
        (with_geometry(None), ".geometry", "geometry", "None"),
        (point_feature("a", 48, 2, name=None), ".name", "required", "name"),
        (point_feature("a", 48, 2, name=" "), ".name", "required", "name"),
        (point_feature("a", 48, 2, name=7), ".name", "type", "text"),
        (point_feature("a", 48, 2, timezone=None), ".timezone", "required", "Europe/Paris"),
        (point_feature("a", 48, 2, timezone="Europe/Pari"), ".timezone", "timezone", "'Europe/Paris'"),
        (point_feature("a", 48, 2, timezone="../../etc/passwd"), ".timezone", "timezone", "IANA"),
        (point_feature("a", 48, 2, timezone="Asia/Thimphu"), ".country", "required", "Asia/Thimphu"),
        (point_feature("a", 48, 2, country="France"), ".country", "country", "two letters"),
        (point_feature("a", 48, 2, currency="euro"), ".currency", "currency", "EUR"),
        (point_feature("a", 48, 2, opening_hours="Mo-Fr 8"), ".opening_hours", "opening_hours", "column 7"),
        (point_feature("a", 48, 2, opening_hour="24/7"), ".opening_hour", "unknown_key", "'opening_hours'"),
        (point_feature("a", 48, 2, store_type="shop"), ".store_type", "store_type", "convenience"),
        (point_feature("a", 48, 2, tags=[1]), ".tags", "type", "list of texts"),
        (point_feature("a", 48, 2, tags=["half \ud800"]), ".tags", "text", "printable"),
        (point_feature("a", 48, 2, tags=["x" * 251]), ".tags", "text", "250"),
        (
            point_feature("a", 48, 2, **{"addr:street": "x" * 200, "addr:city": "y" * 100}),
            ".address",
            "text",
            "302",
        ),
        (point_feature("a", 48, 2) | {"propertys": {}}, ".propertys", "unknown_key", "'properties'"),
        (point_feature("a", 48, 2, premises_radius_m=True), ".premises_radius_m", "type", "number"),
        (point_feature("a", 48, 2, premises_radius_m=1e9), ".premises_radius_m", "range", "5000"),
        (point_feature("a", 48, 2, visit={"dwell_s": 3}), ".visit.dwell_s", "unknown_key", "'dwell_min_s'"),
        (point_feature("a", 48, 2, visit={"dwell_min_s": 90.5}), ".visit.dwell_min_s", "type", "whole"),
        (point_feature("a", 48, 2, visit=[]), ".visit", "type", "object"),
        (area_feature("a", SQUARE, premises_radius_m=50), ".premises_radius_m", "premises_radius_m", "area"),
        (point_feature("a", 48, 2, zones={}), ".zones", "type", "list"),
        (point_feature("a", 48, 2, zones=[{"id": "near"}]), ".zones[0]", "zone", "radius_m or geometry"),
        (
            point_feature("a", 48, 2, zones=[{"id": "premises", "radius_m": 50}]),
            ".zones[0].id",
            "duplicate",
            "own geometry",
        ),
        (
            point_feature("a", 48, 2, zones=[{"id": "x", "radius_m": 50}, {"id": "x", "radius_m": 60}]),
            ".zones[1].id",
            "duplicate",
            "twice",
        ),
        (
            point_feature(
                "a", 48, 2, zones=[{"id": "x", "geometry": {"type": "Point", "coordinates": [2, 48]}}]
            ),
            ".zones[0].geometry",
            "geometry_type",
            "radius_m",
        ),
        (
            point_feature("a", 48, 2, beacons=[BEACON | {"major": 70000}]),
            ".beacons[0].major",
            "range",
            "65535",
        ),
        (point_feature("a", 48, 2, beacons=[BEACON | {"uuid": "12"}]), ".beacons[0].uuid", "uuid", "UUID"),
        (
            point_feature("a", 48, 2, beacons=[{"uuid": UUID, "major": 1}]),
            ".beacons[0].minor",
            "required",
            "minor",
        ),
        (
            point_feature("a", 48, 2, beacons=[BEACON | {"power": 1}]),
            ".beacons[0].power",
            "unknown_key",
            "'power'",
        ),
    ],
)
def test_a_wrong_feature_is_refused_by_name_and_place(
    feature: dict[str, object], where: str, code: str, says: str
) -> None:
    (problem,) = problems_of(point_feature("fine", 1, 1), feature)
    assert problem.pointer == f"features[1] (a){where}"
    assert problem.code == code
    assert says in problem.detail


@pytest.mark.parametrize(
    ("store_id", "says"), [("Lyon Bellecour", "'lyon-bellecour'"), ("é", "a-z"), (None, "lyon-bellecour")]
)
def test_an_id_that_cannot_be_is_refused_with_one_that_can(store_id: object, says: str) -> None:
    (problem,) = problems_of(point_feature("x", 48, 2) | {"id": store_id})
    assert problem.pointer == "features[0].id"
    assert says in problem.detail


def test_stores_and_beacons_that_come_twice_name_where_they_were_first() -> None:
    found = problems_of(
        point_feature("a", 48, 2, beacons=[BEACON]),
        point_feature("b", 48, 2, beacons=[BEACON | {"uuid": UUID.replace("-", "").lower()}]),
        point_feature("a", 48, 2),
    )
    assert [(problem.pointer, problem.code) for problem in found] == [
        ("features[1] (b)", "duplicate"),
        ("features[2] (a)", "duplicate"),
    ]
    assert "features[0] (a)" in found[0].detail


def test_a_beacon_that_comes_twice_in_one_store_is_refused() -> None:
    (problem,) = problems_of(point_feature("a", 48, 2, beacons=[BEACON, BEACON]))
    assert problem.code == "duplicate"


def test_all_problems_of_a_file_are_told_at_once() -> None:
    found = problems_of(point_feature("a", 99, 200, name=None), 7, point_feature("b", 1, 1, tags=3))
    assert [problem.code for problem in found] == ["coordinates_range", "required", "feature", "type"]


@pytest.mark.parametrize("document", [None, [], {}, {"type": "Feature"}, {"type": "FeatureCollection"}])
def test_what_is_no_collection_is_refused(document: object) -> None:
    with pytest.raises(Invalid):
        read_collection(document)


def test_an_unknown_member_of_a_collection_is_refused_beside_the_problems_of_its_features() -> None:
    document = collection(point_feature("a", 48, 2, name=None)) | {"time_zone": "Europe/Paris"}
    with pytest.raises(Invalid) as caught:
        read_collection(document)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        ("time_zone", "unknown_key"),
        ("features[0] (a).name", "required"),
    ]


def test_the_members_that_mapping_programs_add_are_taken() -> None:
    added = {
        "bbox": [2, 48, 2, 48],
        "name": "shops",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "attribution": "© OpenStreetMap contributors",
        **{"generator": "overpass-turbo", "copyright": "ODbL", "timestamp": "2026-01-01T00:00:00Z"},
    }
    feature = point_feature("a", 48, 2) | {"bbox": [2, 48, 2, 48]}
    assert [store.id for store in read_collection(collection(feature) | added)] == ["a"]


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:EPSG::3857", 7, None])
def test_coordinates_of_another_system_are_refused(crs: object) -> None:
    named = {"type": "name", "properties": {"name": crs}}
    with pytest.raises(Invalid) as caught:
        read_collection(collection(point_feature("a", 48, 2)) | {"crs": named})
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [("crs", "crs")]


def test_the_countries_of_time_zones_are_those_of_the_time_zone_database() -> None:
    table = files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    published = {row[2]: row[0] for row in rows}
    assert len(COUNTRY_OF_TIMEZONE) >= 90
    for timezone, country in COUNTRY_OF_TIMEZONE.items():
        assert published[timezone] == country
