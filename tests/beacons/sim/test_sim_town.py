"""The built-in towns can be published to a service and walked in, and look as they are described."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from shapely import Polygon

from beacons.sim.town import LAYOUTS, town
from m2s.core.places.geojson import read_collection


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_service_reads_the_same_stores_that_shoppers_walk_in(layout: str) -> None:
    built = town(layout)
    stores = {store.id: store for store in read_collection(built.stores)}
    assert list(stores) == list(built.world.shops)
    for store_id, shop in built.world.shops.items():
        latitude, longitude = built.world.degrees(shop.at)
        assert stores[store_id].latitude == pytest.approx(latitude, abs=1e-6)
        assert stores[store_id].longitude == pytest.approx(longitude, abs=1e-6)
        assert [(b.uuid, b.major, b.minor) for b in stores[store_id].beacons] == [
            (b.uuid, b.major, b.minor) for b in shop.beacons
        ]
        assert all(shop.covers(beacon.at, "premises") for beacon in shop.beacons)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shops", [1, 5])
def test_a_town_has_as_many_shops_as_asked_and_they_do_not_overlap(layout: str, shops: int) -> None:
    world = town(layout, shops).world
    assert len(world.shops) == shops
    assert len(world.places) >= 7
    areas = [Polygon(shop.outline) for shop in world.shops.values() if shop.outline]
    assert all(a.intersection(b).area < 1.0 for a in areas for b in areas if a is not b)
    points = [shop for shop in world.shops.values() if not shop.outline]
    assert all(math.dist(a.at, b.at) > 2 * a.premises_radius_m for a in points for b in points if a is not b)


def test_neighbours_in_the_mall_share_walls() -> None:
    shops = list(town("mall").world.shops.values())
    rows = (shops[::2], shops[1::2])
    for row in rows:
        for a, b in pairwise(row):
            assert Polygon(a.outline).intersection(Polygon(b.outline).buffer(0.05)).area == pytest.approx(
                1.0, abs=0.1
            )


def test_the_department_store_has_a_beacon_in_each_department() -> None:
    (shop,) = town("beacon_aisles").world.shops.values()
    assert len(shop.departments) == 5
    assert len({beacon.place for beacon in shop.beacons}) == 7


def test_a_third_of_the_bakeries_and_every_second_shop_of_the_high_street_have_beacons() -> None:
    for layout, share in (("bakery_chain", 3), ("high_street", 2), ("retail_park", 6)):
        shops = list(town(layout).world.shops.values())
        assert sum(bool(shop.beacons) for shop in shops) == len(shops) / share
