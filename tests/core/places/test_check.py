"""Does the check name what makes visits unsure, and leave good stores alone?"""

from __future__ import annotations

from m2s.core.places.check import check_stores
from tests.core.places.stores import area_feature, point_feature, stores

OPEN = {"opening_hours": "Mo-Sa 09:00-19:00"}
BEACON = {"uuid": "e2c56db5dffb48d2b060d0f5a71096e0", "major": 1, "minor": 1}


def codes(*features: object) -> list[tuple[str | None, str, str]]:
    return [(found.store_id, found.severity, found.code) for found in check_stores(stores(*features))]


def test_a_good_store_has_no_findings() -> None:
    assert codes(point_feature("a", 48, 2, premises_radius_m=100, **OPEN)) == []
    assert codes(point_feature("a", 48, 2, premises_radius_m=60, beacons=[BEACON], **OPEN)) == []
    assert check_stores([]) == []


def test_premises_that_are_too_small_for_positions_need_beacons() -> None:
    assert codes(point_feature("a", 48, 2, premises_radius_m=30, **OPEN)) == [
        ("a", "error", "radius_too_small")
    ]
    assert codes(point_feature("a", 48, 2, premises_radius_m=30, beacons=[BEACON], **OPEN)) == []
    tiny = area_feature("a", [[2.0, 48.0], [2.0005, 48.0], [2.0, 48.0005], [2.0, 48.0]], **OPEN)
    assert codes(tiny) == [("a", "error", "radius_too_small")]


def test_all_stores_of_the_usual_size_without_beacons_share_one_note() -> None:
    small = [point_feature(f"s{place}", 48, 2 + place, shop="bakery", **OPEN) for place in range(3)]
    (found,) = check_stores(stores(*small))
    assert (found.store_id, found.severity, found.code) == (None, "note", "radius_small")
    assert found.detail.startswith("3 stores have no beacon")


def test_missing_hours_and_zones_are_named() -> None:
    assert codes(point_feature("a", 48, 2, premises_radius_m=100, zones=[])) == [
        ("a", "warning", "no_hours"),
        ("a", "warning", "no_zones"),
    ]


def test_overlapping_premises_are_named_at_both_stores_across_the_antimeridian() -> None:
    ring = [[180.0, 10.0], [-179.998, 10.0], [-179.998, 10.002], [180.0, 10.002], [180.0, 10.0]]
    fiji = {"timezone": "Pacific/Fiji", **OPEN}
    features = [
        point_feature("circle", 10.001, 179.9995, premises_radius_m=110, **fiji),
        area_feature("square", ring, **fiji),
        point_feature("far", 10.001, 179.99, premises_radius_m=110, **fiji),
    ]
    assert codes(*features) == [("circle", "warning", "overlap"), ("square", "warning", "overlap")]


def test_neighbours_that_only_touch_do_not_overlap() -> None:
    left = [[2.0, 48.0], [2.002, 48.0], [2.002, 48.002], [2.0, 48.002], [2.0, 48.0]]
    right = [[lon + 0.002, lat] for lon, lat in left]
    assert codes(area_feature("a", left, **OPEN), area_feature("b", right, **OPEN)) == []
