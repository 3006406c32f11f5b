"""What may one sighting say? The wire form of `POST /v1/sightings`, decoded and checked by msgspec."""

from datetime import datetime
from typing import Annotated

import msgspec

from m2s.core.presence.evidence import Transition

Text64 = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Region = Annotated[str, msgspec.Meta(min_length=3, max_length=129)]
Age = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Accuracy = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
Speed = Annotated[float, msgspec.Meta(ge=0, le=1_000)]
Rssi = Annotated[int, msgspec.Meta(ge=-128, le=127)]
U16 = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Uuid = Annotated[
    str, msgspec.Meta(pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$")
]


class _Common(msgspec.Struct, tag_field="kind", frozen=True, gc=False, kw_only=True):
    id: Text64
    at: Moment | None = None
    age_ms: Age | None = None
    foreground: bool | None = None
    mocked: bool = False
    source: Text64 | None = None
    device_id: Text64 | None = None


class Location(_Common, tag="location", frozen=True):
    """A position fix; metres and metres per second."""

    latitude: Latitude
    longitude: Longitude
    accuracy_m: Accuracy
    speed_mps: Speed | None = None
    stopped: bool | None = None
    altitude_m: Annotated[float, msgspec.Meta(ge=-20_000, le=100_000)] | None = None


class Geofence(_Common, tag="geofence", frozen=True):
    """What the operating system reported about regions of `/v1/regions` (`store_id/zone_id`)."""

    transition: Transition
    region_ids: Annotated[list[Region], msgspec.Meta(min_length=1, max_length=100)]
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    accuracy_m: Accuracy | None = None


class BeaconSample(msgspec.Struct, frozen=True, gc=False):
    """One received signal strength and its age at sending."""

    age_ms: Age
    rssi_dbm: Rssi


class BeaconSighting(_Common, tag="beacon", frozen=True):
    """An iBeacon heard; `samples` when the phone kept several."""

    uuid: Uuid
    major: U16
    minor: U16
    rssi_dbm: Rssi
    proximity: Text64 | None = None
    distance_m: Annotated[float, msgspec.Meta(ge=-1, le=10_000)] | None = None
    samples: Annotated[list[BeaconSample], msgspec.Meta(max_length=100)] = []


Sighting = Location | Geofence | BeaconSighting
"""One decoded item of a batch."""


class Rejected(msgspec.Struct, frozen=True):
    """One item that was not taken: its index in the batch, its id where readable, and why."""

    index: int
    id: str | None
    code: str
    detail: str


class Batch(msgspec.Struct, frozen=True):
    """One request, decoded; `items` keep their index in the request.

    `device_id` is the sending device, None for role `server`, whose items name their own; `shoppers` gives the
    shopper of every device named.
    """

    device_id: str | None
    shoppers: dict[str, str]
    received_at_ms: int
    sent_at_ms: int | None
    items: list[tuple[int, Sighting]]
    rejected: list[Rejected]


class Answer(msgspec.Struct, frozen=True):
    """What the sender gets after the commit: `accepted + away + duplicates + len(rejected)` = items sent."""

    accepted: int
    away: int
    duplicates: int
    rejected: list[Rejected]
    events: list[dict[str, str | list[str]]]
