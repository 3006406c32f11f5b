"""Does the index find what looking at every zone finds, wherever on earth the stores are?"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import example, given
from hypothesis import strategies as st

from m2s.core.places.geo import metres_per_degree
from m2s.core.places.store import VISIT_DEFAULTS, Store, StoreType
from m2s.core.places.zone import Circle, Polygon, Zone
from m2s.core.places.zone_index import ZoneIndex
from tests.changed import replace
from tests.core.places.stores import area_feature, point_feature, stores
from tests.data import read_text

Pairs = set[tuple[int, int]]


def store_of(number: int, *shapes: Circle | Polygon) -> Store:
    """A store with these zones, the first its premises."""
    zones = tuple(Zone(f"zone-{i}" if i else "premises", shape) for i, shape in enumerate(shapes))
    return Store(
        id=f"s{number}",
        name="n",
        latitude=shapes[0].latitude,
        longitude=shapes[0].longitude,
        timezone="UTC",
        country="FR",
        subdivision=None,
        currency=None,
        brand=None,
        address=None,
        phone=None,
        opening_hours=None,
        tags=frozenset(),
        store_type=StoreType.CONVENIENCE,
        visit=VISIT_DEFAULTS[StoreType.CONVENIENCE].rules,
        zones=zones,
        beacons=(),
    )


def every_distance(index: ZoneIndex, latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Positions by zones, one zone at a time."""
    return np.stack([ref.zone.shape.signed_distances_m(latitudes, longitudes) for ref in index.zones], axis=1)


def check_against_brute_force(index: ZoneIndex, latitudes: np.ndarray, longitudes: np.ndarray) -> None:
    distances = every_distance(index, latitudes, longitudes)
    exact = index.match(latitudes, longitudes)
    pairs: Pairs = set(zip(exact.point_index.tolist(), exact.zone_index.tolist(), strict=True))
    assert pairs == set(zip(*(axis.tolist() for axis in np.nonzero(distances <= 0.0)), strict=True))
    padded = index.match_padded(latitudes, longitudes)
    pairs = set(zip(padded.point_index.tolist(), padded.zone_index.tolist(), strict=True))
    assert pairs == set(zip(*(axis.tolist() for axis in np.nonzero(distances <= index.pads_m)), strict=True))
    assert np.allclose(padded.distance_m, distances[padded.point_index, padded.zone_index], atol=1e-6)
    located = index._locate_together(latitudes, longitudes)
    for point, place in enumerate(zip(latitudes.tolist(), longitudes.tolist(), strict=True)):
        found = located.point_index == point
        alone, held = index.locate_one(*place)
        assert (alone, [number for number, _ in held]) == (
            located.away[point],
            located.zone_index[found].tolist(),
        )
        assert [distance_m for _, distance_m in held] == pytest.approx(located.distance_m[found], abs=1e-6)
    nearest = distances.min(axis=1)
    away = located.away
    assert not (away & (nearest <= 2_000.0)).any()
    assert not (~away & (nearest > 2_300.0)).any()


SHAPES = st.lists(
    st.tuples(
        st.floats(-0.05, 0.05),
        st.floats(-0.05, 0.05),
        st.sampled_from([12.0, 60.0, 300.0, 1_500.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(
    latitude=st.sampled_from([0.0, 43.73, -60.0, 70.0, 0.0045]),
    longitude=st.sampled_from([7.42, 180.0, -180.0, 0.0, 179.97]),
    shapes=SHAPES,
    seed=st.integers(0, 1_000),
)
def test_the_same_hits_as_every_zone_in_turn(
    latitude: float, longitude: float, shapes: list[tuple[float, float, float, bool]], seed: int
) -> None:
    made = []
    north_m, east_m = (float(value) for value in metres_per_degree(latitude))
    for number, (dy, dx, size_m, round_) in enumerate(shapes):
        lat, lon = latitude + dy, longitude + dx
        thin = shapely.box(
            lon - size_m / east_m,
            lat - 0.2 * size_m / north_m,
            lon + size_m / east_m,
            lat + 0.2 * size_m / north_m,
        )
        tilted = shapely.affinity.rotate(thin, 17.0 * number)
        made.append(store_of(number, Circle(lat, lon, size_m) if round_ else Polygon(tilted)))
    rng = np.random.default_rng(seed)
    latitudes = latitude + rng.normal(0.0, 0.03, 200)
    longitudes = longitude + rng.normal(0.0, 0.03, 200) * north_m / east_m
    longitudes = (longitudes + 180.0) % 360.0 - 180.0
    check_against_brute_force(ZoneIndex.build(made), latitudes, longitudes)


@example(latitude=87.5, longitude=0.0, size_m=4_000.0, turn=0.0, seed=0)
@example(latitude=88.0, longitude=0.0, size_m=4_000.0, turn=None, seed=0)
@given(
    latitude=st.floats(-88.5, 88.5),
    longitude=st.one_of(st.floats(-180.0, 180.0), st.sampled_from([180.0, -180.0, 179.99])),
    size_m=st.sampled_from([5.0, 75.0, 900.0, 4_000.0]),
    turn=st.sampled_from([None, 0.0, 3.0, 45.0]),
    seed=st.integers(0, 1_000),
)
def test_near_ends_between_2_and_2_3_km_and_padding_ends_exactly(
    latitude: float, longitude: float, size_m: float, turn: float | None, seed: int
) -> None:
    """Positions lie where the answer changes: 2 km and 2.3 km from the edge, and about the padding from it."""
    north_m, east_m = (float(value) for value in metres_per_degree(latitude))
    shape: Circle | Polygon = Circle(latitude, longitude, size_m)
    if turn is not None:
        thin = shapely.affinity.rotate(shapely.box(-size_m, -0.05 * size_m, size_m, 0.05 * size_m), turn)
        shape = Polygon(
            shapely.affinity.translate(_scaled(thin, 1 / east_m, 1 / north_m), longitude, latitude)
        )
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0.0, 2.0 * np.pi, 600)
    along = rng.uniform(-size_m, size_m, 600) if turn is not None else size_m * np.cos(angles)
    beyond = np.repeat([1_999.0, 2_301.0, 2_150.0, 70.0], 150) + rng.uniform(-60.0, 60.0, 600)
    across = beyond * np.sin(angles) + (0.0 if turn is not None else size_m * np.sin(angles))
    latitudes = latitude + across / north_m
    longitudes = (longitude + (along + beyond * np.cos(angles)) / east_m + 180.0) % 360.0 - 180.0
    check_against_brute_force(ZoneIndex.build([store_of(0, shape)]), latitudes, longitudes)


def _scaled(area: shapely.Polygon, across: float, up: float) -> shapely.Polygon:
    return shapely.affinity.scale(area, across, up, origin=(0.0, 0.0))


@pytest.mark.parametrize(
    ("latitude", "longitude", "radius_m"),
    [
        (90.0, 0.0, 50.0),
        (-89.9995, 123.0, 50.0),
        (89.98, -180.0, 50.0),
        (-89.0, 10.0, 50.0),
        (48.0, 179.0, 300e3),
    ],
)
def test_zones_at_the_poles_and_zones_of_hundreds_of_kilometres_are_found(
    latitude: float, longitude: float, radius_m: float
) -> None:
    rng = np.random.default_rng(3)
    shapes = (Circle(latitude, longitude, radius_m), Circle(latitude, longitude, 2.0 * radius_m))
    index = ZoneIndex.build([store_of(0, *shapes), store_of(1, Circle(47.0, -179.99, 80.0))])
    reach = 2.0 * (radius_m + 2_400.0) / 111_000.0
    latitudes = np.clip(latitude + rng.uniform(-reach, reach, 2_000), -90.0, 90.0)
    check_against_brute_force(index, latitudes, rng.uniform(-180.0, 180.0, 2_000))
    assert not index.locate(np.array([latitude]), np.array([longitude])).away.any()


def test_a_large_polygon_is_found_where_it_is_and_not_on_the_other_side_of_the_earth() -> None:
    """Its edges are straight in degrees, which in metres they are not."""
    area = Polygon(shapely.box(1.0, 60.0, 2.0, 60.5))
    index = ZoneIndex.build([store_of(0, area)])
    rng = np.random.default_rng(4)
    latitudes, longitudes = rng.uniform(59.9, 60.6, 2_000), rng.uniform(0.9, 2.1, 2_000)
    check_against_brute_force(index, latitudes, longitudes)
    located = index.locate(-latitudes, longitudes - 180.0)
    assert located.away.all()
    assert located.point_index.size == 0


def test_the_table_tells_what_is_near_from_what_a_padded_zone_may_hold_and_knows_nothing_far_away() -> None:
    index = ZoneIndex.build(stores(point_feature("a", 48.0, 2.0)))
    _, near, held = index.table.look_up(np.array([48.0, 48.01, 48.5, 48.0]), np.array([2.0, 2.0, 2.0, 180.0]))
    assert near.tolist() == [True, True, False, False]
    assert held.tolist() == [True, False, False, False]
    cell, _, _ = index.table.look_up(np.array([48.5]), np.array([2.0]))
    assert index.table.candidates(cell)[1].size == 0


def test_without_stores_everything_is_away() -> None:
    index = ZoneIndex.build([])
    located = index.locate(np.array([48.0, 49.0]), np.array([2.0, 2.0]))
    assert located.away.all()
    assert located.point_index.size == located.zone_index.size == located.distance_m.size == 0


def test_a_store_without_zones_is_nowhere_and_leaves_the_others_where_they_are() -> None:
    first, bare, last = stores(*(point_feature(f"shop-{n}", 48 + n, 2) for n in range(3)))
    index = ZoneIndex.build([first, replace(bare, zones=()), last])
    found = index.match(np.array([48.0, 49.0, 50.0]), np.array([2.0, 2.0, 2.0]))
    assert {index.zones[zone].store_id for zone in found.zone_index.tolist()} == {first.id, last.id}


def test_without_positions_nothing_is_located() -> None:
    located = ZoneIndex.build(stores(point_feature("a", 48, 2))).locate(np.empty(0), np.empty(0))
    assert located.away.size == located.point_index.size == 0


def test_locating_tells_away_from_near_from_touching() -> None:
    index = ZoneIndex.build(stores(point_feature("a", 48.0, 2.0)))
    located = index.locate(np.array([48.5, 48.01, 48.0, 48.0]), np.array([2.0, 2.0, 2.0, 2.00542]))
    assert located.away.tolist() == [True, False, False, False]
    touched = [
        (p, index.zones[z].zone_id) for p, z in zip(located.point_index, located.zone_index, strict=True)
    ]
    assert sorted(touched) == [(2, "premises"), (2, "vicinity"), (3, "vicinity")]
    assert located.distance_m[located.point_index == 3] == pytest.approx([104.2], abs=0.5)


def test_members_of_fences_are_those_of_the_published_scenarios() -> None:
    checked = 0
    for line in read_text("testcases/tile38_fences.jsonl").splitlines():
        scenario = json.loads(line)
        fences = [store_of(i, _fence(fence)) for i, fence in enumerate(scenario["fences"])]
        index = ZoneIndex.build(fences)
        for move in scenario["moves"]:
            if move["expect"] is None:
                continue
            lon, lat = move["point"]
            found = index.match(np.array([lat]), np.array([lon]))
            inside = {scenario["fences"][zone]["id"] for zone in found.zone_index.tolist()}
            told = dict(event.split(":")[::-1] for event in move["expect"])
            assert inside == {fence for fence, event in told.items() if event in ("enter", "inside")}
            checked += 1
    assert checked == 5


def _fence(fence: dict[str, object]) -> Circle | Polygon:
    if fence["type"] == "circle":
        lon, lat = fence["center"]  # type: ignore[misc]
        return Circle(lat, lon, fence["radius_m"])  # type: ignore[arg-type]
    if fence["type"] == "bounds":
        south, west, north, east = fence["bounds_swne"]  # type: ignore[misc]
        return Polygon(shapely.box(west, south, east, north))
    return Polygon(shapely.from_geojson(json.dumps(fence["geometry"])))


def test_the_index_answers_the_published_point_in_polygon_cases() -> None:
    for row in csv.DictReader(io.StringIO(read_text("testcases/point_in_polygon_turf.csv"))):
        shape = Polygon(shapely.from_geojson(row["geometry_geojson"]))
        found = ZoneIndex.build([store_of(1, shape)]).match(
            np.array([float(row["lat_or_y"])]), np.array([float(row["lon_or_x"])])
        )
        assert (found.point_index.size == 1) == (row["expected"] != "outside"), row["case_id"]


def test_the_edge_of_premises_is_inside() -> None:
    ring = [[2.0, 48.0], [2.001, 48.0], [2.001, 48.001], [2.0, 48.001], [2.0, 48.0]]
    index = ZoneIndex.build(stores(area_feature("a", ring, zones=[])))
    assert (
        index.match(np.array([48.0, 48.001, 48.0005]), np.array([2.0005, 2.001, 2.0])).point_index.size == 3
    )


PLACES = st.tuples(
    st.sampled_from([43.73, 43.86, -21.0]),
    st.sampled_from([7.42, 7.6, 179.99]),
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.02]), st.sampled_from([40.0, 400.0, 150e3]), st.booleans()),
        min_size=1,
        max_size=3,
    ),
)
"""A store: its point, and of each zone how far north its middle is, its size in metres, and whether it is round."""


def store_at(
    number: int, place: tuple[float, float, list[tuple[float, float, bool]]], *, limit: float = 150e3
) -> Store:
    latitude, longitude, zones = place
    shapes: list[Circle | Polygon] = []
    for up, wanted_m, is_round in zones:
        size_m = min(wanted_m, limit)
        north_m, east_m = (float(value) for value in metres_per_degree(latitude + up))
        half_high, half_wide = min(size_m, 400.0) / north_m, min(size_m, 400.0) / east_m
        box = shapely.box(
            longitude - half_wide, latitude + up - half_high, longitude + half_wide, latitude + up + half_high
        )
        shapes.append(Circle(latitude + up, longitude, size_m) if is_round else Polygon(box))
    return store_of(number, *shapes)


@given(
    before=st.dictionaries(st.integers(0, 5), PLACES, max_size=5),
    after=st.dictionaries(st.integers(0, 5), PLACES, max_size=5),
    kept=st.sets(st.integers(0, 5)),
)
def test_an_index_made_from_an_earlier_one_is_the_same_as_one_made_anew(
    before: dict[int, tuple[float, float, list[tuple[float, float, bool]]]],
    after: dict[int, tuple[float, float, list[tuple[float, float, bool]]]],
    kept: set[int],
) -> None:
    first = {number: store_at(number, place) for number, place in sorted(before.items())}
    second = {number: store_at(number, place) for number, place in after.items() if number not in kept}
    second |= {number: store for number, store in first.items() if number in kept}
    wanted = [store for _, store in sorted(second.items())]
    index, anew = ZoneIndex.build(wanted, ZoneIndex.build(first.values())), ZoneIndex.build(wanted)
    assert index.zones == anew.zones
    for name in ("rows", "is_shaped", "everywhere"):
        np.testing.assert_array_equal(getattr(index, name), getattr(anew, name))
    for name in ("pages", "bits", "starts", "zones"):
        np.testing.assert_array_equal(getattr(index.table, name), getattr(anew.table, name))
    for name in ("axes", "middles", "outlines", "areas"):
        np.testing.assert_array_equal(getattr(index.polygons, name), getattr(anew.polygons, name))
    for name in ("starts", "ends", "first"):
        np.testing.assert_array_equal(getattr(index.polygons.edges, name), getattr(anew.polygons.edges, name))


@given(places=st.lists(PLACES, min_size=1, max_size=4), seed=st.integers(0, 1_000))
def test_zones_of_one_store_round_one_middle_or_several_are_all_found(
    places: list[tuple[float, float, list[tuple[float, float, bool]]]], seed: int
) -> None:
    index = ZoneIndex.build([store_at(number, place, limit=400.0) for number, place in enumerate(places)])
    rng = np.random.default_rng(seed)
    latitude, longitude, _ = places[0]
    latitudes = latitude + rng.normal(0.01, 0.03, 300)
    longitudes = (longitude + rng.normal(0.0, 0.03, 300) + 180.0) % 360.0 - 180.0
    check_against_brute_force(index, latitudes, longitudes)
