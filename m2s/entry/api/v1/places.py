"""Routes of places: the regions that a phone watches, and the stores that managers publish."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, WithJsonSchema

from m2s.app.access import Role
from m2s.app.regions import regions_for
from m2s.core.base.errors import NotFound
from m2s.core.places.geojson import read_collection, store_to_feature
from m2s.core.places.regions import REFRESH_AFTER_S
from m2s.core.places.regions import Region as Circle
from m2s.entry.api.door import Door, Here, OwnDevice, allowed
from m2s.entry.api.fields import Id, Latitude, Longitude

router = APIRouter(route_class=Door, tags=["places"])

MOST_STORE_BYTES = 16 * 1024 * 1024

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


class BeaconRegion(BaseModel):
    """All beacons of a uuid and major; range them while the phone is in earshot."""

    id: str
    uuid: str
    major: int


class Regions(BaseModel):
    """The regions that this phone should watch, best first, and the circle in which they hold."""

    version: str
    refresh_after_m: float
    refresh_after_s: int
    regions: list[Region]
    beacon_regions: list[BeaconRegion]
    refresh_region: Region


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
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """The best regions, with a version that is also the ETag; the position is used and not kept.

    Regions, beacon regions and the refresh region together are at most `limit`, and 20 (ios) or 100 (android).
    """
    del own
    plan = regions_for(
        engine.catalog(),
        engine.clock.now(),
        latitude=latitude,
        longitude=longitude,
        platform=platform,
        limit=limit,
    )
    version = plan.version
    etag = f'"{version}"'
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return Regions(
        version=version,
        refresh_after_m=plan.refresh_after_m,
        refresh_after_s=REFRESH_AFTER_S,
        regions=[_region(circle) for circle in plan.circles],
        beacon_regions=[BeaconRegion(id=one.id, uuid=one.uuid, major=one.major) for one in plan.beacons],
        refresh_region=_region(plan.refresh),
    )


def _region(circle: Circle) -> Region:
    return Region(
        id=circle.id, latitude=circle.latitude, longitude=circle.longitude, radius_m=circle.radius_m
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
