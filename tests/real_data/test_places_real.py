"""Do real stores, real footprints and real traces give the same hits as looking at every zone?"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import numpy as np
import pytest

from m2s.core.base.errors import Invalid
from m2s.core.places.check import check_stores
from m2s.core.places.geojson import read_collection, store_to_feature
from m2s.core.places.hours import hours_of
from m2s.core.places.store import Store
from m2s.core.places.zone import PREMISES
from m2s.core.places.zone_index import ZoneIndex
from tests.core.places.stores import collection, point_feature
from tests.data import read_gz_text, read_text


def rows_of(relative: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(relative))))


def lidl_features() -> list[dict[str, object]]:
    return [
        point_feature(
            f"{row['osm_type']}/{row['osm_id']}",
            float(row["lat"]),
            float(row["lon"]),
            name=row["name"],
            brand=row["brand"],
            shop="supermarket",
            timezone="Europe/Berlin",
            opening_hours=row["opening_hours"],
        )
        for row in rows_of("stores/stores_lidl_de.csv.gz")
    ]


def stations() -> list[Store]:
    seen: dict[str, dict[str, object]] = {}
    for row in rows_of("stores/stations_fr_2019.csv.gz"):
        latitude, longitude = float(row["lat"]), float(row["lon"])
        if abs(latitude) <= 90.0 and abs(longitude) <= 180.0:
            seen.setdefault(row["id"], point_feature(row["id"], latitude, longitude))
    return read_collection(collection(*seen.values()))


def monaco(name: str) -> tuple[list[Store], int]:
    """The stores of an OpenStreetMap extract, without the hours that are refused, and how many those were."""
    document = json.loads(read_gz_text(f"polygons/{name}_monaco.geojson.gz"))
    dropped = 0
    for feature in document["features"]:
        hours = feature["properties"].get("opening_hours")
        try:
            hours_of(hours, "Europe/Monaco", "MC")
        except Invalid:
            dropped += 1
            del feature["properties"]["opening_hours"]
    return read_collection(document, "Europe/Monaco"), dropped


def fixes() -> Iterator[tuple[float, float]]:
    for row in rows_of("mobility/gotrack_aracaju.csv.gz"):
        yield float(row["lat"]), float(row["lon"])
    for row in rows_of("mobility/posmo_ch.csv"):
        yield float(row["latitude"]), float(row["longitude"])
    for name in ("cerknicko-jezero", "korita-zbevnica"):
        for lat, lon in re.findall(
            r'<trkpt lat="([^"]+)" lon="([^"]+)"', read_text(f"mobility/gpx/{name}.gpx")
        ):
            yield float(lat), float(lon)


def assert_same_as_brute_force(index: ZoneIndex, latitudes: np.ndarray, longitudes: np.ndarray) -> int:
    """Compares every padded hit and every `away`; returns how many zones hold a position exactly."""
    distances = np.stack(
        [ref.zone.shape.signed_distances_m(latitudes, longitudes) for ref in index.zones], axis=1
    )
    located = index.locate(latitudes, longitudes)
    nearest = distances.min(axis=1)
    assert not (located.away & (nearest <= 2_000.0)).any()
    assert not (~located.away & (nearest > 2_300.0)).any()
    found = set(zip(located.point_index.tolist(), located.zone_index.tolist(), strict=True))
    expected = np.nonzero(distances <= index.pads_m)
    assert found == set(zip(*(axis.tolist() for axis in expected), strict=True))
    assert np.allclose(located.distance_m, distances[located.point_index, located.zone_index], atol=1e-6)
    exact = index.match(latitudes, longitudes)
    assert exact.point_index.size == int((distances <= 0.0).sum())
    return exact.point_index.size


def around(stores: list[Store], count: int, *, metres: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions scattered round real stores."""
    rng = np.random.default_rng(11)
    chosen = rng.integers(0, len(stores), count)
    latitudes = np.array([store.latitude for store in stores])[chosen]
    longitudes = np.array([store.longitude for store in stores])[chosen]
    scatter = rng.normal(0.0, metres / 111_200.0, (2, count))
    return latitudes + scatter[0], longitudes + scatter[1] / np.cos(np.radians(latitudes))


def test_supermarkets_of_germany_give_the_hits_of_brute_force() -> None:
    features = lidl_features()
    with pytest.raises(Invalid) as caught:
        read_collection(collection(*features))
    wrong = [problem.detail.split(":")[0] for problem in caught.value.problems]
    assert wrong == ["'Occasional'", "'Mo-Sa 08", "'Mo-Sa 07", "'Mo-Sa 07"]
    refused = {problem.pointer.split("]")[0].split("[")[1] for problem in caught.value.problems}
    stores = read_collection(collection(*(f for i, f in enumerate(features) if str(i) not in refused)))
    assert len(stores) == 2_084
    assert sum(store.opening_hours is not None for store in stores) == 1_721
    assert assert_same_as_brute_force(ZoneIndex.build(stores), *around(stores, 400, metres=400.0)) > 80


def test_stations_of_france_give_the_hits_of_brute_force() -> None:
    stores = stations()
    assert len(stores) > 6_000
    assert assert_same_as_brute_force(ZoneIndex.build(stores), *around(stores, 150, metres=400.0)) > 40


@pytest.mark.parametrize(("name", "count", "bad_hours"), [("pois", 438, 4), ("buildings", 1_284, 0)])
def test_shops_and_footprints_of_monaco_give_the_hits_of_brute_force(
    name: str, count: int, bad_hours: int
) -> None:
    stores, dropped = monaco(name)
    assert len(stores) == count
    assert dropped == bad_hours
    assert assert_same_as_brute_force(ZoneIndex.build(stores), *around(stores, 150, metres=150.0)) > 500
    assert read_collection(collection(*(store_to_feature(store) for store in stores))) == stores


def test_the_check_of_monaco_names_neighbours_that_overlap() -> None:
    stores, _ = monaco("pois")
    found = check_stores(stores)
    assert {finding.code for finding in found} >= {"overlap", "no_hours", "radius_small"}
    assert all(finding.advice and finding.detail for finding in found)


def test_real_traces_touch_the_shops_that_stand_on_their_way() -> None:
    """Shops are put on every 40th fix, so that traces pass through, along and away from them."""
    positions = list(fixes())
    latitudes, longitudes = (np.array(axis) for axis in zip(*positions, strict=True))
    assert latitudes.size > 13_000
    made = read_collection(
        collection(
            *(point_feature(f"shop-{i}", *positions[i]) for i in range(0, len(positions), 40)),
        )
    )
    index = ZoneIndex.build(made)
    chosen = np.arange(0, latitudes.size, 7)
    assert assert_same_as_brute_force(index, latitudes[chosen], longitudes[chosen]) > 2_000
    premises = [i for i, ref in enumerate(index.zones) if ref.zone_id == PREMISES]
    found = index.match(latitudes[::40], longitudes[::40])
    assert np.isin(premises, found.zone_index).all()
