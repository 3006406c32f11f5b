"""Do metres, edges and probabilities of zones agree with geodesics and with the exact distribution?"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest
import shapely
from geopy import Point
from geopy.distance import geodesic
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import ncx2

from m2s.core.places.geo import distance_m, metres_per_degree
from m2s.core.places.geojson import read_collection
from m2s.core.places.shapes import read_geometry
from m2s.core.places.zone import Circle, Polygon, Zone
from m2s.core.places.zone_index import ZoneIndex
from tests.data import read_text

LATITUDES = st.floats(-70.0, 70.0)
LONGITUDES = st.one_of(st.floats(-180.0, 180.0), st.sampled_from([180.0, -180.0, 179.999, -179.9999, 0.0]))
BEARINGS = st.floats(0.0, 360.0)


def moved(latitude: float, longitude: float, *, bearing: float, metres: float) -> tuple[float, float]:
    there = geodesic(meters=metres).destination(Point(latitude, longitude), bearing)
    return there.latitude, (there.longitude + 180.0) % 360.0 - 180.0


def gon(latitude: float, longitude: float, *, radius_m: float, corners: int = 256) -> Polygon:
    """A regular polygon with the area of the circle."""
    turn = 2.0 * math.pi / corners
    radius_m *= math.sqrt(turn / math.sin(turn))
    north_m, east_m = metres_per_degree(latitude)
    angles = np.arange(corners) * turn
    return Polygon(
        shapely.Polygon(
            np.stack(
                (
                    longitude + radius_m * np.cos(angles) / east_m,
                    latitude + radius_m * np.sin(angles) / north_m,
                ),
                axis=-1,
            )
        )
    )


def inside_probability(
    zone: Zone, latitude: float, longitude: float, *, accuracy_m: float, distance_m: float | None = None
) -> float:
    point = {"type": "Point", "coordinates": [0, 0]}
    feature = {
        "type": "Feature",
        "id": "s",
        "properties": {"name": "S", "timezone": "UTC", "country": "FR"},
        "geometry": point,
    }
    (store,) = read_collection({"type": "FeatureCollection", "features": [feature]}, "UTC")
    index = ZoneIndex.build([dataclasses.replace(store, zones=(zone,))])
    edge_m = zone.signed_distance_m(latitude, longitude) if distance_m is None else distance_m
    found = index.inside_probabilities(
        np.array([latitude]),
        np.array([longitude]),
        accuracies_m=np.array([accuracy_m]),
        zone=np.array([0]),
        distances_m=np.array([edge_m]),
    )
    return float(found[0])


@given(latitude=LATITUDES, longitude=LONGITUDES, bearing=BEARINGS, metres=st.floats(1.0, 2_300.0))
@example(latitude=-16.5, longitude=180.0, bearing=90.0, metres=2_000.0)
@example(latitude=70.0, longitude=-180.0, bearing=270.0, metres=2_000.0)
def test_the_distance_to_a_circle_is_the_geodesic_within_half_a_percent(
    latitude: float, longitude: float, bearing: float, metres: float
) -> None:
    there = moved(latitude, longitude, bearing=bearing, metres=metres)
    circle = Zone("premises", Circle(latitude, longitude, 300.0))
    assert circle.signed_distance_m(*there) + 300.0 == pytest.approx(metres, rel=5e-5, abs=0.001)


@given(latitude=LATITUDES, longitude=LONGITUDES, bearing=BEARINGS, metres=st.floats(1.0, 2_000.0))
@example(latitude=-16.5, longitude=180.0, bearing=90.0, metres=2_000.0)
@example(latitude=70.0, longitude=-180.0, bearing=270.0, metres=2_000.0)
def test_the_distance_to_a_polygon_is_the_geodesic_within_half_a_percent(
    latitude: float, longitude: float, bearing: float, metres: float
) -> None:
    corners = [moved(latitude, longitude, bearing=b, metres=200.0) for b in range(0, 360, 5)]
    ring = [[lon, lat] for lat, lon in [*corners, corners[0]]]
    shape = read_geometry({"type": "Polygon", "coordinates": [ring]}, "here", problems=[])
    assert isinstance(shape, Polygon)
    there = moved(latitude, longitude, bearing=round(bearing / 5.0) * 5.0, metres=200.0 + metres)
    zone = Zone("premises", shape)
    assert zone.signed_distance_m(*there) == pytest.approx(metres, rel=0.002, abs=0.05)
    assert zone.signed_distance_m(latitude, longitude) == pytest.approx(-200.0, abs=1.0)


def test_the_area_of_a_polygon_is_that_of_the_geodesic_square() -> None:
    corners = [moved(60.0, 179.999, bearing=b, metres=500.0) for b in (45, 135, 225, 315, 45)]
    ring = [[lon, lat] for lat, lon in corners]
    shape = read_geometry({"type": "Polygon", "coordinates": [ring]}, "here", problems=[])
    assert isinstance(shape, Polygon)
    assert shape.area_m2 == pytest.approx(500_000.0, rel=1e-4)
    assert Zone("premises", shape).margin_m == pytest.approx(0.25 * math.sqrt(500_000.0 / math.pi), rel=1e-4)


def test_a_small_zone_is_left_beyond_twenty_metres() -> None:
    assert Zone("premises", Circle(48.0, 2.0, 50.0)).margin_m == 20.0


def test_known_distances_are_met() -> None:
    assert distance_m(-16.5, 179.999, to_latitude=-16.5, to_longitude=-179.999) == pytest.approx(
        geodesic((-16.5, 179.999), (-16.5, -179.999)).m, rel=1e-6
    )


SPHERE_M = 6_371_008.8


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((48.8566, 2.3522), (51.5074, -0.1278), 343_556.53),
        ((48.8566, 2.3522), (45.7640, 4.8357), 391_499.5),
        ((48.853, 2.3499), (48.8606, 2.3376), 1_234.47),
        ((48.0, 2.0), (48.001, 2.0), 111.195),
        ((-16.5, 179.999), (-16.5, -179.999), 213.23),
        ((36.12, -86.67), (33.94, -118.40), 2_886_448.43),
    ],
)
def test_published_distances_on_a_sphere_are_met_as_far_as_the_earth_is_one(
    one: tuple[float, float], other: tuple[float, float], metres: float
) -> None:
    chord_m = distance_m(*one, to_latitude=other[0], to_longitude=other[1])
    assert 2 * SPHERE_M * math.asin(chord_m / (2 * SPHERE_M)) == pytest.approx(metres, rel=0.0023)


VECTORS = [
    (75, 0, 10, 1.000),
    (75, 0, 50, 0.924),
    (75, 0, 100, 0.476),
    (75, 60, 20, 0.850),
    (75, 75, 20, 0.465),
    (75, 75, 50, 0.410),
    (75, 90, 20, 0.112),
    (75, 150, 50, 0.008),
    (50, 40, 65, 0.363),
    (150, 100, 65, 0.838),
]


@pytest.mark.parametrize(("radius_m", "away_m", "accuracy_m", "expected"), VECTORS)
@pytest.mark.parametrize("bearing", [0.0, 77.0, 200.0])
def test_published_probabilities_are_met(
    radius_m: float, away_m: float, accuracy_m: float, expected: float, bearing: float
) -> None:
    there = moved(48.85, 2.35, bearing=bearing, metres=away_m) if away_m else (48.85, 2.35)
    circle = Zone("premises", Circle(48.85, 2.35, radius_m))
    assert inside_probability(circle, *there, accuracy_m=accuracy_m) == pytest.approx(expected, abs=1e-3)
    polygon = Zone("premises", gon(48.85, 2.35, radius_m=radius_m))
    assert inside_probability(polygon, *there, accuracy_m=accuracy_m) == pytest.approx(expected, abs=0.02)


@given(
    radius_m=st.floats(10.0, 5_000.0),
    sigmas=st.floats(-8.0, 8.0),
    accuracy_m=st.floats(0.5, 3_000.0),
)
@example(radius_m=5_000.0, sigmas=0.0, accuracy_m=0.5)
@example(radius_m=10.0, sigmas=5.0, accuracy_m=3_000.0)
def test_the_probability_of_a_circle_is_the_noncentral_chi_square(
    radius_m: float, sigmas: float, accuracy_m: float
) -> None:
    sigma_m = accuracy_m / 1.5152
    away_m = max(0.0, radius_m + sigmas * sigma_m)
    exact = (
        ncx2.cdf((radius_m / sigma_m) ** 2, 2, (away_m / sigma_m) ** 2)
        if away_m > 0.0
        else -math.expm1(-0.5 * (radius_m / sigma_m) ** 2)
    )
    circle = Zone("premises", Circle(0.0, 0.0, radius_m))
    got = inside_probability(circle, 0.0, 0.0, accuracy_m=accuracy_m, distance_m=away_m - radius_m)
    if math.isfinite(exact):
        assert got == pytest.approx(exact, abs=1e-4)


@given(
    radius_m=st.floats(20.0, 400.0),
    sigmas=st.floats(-6.0, 6.0),
    accuracy_m=st.floats(3.0, 300.0),
    bearing=BEARINGS,
)
def test_the_probability_of_a_polygon_is_that_of_its_circle_within_two_percent(
    radius_m: float, sigmas: float, accuracy_m: float, bearing: float
) -> None:
    away_m = abs(radius_m + sigmas * accuracy_m / 1.5152)
    there = moved(60.0, 10.0, bearing=bearing, metres=away_m)
    circle = inside_probability(Zone("premises", Circle(60.0, 10.0, radius_m)), *there, accuracy_m=accuracy_m)
    polygon = Zone("premises", gon(60.0, 10.0, radius_m=radius_m))
    assert inside_probability(polygon, *there, accuracy_m=accuracy_m) == pytest.approx(circle, abs=0.02)


@pytest.mark.parametrize("turn", [0.0, 30.0])
@pytest.mark.parametrize("sigmas", [-3.0, -1.0, -0.05, -1e-7, 0.0, 0.02, 0.5, 2.0])
def test_beside_a_long_wall_the_normal_distribution_decides(sigmas: float, turn: float) -> None:
    """The widest an edge can be seen; and a corridor, two of these at once."""
    sigma_m = 10.0 / 1.5152
    for width_m in (2_000.0, 2.0 * sigma_m):
        corners = np.array([(-3e3, 0.0), (3e3, 0.0), (3e3, width_m), (-3e3, width_m)]) - (
            0.0,
            sigmas * -sigma_m,
        )
        turned = corners @ np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
        zone = Zone("premises", Polygon(shapely.Polygon(turned / metres_per_degree(0.0)[::-1])))
        wall, back = (math.erf(d / math.sqrt(2.0)) for d in (sigmas, sigmas + width_m / sigma_m))
        got = inside_probability(zone, 0.0, 0.0, accuracy_m=10.0)
        assert got == pytest.approx((back - wall) / 2.0, abs=0.02)


def test_a_hole_takes_its_probability_away() -> None:
    whole, hole = gon(45.0, 5.0, radius_m=100.0), gon(45.0, 5.0, radius_m=60.0)
    ring = Zone("premises", Polygon(shapely.Polygon(whole.geometry.exterior, [hole.geometry.exterior])))
    expected = math.exp(-0.5 * (60 * 1.5152 / 80) ** 2) - math.exp(-0.5 * (100 * 1.5152 / 80) ** 2)
    assert ring.signed_distance_m(45.0, 5.0) == pytest.approx(60.0, rel=0.01)
    assert inside_probability(ring, 45.0, 5.0, accuracy_m=80.0) == pytest.approx(expected, abs=0.02)


def test_without_error_geometry_decides() -> None:
    circle = Zone("premises", Circle(48.0, 2.0, 60.0))
    assert inside_probability(circle, 48.0, 2.0, accuracy_m=0.0) == 1.0
    assert inside_probability(circle, 48.01, 2.0, accuracy_m=0.0) == 0.0
    square = Zone("premises", Polygon(shapely.box(2.0, 48.0, 2.001, 48.001)))
    assert inside_probability(square, 48.0, 2.0005, accuracy_m=0.0) == 1.0


def test_inside_outside_and_boundary_are_those_of_the_published_cases() -> None:
    rows = list(csv.DictReader(io.StringIO(read_text("testcases/point_in_polygon_turf.csv"))))
    assert len(rows) == 30
    for row in rows:
        zone = Zone(
            "premises", Polygon(shapely.from_geojson(json.dumps(json.loads(row["geometry_geojson"]))))
        )
        distance = zone.signed_distance_m(float(row["lat_or_y"]), float(row["lon_or_x"]))
        assert (distance <= 0.0) == (row["expected"] in ("inside", "boundary")), row["case_id"]
