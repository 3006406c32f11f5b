"""Is every store that is accepted written so that it can be read again, as the same store?"""

from __future__ import annotations

import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from m2s.core.base.errors import Invalid
from m2s.core.places.geojson import read_collection, store_to_feature
from tests.core.places.stores import collection, point_feature

TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(["Rue de la Paix", " ", "é" * 125, "x" * 250]))
SQUARE = [[2.0, 48.0], [2.001, 48.0], [2.001, 48.001], [2.0, 48.001], [2.0, 48.0]]
PROPERTIES: dict[str, st.SearchStrategy[object]] = {
    **dict.fromkeys(("addr:street", "addr:city", "addr:housenumber", "addr:postcode", "addr:full"), TEXTS),
    **dict.fromkeys(("address", "brand", "phone", "contact:phone", "shop", "subdivision"), TEXTS),
    "name": TEXTS,
    "tags": st.one_of(TEXTS, st.lists(TEXTS, max_size=3)),
    "country": st.sampled_from(["fr", "DE", " ", None]),
    "currency": st.sampled_from(["EUR", "euro", None]),
    "opening_hours": st.sampled_from(["24/7", "Mo-Sa 09:00-19:30; PH off", "Mo 8"]),
    "premises_radius_m": st.one_of(st.integers(5, 60), st.floats(9.0, 6_000.0)),
    "store_type": st.sampled_from(["fashion", "supermarket", ""]),
    "visit": st.fixed_dictionaries({}, optional={"dwell_min_s": st.integers(20, 400)}),
    "zones": st.lists(
        st.sampled_from(
            [
                {"id": "vicinity", "radius_m": 250.5},
                {"id": "square", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
                {"id": "premises", "radius_m": 30},
            ]
        ),
        max_size=2,
    ),
    "beacons": st.lists(
        st.fixed_dictionaries(
            {"uuid": st.uuids().map(str), "major": st.integers(0, 70_000), "minor": st.just(1)},
            optional={"place": TEXTS, "measured_power_dbm": st.integers(-130, 0)},
        ),
        max_size=2,
    ),
}


@settings(max_examples=300)
@given(
    latitude=st.floats(-85.0, 85.0),
    longitude=st.floats(-180.0, 180.0),
    properties=st.fixed_dictionaries({}, optional=PROPERTIES),
    feature_id=st.sampled_from(["a", "node/7"]),
)
def test_what_is_accepted_reads_back_as_the_same_store(
    latitude: float, longitude: float, properties: dict[str, object], feature_id: str
) -> None:
    feature = point_feature("a", latitude, longitude, **properties) | {"id": feature_id}
    try:
        (store,) = read_collection(collection(feature))
    except Invalid:
        assume(False)
    written = json.dumps(store_to_feature(store), ensure_ascii=False).encode()
    assert read_collection(collection(json.loads(written))) == [store]
