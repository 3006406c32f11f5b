"""Do phones get the regions that are worth most, as long as the plan says, and none that is unchanged twice?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m2s.core.places.geo import distance_m, earth_centred, metres_per_degree
from m2s.core.places.regions import FAR_M, OFF_CENTRE_M, BeaconRegion, Plan, Region, plan_regions
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.places.zone_index import ZoneIndex
from tests.core.places.stores import area_feature, point_feature, stores

UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
TOWN = [point_feature(f"s{i}", 48.0 + i * 0.02, 2.0) for i in range(60)]


@dataclass(frozen=True)
class Triggers:
    """What running campaigns need."""

    zones: frozenset[tuple[str, str]] = frozenset()
    places: frozenset[tuple[str, str]] = frozenset()

    def zone(self, store_id: str, zone_id: str) -> bool:
        return (store_id, zone_id) in self.zones

    def place(self, store_id: str, place: str) -> bool:
        return (store_id, place) in self.places


NONE = Triggers()


def plan_of(
    made: list[Store], needs: Triggers = NONE, *, at: tuple[float, float] = (48.0, 2.0), slots: int = 20
) -> Plan:
    by_id = {store.id: store for store in made}
    return plan_regions(ZoneIndex.build(made), by_id, needs, latitude=at[0], longitude=at[1], slots=slots)


def planned(plan: Plan) -> list[Region | BeaconRegion]:
    return [*plan.circles, *plan.beacons]


def ids(plan: Plan) -> list[str]:
    return [region.id for region in planned(plan)]


def beacon(major: int, place: str = "till", minor: int = 1) -> dict[str, object]:
    return {"uuid": UUID, "major": major, "minor": minor, "place": place}


def costs_m(
    made: list[Store], needs: Triggers, latitude: float, longitude: float
) -> Iterator[tuple[float, float, str]]:
    """Cost, distance and id of every region, one after the other and by the letter of the document."""
    for store in made:
        for zone in store.zones:
            shape, inner = zone.shape, zone.id == PREMISES
            away_m = distance_m(
                latitude, longitude, to_latitude=shape.latitude, to_longitude=shape.longitude
            ) - max(100.0, shape.reach_m)
            away_m, needed = max(0.0, away_m), needs.zone(store.id, zone.id)
            worth = 4 if needed else 2 if inner and not store.beacons else 1
            yield (500 + away_m) / worth, away_m, f"{store.id}/{zone.id}"
            for one in store.beacons if inner else ():
                heard = needed or any(
                    needs.place(store.id, str(other.place))
                    for other in store.beacons
                    if other.major == one.major
                )
                yield (500 + away_m) / (4 if heard else 2), away_m, f"beacon:{one.uuid}/{one.major}"


def test_the_best_come_first_and_one_slot_is_for_the_circle_round_the_phone() -> None:
    plan = plan_of(stores(*TOWN))
    assert ids(plan)[:3] == ["s0/premises", "s0/vicinity", "s1/premises"]
    assert len(plan.circles) == 19
    assert (plan.refresh.id, plan.refresh.latitude, plan.refresh.longitude) == ("refresh", 48.0, 2.0)
    assert len(plan_of(stores(*TOWN), slots=100).circles) == 99
    assert ids(plan_of(stores(*TOWN), slots=1)) == []


def test_what_a_campaign_needs_outranks_what_is_a_little_nearer() -> None:
    needs = Triggers(zones=frozenset({("s3", "vicinity")}))
    assert ids(plan_of(stores(*TOWN[1:]), needs))[0] == "s1/premises"
    assert ids(plan_of(stores(*TOWN[2:]), needs))[0] == "s3/vicinity"
    found = ids(plan_of(stores(*TOWN[2:]), needs))
    assert "s2/vicinity" in found[2:]


def test_a_store_with_beacons_is_sensed_by_them_in_one_slot() -> None:
    bakery = point_feature("a", 48.0, 2.0, beacons=[beacon(7), beacon(7, "shoes", minor=2)])
    plan = plan_of(stores(bakery), slots=2)
    assert plan.beacons == (BeaconRegion(f"beacon:{UUID}/7", UUID, 7),)
    assert plan.circles == ()
    needs = Triggers(places=frozenset({("a", "shoes")}), zones=frozenset({("b", "premises")}))
    near = stores(bakery, point_feature("b", 48.001, 2.0))
    assert ids(plan_of(near, needs, slots=2)) == [f"beacon:{UUID}/7"]
    assert ids(plan_of(near, Triggers(zones=needs.zones), slots=2)) == ["b/premises"]


def test_stores_that_share_uuid_and_major_share_the_slot() -> None:
    made = stores(*(point_feature(str(i), 48.0, 2.0 + i, beacons=[beacon(7, minor=i)]) for i in range(5)))
    assert len(plan_of(made).beacons) == 1
    assert len(plan_of(made).circles) == 10


def test_small_premises_are_watched_by_a_circle_that_phones_notice() -> None:
    (first, second) = plan_of(stores(point_feature("a", 48.0, 2.0))).circles
    assert (first.id, first.radius_m) == ("a/premises", 100.0)
    assert (second.id, second.radius_m) == ("a/vicinity", 300.0)


@example(latitude=48.0, longitude=-179.95, wide_m=20_000.0, high_m=30.0)
@example(latitude=-70.0, longitude=-180.0, wide_m=40_000.0, high_m=40_000.0)
@given(
    latitude=st.floats(-80.0, 80.0),
    longitude=st.floats(-180.0, 180.0),
    wide_m=st.floats(10.0, 60_000.0),
    high_m=st.floats(10.0, 60_000.0),
)
def test_the_circle_of_a_polygon_contains_it(
    latitude: float, longitude: float, wide_m: float, high_m: float
) -> None:
    north_m, east_m = (float(metres) for metres in metres_per_degree(latitude))
    east, north = wide_m / east_m / 2.0, high_m / north_m / 2.0
    corners = [(-east, -north), (east, -north), (0.3 * east, north), (-east, -north)]
    ring = [[(longitude + x + 180.0) % 360.0 - 180.0, latitude + y] for x, y in corners]
    (circle,) = plan_of(stores(area_feature("a", ring, zones=[])), at=(latitude, longitude)).circles
    assert -180.0 <= circle.longitude <= 180.0
    edge = [
        (ax + (bx - ax) * step, ay + (by - ay) * step)
        for (ax, ay), (bx, by) in pairwise(corners)
        for step in np.linspace(0.0, 1.0, 21)
    ]
    places = earth_centred(
        np.array([latitude + y for _, y in edge]), np.array([longitude + x for x, _ in edge])
    )
    middle = earth_centred(circle.latitude, circle.longitude)
    farthest_m = float(np.linalg.norm(places - middle, axis=1).max())
    assert farthest_m <= circle.radius_m
    assert circle.radius_m <= max(100.0, 1.01 * farthest_m + 2.0)


SPREAD = st.sampled_from([0.005, 0.05, 1.0])


@st.composite
def towns(draw: st.DrawFn) -> tuple[list[Store], Triggers, tuple[float, float]]:
    """Up to 40 stores, some with beacons and areas; what campaigns need; and where the phone is."""
    latitude = draw(st.sampled_from([0.0, 48.0, -65.0]))
    longitude = draw(st.sampled_from([2.0, 179.999, -180.0]))
    spread, seed = draw(SPREAD), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    features: list[dict[str, object]] = []
    for number in range(draw(st.integers(0, 40))):
        lat = latitude + float(rng.normal(0.0, spread))
        lon = (longitude + float(rng.normal(0.0, spread)) + 180.0) % 360.0 - 180.0
        more: dict[str, Any] = {}
        if rng.random() < 0.4:
            majors = rng.integers(0, 12, int(rng.integers(1, 3)))
            more["beacons"] = [
                beacon(int(major), str(rng.choice(["till", "shoes"])), minor=10 * number + i)
                for i, major in enumerate(majors)
            ]
        if rng.random() < 0.3:
            high, wide = float(rng.uniform(0.0002, 0.01)), float(rng.uniform(0.0002, 0.01))
            lon = min(lon, 179.98)
            ring = [[lon, lat], [lon + wide, lat], [lon, lat + high], [lon, lat]]
            features.append(area_feature(f"s{number}", ring, **more))
        else:
            features.append(point_feature(f"s{number}", lat, lon, **more))
    made = stores(*features) if features else []
    zones = [(store.id, zone.id) for store in made for zone in store.zones]
    needs = Triggers(
        frozenset(zone for zone in zones if rng.random() < 0.3),
        frozenset((store.id, "shoes") for store in made if rng.random() < 0.3),
    )
    here = (latitude + float(rng.normal(0.0, spread)), longitude)
    return made, needs, here


@given(town=towns(), slots=st.sampled_from([2, 5, 20, 100]))
def test_the_plan_is_the_best_of_all_regions(
    town: tuple[list[Store], Triggers, tuple[float, float]], slots: int
) -> None:
    made, needs, here = town
    plan = plan_of(made, needs, at=here, slots=slots)
    cheapest: dict[str, tuple[float, float, str]] = {}
    for entry in sorted(costs_m(made, needs, plan.refresh.latitude, plan.refresh.longitude)):
        cheapest.setdefault(entry[2], entry)
    expected = sorted(entry[0] for entry in cheapest.values())[: slots - 1]
    found = sorted(cheapest[name][0] for name in ids(plan))
    assert found == pytest.approx(expected, rel=1e-3)
    assert len(set(ids(plan))) == len(ids(plan)) < slots


@given(town=towns(), slots=st.sampled_from([2, 5, 20]), seed=st.integers(0, 1_000))
def test_while_the_phone_stays_inside_the_best_region_there_has_a_slot_or_all_without_are_far(
    town: tuple[list[Store], Triggers, tuple[float, float]], slots: int, seed: int
) -> None:
    made, needs, here = town
    plan = plan_of(made, needs, at=here, slots=slots)
    rest = plan.refresh
    moved_m = distance_m(*here, to_latitude=rest.latitude, to_longitude=rest.longitude)
    assert moved_m + plan.refresh_after_m <= rest.radius_m
    assert plan.refresh_after_m == rest.radius_m - OFF_CENTRE_M >= 120.0
    if rest.radius_m == 200.0 or not made:
        return
    rng = np.random.default_rng(seed)
    north_m, east_m = (float(metres) for metres in metres_per_degree(rest.latitude))
    names = set(ids(plan))
    for _ in range(20):
        # Where a change of the best is soonest: towards some store, and as far as the plan holds.
        store = made[rng.integers(len(made))]
        north = (store.latitude - rest.latitude) * north_m
        east = ((store.longitude - rest.longitude + 180.0) % 360.0 - 180.0) * east_m
        step = min(
            1.0, 0.99 * rest.radius_m * rng.choice([rng.random(), 1.0]) / (math.hypot(north, east) + 0.1)
        )
        latitude = rest.latitude + step * north / north_m
        longitude = rest.longitude + step * east / east_m
        there = list(costs_m(made, needs, latitude, longitude))
        without_m = [away_m for _, away_m, name in there if name not in names]
        lowest_m = min(cost_m for cost_m, _, _ in there)
        is_best_planned = any(cost_m <= lowest_m + 1.0 for cost_m, _, name in there if name in names)
        assert is_best_planned or not without_m or min(without_m) >= FAR_M - 1.0


def test_the_plan_holds_half_the_way_to_the_nearest_without_a_slot_and_far_where_all_is_far() -> None:
    row = stores(*(point_feature(f"s{i}", 48.0 + i * 0.01, 2.0, zones=[]) for i in range(30)))
    at_m = distance_m(48.0, 2.0, to_latitude=48.19, to_longitude=2.0) - 100.0
    assert plan_of(row).refresh.radius_m == pytest.approx(at_m - FAR_M, abs=1.0)
    assert plan_of(row[:12], slots=6).refresh.radius_m == pytest.approx((5 * 1_112 - 100) / 2, abs=10.0)
    off_m = distance_m(47.0, 2.0, to_latitude=48.19, to_longitude=2.0) - 100.0
    assert plan_of(row, at=(47.0, 2.0)).refresh.radius_m == pytest.approx(min(50_000.0, off_m - FAR_M))
    assert plan_of(row[:19]).refresh.radius_m == 50_000.0
    assert plan_of([]).refresh.radius_m == 50_000.0
    mall = stores(*(point_feature(f"m{i}", 48.0, 2.0) for i in range(30)))
    assert plan_of(mall).refresh.radius_m == 200.0


class Phone:
    """What a phone does with a plan: it takes away what is no longer planned, and adds what is new or changed."""

    def __init__(self) -> None:
        self.watched: dict[str, Region | BeaconRegion] = {}

    def take(self, plan: Plan) -> set[str]:
        """The names of what was added."""
        wanted = {region.id: region for region in planned(plan)}
        added = {name for name, region in wanted.items() if self.watched.get(name) != region}
        self.watched = wanted
        return added


@given(
    town=towns(),
    steps=st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.integers(0, 60)), max_size=8),
    slots=st.sampled_from([5, 20]),
)
def test_on_no_walk_and_by_no_publication_an_unchanged_region_is_added_while_it_is_watched(
    town: tuple[list[Store], Triggers, tuple[float, float]],
    steps: list[tuple[float, float, int]],
    slots: int,
) -> None:
    made, needs, (latitude, longitude) = town
    phone, current = Phone(), {store.id: store for store in made}
    changed: set[str] = set()
    for north, east, number in [(0.0, 0.0, 60), *steps]:
        latitude = latitude + north
        longitude = (longitude + east + 180.0) % 360.0 - 180.0
        if number < 50:
            (new,) = stores(point_feature(f"s{number}", 48.0, 2.0, premises_radius_m=110 + number))
            current[new.id] = new
            changed = {new.id}
            other = sorted(current)[number % len(current)]
            needs = Triggers(needs.zones ^ {(other, "vicinity")}, needs.places ^ {(other, "till")})
        before = set(phone.watched)
        added = phone.take(plan_of(list(current.values()), needs, at=(latitude, longitude), slots=slots))
        again = added & before
        assert {name.split("/")[0] for name in again} <= changed
        assert not any(name.startswith("beacon:") for name in again)
        changed = set()


def test_the_version_changes_with_the_plan_and_is_the_same_for_all_who_stand_together() -> None:
    index = stores(*TOWN[:5])
    here = plan_of(index)
    assert plan_of(index, at=(48.0004, 2.0004)) == here
    assert plan_of(index, at=(48.0004, 2.0004)).version == here.version
    there = plan_of(index, at=(48.08, 2.0))
    assert set(there.circles) == set(here.circles)
    assert there.version != here.version
    grown = stores(*TOWN[:4], point_feature("s4", 48.08, 2.0, premises_radius_m=140))
    assert plan_of(grown).version != here.version


def test_all_of_a_large_chain_is_considered() -> None:
    """The region that a campaign needs lies beyond many that none needs."""
    crowd = [point_feature(f"c{i}", 48.0, 2.0 + i * 1e-5, zones=[]) for i in range(1_500)]
    far = point_feature("far", 48.012, 2.0, zones=[])
    needs = Triggers(zones=frozenset({("far", "premises")}))
    assert "far/premises" not in ids(plan_of(stores(*crowd, far), slots=5))
    near = point_feature("far", 48.004, 2.0, zones=[])
    assert ids(plan_of(stores(*crowd, near), needs, slots=5))[0] == "far/premises"


def test_what_was_not_looked_at_is_taken_for_the_best_that_it_may_be() -> None:
    crowd = [point_feature(f"c{i}", 48.03, 2.0 + i * 1e-5, zones=[]) for i in range(100)]
    made = stores(
        point_feature("here", 48.0, 2.0, zones=[]), *crowd, point_feature("far", 48.031, 2.0, zones=[])
    )
    needs = Triggers(zones=frozenset({("far", "premises")}))
    plan = plan_of(made, needs, slots=2)
    assert ids(plan) == ["here/premises"]
    away_m = distance_m(48.0, 2.0, to_latitude=48.031, to_longitude=2.0) - 100.0
    assert 800.0 < plan.refresh.radius_m <= ((500.0 + away_m) / 4.0 - 250.0) / (1 / 4 + 1 / 2)
