"""Routes of places: the regions that a phone watches, and the stores that managers publish."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, WithJsonSchema

from m2s.app.access import Role
from m2s.core.base.errors import NotFound
from m2s.core.places.geojson import read_collection, store_to_feature
from m2s.core.places.regions import regions_near
from m2s.entry.api.door import Door, Here, OwnDevice, allowed
from m2s.entry.api.fields import Id, Latitude, Longitude

router = APIRouter(route_class=Door, tags=["places"])

MOST_STORE_BYTES = 16 * 1024 * 1024
_REGIONS = 20

_FEATURE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A GeoJSON feature; coordinates are longitude first.",
    "required": ["type", "geometry", "properties"],
    "properties": {
        "type": {"const": "Feature"},
        "id": {"type": "string"},
        "geometry": {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"enum": ["Point", "Polygon", "MultiPolygon"]},
                "coordinates": {"type": "array"},
            },
        },
        "properties": {"type": "object"},
    },
}
_COLLECTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": _FEATURE_SCHEMA},
    },
}
_GEO_JSON_BODY: dict[str, Any] = {
    "requestBody": {"content": {"application/geo+json": {"schema": _COLLECTION_SCHEMA}}}
}
Feature = Annotated[dict[str, Any], WithJsonSchema(_FEATURE_SCHEMA)]
FeatureCollection = Annotated[dict[str, Any], WithJsonSchema(_COLLECTION_SCHEMA)]


class Region(BaseModel):
    """A circle to watch; `id` is store_id/zone_id."""

    id: str
    latitude: float
    longitude: float
    radius_m: float


class Regions(BaseModel):
    """The regions that this phone should watch, best first."""

    version: str
    refresh_after_m: float
    refresh_after_s: int
    regions: list[Region]


class Published(BaseModel):
    """How many stores were published, and the catalog's version with them."""

    stores: int
    version: int


@router.get(
    "/v1/regions",
    response_model=Regions,
    responses={304: {"description": "Not changed"}},
    **allowed(Role.DEVICE),
)
def get_regions(
    engine: Here,
    own: OwnDevice,
    response: Response,
    latitude: Annotated[Latitude, Query()],
    longitude: Annotated[Longitude, Query()],
    platform: Annotated[Literal["ios", "android"], Query()],
    limit: Annotated[int, Query(ge=1, le=100)] = _REGIONS,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """The nearest regions, with a version that is also the ETag; the position is used and not kept."""
    del own
    near = regions_near(
        engine.catalog().index, latitude=latitude, longitude=longitude, platform=platform, limit=limit
    )
    etag = f'"{near.version}"'
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return Regions(
        version=near.version,
        refresh_after_m=near.refresh_after_m,
        refresh_after_s=near.refresh_after_s,
        regions=[
            Region(id=item.id, latitude=item.latitude, longitude=item.longitude, radius_m=item.radius_m)
            for item in near.items
        ],
    )


@router.put("/v1/stores", **allowed(Role.MANAGER, max_body_bytes=MOST_STORE_BYTES, **_GEO_JSON_BODY))
def put_stores(engine: Here, document: Annotated[FeatureCollection, Body()]) -> Published:
    """Adds the stores of a FeatureCollection, or replaces those of the same id; all of them or none."""
    stores = read_collection(document, engine.settings.timezone)
    return Published(stores=len(stores), version=engine.publish.publish_stores(stores))


@router.get("/v1/stores", **allowed(Role.MANAGER))
def get_stores(engine: Here) -> FeatureCollection:
    """Every store in force."""
    stores = engine.catalog().stores.values()
    return {"type": "FeatureCollection", "features": [store_to_feature(store) for store in stores]}


@router.get("/v1/stores/{store_id}", **allowed(Role.MANAGER))
def get_store(engine: Here, store_id: Id) -> Feature:
    """One store in force."""
    store = engine.catalog().stores.get(store_id)
    if store is None:
        raise NotFound(f"there is no store {store_id!r}")
    return store_to_feature(store)
