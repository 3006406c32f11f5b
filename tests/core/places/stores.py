"""Which stores do the tests of places need? Small makers of stores and features."""

from __future__ import annotations

from m2s.core.places.geojson import read_collection
from m2s.core.places.store import Store


def point_feature(
    store_id: str, latitude: float, longitude: float, **properties: object
) -> dict[str, object]:
    """A feature that is valid as it is."""
    return {
        "type": "Feature",
        "id": store_id,
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {"name": store_id, "timezone": "Europe/Paris", **properties},
    }


def area_feature(store_id: str, ring: list[list[float]], **properties: object) -> dict[str, object]:
    """A feature whose premises are one ring."""
    feature = point_feature(store_id, 0.0, 0.0, **properties)
    return feature | {"geometry": {"type": "Polygon", "coordinates": [ring]}}


def collection(*features: object) -> dict[str, object]:
    """A GeoJSON document."""
    return {"type": "FeatureCollection", "features": list(features)}


def stores(*features: object) -> list[Store]:
    """The stores of these features."""
    return read_collection(collection(*features))
