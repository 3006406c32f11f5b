"""Are store files read whole or not at all, and are their mistakes named?"""

from __future__ import annotations

import json

import pytest

from m2s.adapters.importers.csv_file import read_csv
from m2s.adapters.importers.geojson import read_geojson
from m2s.core.base.errors import Invalid
from m2s.core.places.geojson import store_to_feature
from m2s.core.places.store import StoreType

POINT = '{"type": "Feature", "id": "a", "geometry": {"type": "Point", "coordinates": [2.35, 48.85]}, "properties": %s}'


def document(*features: str) -> str:
    return '{"type": "FeatureCollection", "attribution": "ours", "features": [' + ", ".join(features) + "]}"


def test_a_geojson_text_is_read_with_the_default_time_zone() -> None:
    (store,) = read_geojson(document(POINT % '{"name": "A"}'), "Europe/Paris")
    assert (store.id, store.timezone, store.country) == ("a", "Europe/Paris", "FR")


def test_what_was_written_is_read_again() -> None:
    stores = read_geojson(document(POINT % '{"name": "A", "tags": ["x"]}'), "Europe/Paris")
    text = json.dumps(
        {"type": "FeatureCollection", "features": [store_to_feature(store) for store in stores]}
    )
    assert read_geojson(text) == stores


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1, column 1"),
        ('{"type": "FeatureCollection",\n "features": [}', "line 2, column 15"),
        (document(POINT.replace("2.35", "NaN") % "{}"), "NaN is not a number"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5_000 + "]", "not JSON"),
        ('{"type": "FeatureCollection", "features": [], "features": []}', "'features' comes twice"),
        ("[]", "FeatureCollection"),
    ],
)
def test_a_text_that_is_no_store_file_is_refused(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says.replace("[", r"\[")) as caught:
        read_geojson(text, "Europe/Paris")
    assert caught.value.code in ("json", "geojson")


def test_a_number_too_large_for_a_coordinate_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        read_geojson(document(POINT.replace("2.35", "1e999") % '{"name": "A"}'), "Europe/Paris")
    assert [problem.code for problem in caught.value.problems] == ["coordinates_range"]


def test_nothing_is_imported_of_a_file_with_one_bad_feature() -> None:
    with pytest.raises(Invalid, match="1 problem in the stores; nothing was imported"):
        read_geojson(document(POINT % '{"name": "A"}', "{}"), "Europe/Paris")


CSV = "id,name,latitude,longitude"


def test_a_csv_text_gives_the_same_stores_as_geojson() -> None:
    text = (
        f"\ufeff{CSV},brand,addr:housenumber,addr:street,opening_hours,tags,shop,premises_radius_m,dwell_min_s\r\n"
        'a,"Shop, A",48.85,2.35,B,3,Rue X,"Mo-Fr 08:00-12:00,14:00-18:00",bakery;city,clothes,80,200\r\n'
        "\r\n"
        "b,B,48.86,2.36,,,,,,,,\r\n"
    )
    first, second = read_csv(text, "Europe/Paris")
    assert (first.name, first.address, first.store_type) == ("Shop, A", "3 Rue X", StoreType.FASHION)
    assert first.tags == {"bakery", "city"}
    assert first.visit.dwell_min_s == 200
    assert first.premises.shape.reach_m == 80.0
    assert (second.id, second.brand, second.longitude) == ("b", None, 2.36)


def test_semicolons_between_columns_are_understood() -> None:
    (store,) = read_csv("id;name;latitude;longitude;timezone\na;A;48;2;Europe/Paris\n")
    assert store.timezone == "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "pointers", "says"),
    [
        ("id,name,lat,longitude\n", ["row 1", "row 1"], "'latitude' is missing"),
        (f"{CSV},opening_hour\n", ["row 1"], "'opening_hours'"),
        (f"{CSV},id\n", ["row 1"], "twice"),
        (f"{CSV}\na,A,48\n", ["row 2"], "3 cells where the header has 4"),
        (f"{CSV}\na,A,north,\n", ["row 2.latitude", "row 2.longitude"], "'north' is not a number"),
        (f"{CSV}\na,A,148,2\nb,,48,2\n", ["row 2 (a).geometry", "row 3 (b).name"], "longitude first"),
        (f"{CSV}\na,A,nan,2\n", ["row 2 (a).geometry"], "not on earth"),
        (f"{CSV}\na,A,48,2\na,A,48,2\n", ["row 3 (a)"], "already at row 2 (a)"),
        (f"{CSV}\na,A,48\nb,B,148,2\n", ["row 2", "row 3 (b).geometry"], "3 cells"),
    ],
)
def test_mistakes_in_a_csv_are_named_by_row(text: str, pointers: list[str], says: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_csv(text, "Europe/Paris")
    assert [problem.pointer for problem in caught.value.problems] == pointers
    assert says in caught.value.problems[0].detail


def test_a_quote_that_never_ends_is_no_csv() -> None:
    with pytest.raises(Invalid) as caught:
        read_csv(f'{CSV}\na,"A,48,2\n', "Europe/Paris")
    assert caught.value.code == "csv"


def test_an_empty_csv_misses_its_header() -> None:
    with pytest.raises(Invalid) as caught:
        read_csv("", "Europe/Paris")
    assert len(caught.value.problems) == 4
