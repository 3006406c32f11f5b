from __future__ import annotations

import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon as Area

from m2s.core.places.crossing import CrossingIndex, Position, Way, crosses
from m2s.core.places.zone import Circle, Polygon, Zone

SQUARE = Zone("premises", Polygon(Area([(7.4, 43.7), (7.41, 43.7), (7.41, 43.71), (7.4, 43.71)])))
ROUND = Zone("vicinity", Circle(43.7, 7.4, 300.0))


def at(position: Position, bearing: float, metres: float) -> Position:
    """A position so far from another, by geopy's geodesic."""
    found = geodesic(meters=metres).destination(position, bearing)
    return found.latitude, found.longitude


@pytest.mark.parametrize(
    ("way", "crossed"),
    [
        pytest.param(Way((43.705, 7.39), (43.705, 7.42)), True, id="through the middle"),
        pytest.param(Way((43.705, 7.39), (43.705, 7.405)), False, id="into it"),
        pytest.param(Way((43.705, 7.405), (43.705, 7.42)), False, id="out of it"),
        pytest.param(Way((43.702, 7.402), (43.708, 7.408)), False, id="within it"),
        pytest.param(Way((43.72, 7.39), (43.72, 7.42)), False, id="past it"),
        pytest.param(Way((43.705, 7.38), (43.705, 7.39)), False, id="towards it"),
        pytest.param(Way((43.72, 7.39), (43.72, 7.39)), False, id="no way at all"),
    ],
)
def test_a_way_crosses_what_it_leads_through(way: Way, crossed: bool) -> None:
    assert crosses(way, SQUARE) is crossed
    assert crosses(Way(way.end, way.start), SQUARE) is crossed
    index = CrossingIndex([(("shop", "premises"), SQUARE)])
    assert index.crossed([way]) == ([(0, ("shop", "premises"))] if crossed else [])


@pytest.mark.parametrize(("beside_m", "crossed"), [(299.0, True), (301.0, False)])
@pytest.mark.parametrize("longitude", [7.4, 179.9999, -180.0])
def test_a_circle_is_crossed_as_far_as_it_reaches(longitude: float, beside_m: float, crossed: bool) -> None:
    zone = Zone("vicinity", Circle(43.7, longitude, 300.0))
    beside = at((43.7, longitude), 0, beside_m)
    way = Way(at(beside, 270, 600), at(beside, 90, 600))
    assert crosses(way, zone) is crossed
    assert bool(CrossingIndex([(("shop", "vicinity"), zone)]).crossed([way])) is crossed


def test_nothing_is_crossed_where_there_is_nothing() -> None:
    assert not CrossingIndex([])
    assert CrossingIndex([]).crossed([Way((0.0, 0.0), (1.0, 1.0))]) == []
    assert CrossingIndex([(("shop", "vicinity"), ROUND)]).crossed([]) == []


offsets = st.floats(-0.02, 0.02)


@given(ends=st.lists(st.tuples(offsets, offsets, offsets, offsets), max_size=5))
def test_the_index_finds_what_is_crossed_and_nothing_else(
    ends: list[tuple[float, float, float, float]],
) -> None:
    zones = [
        ((str(number), "z"), Zone("z", Circle(43.7 + 0.004 * number, 7.4, 150.0 + 40 * number)))
        for number in range(-3, 4)
    ]
    ways = [Way((43.7 + a, 7.4 + b), (43.7 + c, 7.4 + d)) for a, b, c, d in ends]
    wanted = sorted(
        (index, key) for index, way in enumerate(ways) for key, zone in zones if crosses(way, zone)
    )
    assert sorted(CrossingIndex(zones).crossed(ways)) == wanted


@given(
    bearing=st.floats(0, 360),
    latitude=st.floats(-69, 69),
    longitude=st.floats(-180, 180),
    radius_m=st.floats(50, 1_000),
)
def test_who_walks_straight_through_the_middle_crosses_anywhere_on_earth(
    bearing: float, latitude: float, longitude: float, radius_m: float
) -> None:
    zone, middle = Zone("z", Circle(latitude, longitude, radius_m)), (latitude, longitude)
    way = Way(at(middle, bearing, radius_m * 1.5), at(middle, bearing + 180, radius_m * 1.5))
    assert CrossingIndex([(("shop", "z"), zone)]).crossed([way]) == [(0, ("shop", "z"))]
