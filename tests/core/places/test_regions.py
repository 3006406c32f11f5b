"""Do phones get the nearest regions, with stable names and a version that changes only with them?"""

from __future__ import annotations

import pytest

from m2s.core.places.regions import regions_near
from m2s.core.places.zone_index import ZoneIndex
from tests.core.places.stores import area_feature, point_feature, stores

TOWN = [point_feature(f"s{i}", 48.0 + i * 0.02, 2.0) for i in range(60)]


def test_the_nearest_twenty_come_first_and_none_beyond_them_can_come_near_unseen() -> None:
    index = ZoneIndex.build(stores(*TOWN))
    regions = regions_near(index, latitude=48.0, longitude=2.0, platform="ios", limit=50)
    assert [region.id for region in regions.items][:3] == ["s0/premises", "s0/vicinity", "s1/vicinity"]
    assert len(regions.items) == 20
    farthest_m = index.nearest(48.0, 2.0, limit=20)[-1][1]
    assert regions.refresh_after_m == pytest.approx(farthest_m / 2.0, abs=0.1)
    assert regions.refresh_after_s == 86_400


def test_android_may_watch_more() -> None:
    index = ZoneIndex.build(stores(*TOWN))
    assert len(regions_near(index, latitude=48.0, longitude=2.0, platform="android", limit=200).items) == 100


def test_small_premises_are_watched_by_a_circle_that_phones_notice() -> None:
    (first, *_) = regions_near(
        ZoneIndex.build(stores(point_feature("a", 48.0, 2.0))), latitude=48.0, longitude=2.0, platform="ios"
    ).items
    assert (first.id, first.radius_m) == ("a/premises", 100.0)


def test_the_circle_of_a_polygon_encloses_it() -> None:
    ring = [[2.0, 48.0], [2.01, 48.0], [2.01, 48.001], [2.0, 48.0]]
    index = ZoneIndex.build(stores(area_feature("a", ring, zones=[])))
    (region,) = regions_near(index, latitude=48.0, longitude=2.0, platform="ios").items
    circle = index.zones[0].zone.shape
    assert region.radius_m == pytest.approx(circle.reach_m, abs=0.1)
    assert region.radius_m >= 373.0


def test_the_version_changes_with_a_circle_and_not_with_the_order() -> None:
    index = ZoneIndex.build(stores(*TOWN[:5]))
    here = regions_near(index, latitude=48.0, longitude=2.0, platform="ios")
    there = regions_near(index, latitude=48.08, longitude=2.0, platform="ios")
    assert [item.id for item in here.items] != [item.id for item in there.items]
    assert here.version == there.version
    grown = ZoneIndex.build(stores(*TOWN[:4], point_feature("s4", 48.08, 2.0, premises_radius_m=140)))
    assert regions_near(grown, latitude=48.0, longitude=2.0, platform="ios").version != here.version


def test_without_stores_there_is_nothing_to_watch() -> None:
    regions = regions_near(ZoneIndex.build([]), latitude=48.0, longitude=2.0, platform="ios")
    assert regions.items == ()
    assert regions.refresh_after_m == 50_000.0
