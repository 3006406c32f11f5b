"""The city of the simulation says what its store file says."""

import itertools
import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from opening_hours import OpeningHours

from beacons.sim.world import World, parse_hours
from m2s.core.places.geojson import read_collection


def test_plain_hours_agree_with_the_opening_hours_library(city_document: dict[str, Any]) -> None:
    texts = {feature["properties"].get("opening_hours") for feature in city_document["features"]} - {None}
    assert len(texts) >= 8
    for text in texts:
        oracle, week = OpeningHours(text), parse_hours(text)
        for quarter in range(7 * 24 * 4):
            at = datetime(2026, 11, 2) + timedelta(minutes=15 * quarter)  # noqa: DTZ001
            second = quarter * 900 % 86_400
            ours = any(first <= second < last for first, last in week[at.weekday()])
            assert ours == oracle.is_open(at), (text, at)


@pytest.mark.parametrize("text", ["Mo-Sa 09:30–19:30", "sunrise-sunset", "Mo-Xx 09:00-12:00", "9-12"])
def test_hours_beyond_the_plain_kind_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_hours(text)


def test_a_store_without_hours_keeps_those_of_the_street() -> None:
    week = parse_hours(None)
    assert week[0] == ((9 * 3600.0, 19 * 3600.0),)
    assert week[6] == ()


def test_the_city_has_twenty_shops_at_least_120_m_apart_whose_premises_do_not_touch(city: World) -> None:
    assert len(city.shops) == 20
    for one, other in itertools.combinations(city.shops.values(), 2):
        apart_m = math.dist(one.at, other.at)
        assert apart_m >= 120
        assert one.premises_radius_m + other.premises_radius_m < apart_m


def test_about_half_of_the_shops_have_an_entrance_and_a_till_beacon(city: World) -> None:
    with_beacons = [shop for shop in city.shops.values() if shop.beacons]
    assert 8 <= len(with_beacons) <= 12
    for shop in with_beacons:
        assert {beacon.place for beacon in shop.beacons} == {"entrance", "till"}
        assert all(shop.covers(beacon.at, "premises") for beacon in shop.beacons)
    identities = {(b.uuid, b.major, b.minor) for shop in with_beacons for b in shop.beacons}
    assert len(identities) == 2 * len(with_beacons)


def test_the_service_reads_the_same_city_from_the_same_file(
    city: World, city_document: dict[str, Any]
) -> None:
    stores = {store.id: store for store in read_collection(city_document)}
    assert stores.keys() == city.shops.keys()
    for shop in city.shops.values():
        store = stores[shop.id]
        assert store.visit.dwell_min_s == shop.dwell_min_s
        assert {zone.id for zone in store.zones} == {"premises", *shop.zones}
        for zone in store.zones:
            for step_m in range(0, 360, 15):
                for east, north in ((1.0, 0.0), (-0.6, 0.8), (0.0, -1.0)):
                    point = (shop.at[0] + east * step_m, shop.at[1] + north * step_m)
                    distance_m = zone.signed_distance_m(*city.degrees(point))
                    if abs(distance_m) > 8:
                        assert shop.covers(point, zone.id) == (distance_m < 0), (shop.name, zone.id, step_m)


def test_the_scenery_gives_the_places_between_which_people_walk(
    city: World, scenery_document: dict[str, Any]
) -> None:
    points = [feature["geometry"]["coordinates"] for feature in scenery_document["features"]]
    assert len(city.places) == len(points) > 400
    for place, (longitude, latitude) in zip(city.places, points, strict=True):
        assert city.degrees(place) == pytest.approx((latitude, longitude), abs=1e-9)


def test_a_city_without_scenery_is_refused(city_document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the scenery holds no place"):
        World.from_geojson(city_document, {"type": "FeatureCollection", "features": []})


def test_metres_and_degrees_are_inverse(city: World) -> None:
    latitude, longitude = city.degrees((321.0, -123.0))
    assert city.metres(longitude, latitude) == pytest.approx((321.0, -123.0), abs=1e-6)
