"""Routes of phones and their owners: registration, settings, pivot ids, consents."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import Field

from m2s.app.access import Role
from m2s.app.inputs import Pivots as PivotIds
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.core.base.errors import Invalid, Problem
from m2s.entry.api.door import Caller, Door, Here, OwnDevice, OwnKey, allowed
from m2s.entry.api.fields import Id, IdempotencyKey, Instant, LenientBody, Text64

router = APIRouter(route_class=Door, tags=["devices"])

Platform = Literal["ios", "android"]


class DeviceDetails(LenientBody):
    """What a phone tells about itself; null forgets a value."""

    platform: Platform | None = None
    push_token: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2}$", description="ISO 639-1")] | None = None
    timezone: Annotated[str, Field(min_length=1, max_length=64, description="IANA name")] | None = None
    os_permissions: Annotated[dict[Text64, Text64], Field(max_length=20)] | None = None


class RegisteredDevice(LenientBody):
    """A new device; the token is shown this once."""

    device_id: str
    device_token: str


class Device(LenientBody):
    """A device as it is kept; the push token itself is never shown."""

    device_id: str
    platform: str | None
    has_push_token: bool
    language: str | None
    timezone: str | None
    os_permissions: dict[str, str]


class Pivots(LenientBody):
    """Keys of the shopper in the retailer's other systems; `device_id` from role `server` only."""

    device_id: Id | None = None
    phone: (
        Annotated[
            str, Field(max_length=32, description="E.164, like +33612345678; or as in the stores' country")
        ]
        | None
    ) = None
    email: Annotated[str, Field(max_length=320)] | None = None
    customer_id: Text64 | None = None
    loyalty_id: Text64 | None = None


class Consent(LenientBody):
    """One statement of consent: `marketing` for a channel, or `location` without one."""

    purpose: Literal["marketing", "location"]
    channel: Literal["push", "sms", "webhook"] | None = None
    granted: bool
    text_version: Text64
    at: Instant


class Consents(LenientBody):
    """Statements of consent."""

    consents: Annotated[list[Consent], Field(max_length=20)]


@router.post("/v1/devices", status_code=201, **allowed(Role.SDK))
def register_device(
    engine: Here,
    key: OwnKey,
    details: DeviceDetails,
    idempotency_key: Annotated[IdempotencyKey | None, Header()] = None,
) -> RegisteredDevice:
    """Registers a device. Repeated with the same Idempotency-Key it gives the same device again, with a new token."""
    new = engine.devices.register(
        details.model_dump(exclude_unset=True), key_id=key.id, idempotency_key=idempotency_key
    )
    return RegisteredDevice(device_id=new.device_id, device_token=new.device_token)


@router.patch("/v1/devices/me", **allowed(Role.DEVICE))
def update_device(engine: Here, own: OwnDevice, details: DeviceDetails) -> Device:
    """Changes the fields that are given."""
    engine.devices.update(own.id, details.model_dump(exclude_unset=True))
    return _device(engine.devices.device(own.id))


@router.post(
    "/v1/devices/me/identify", status_code=204, response_class=Response, **allowed(Role.DEVICE, Role.SERVER)
)
def identify_shopper(engine: Here, caller: Caller, pivots: Pivots) -> None:
    """Tells whose the device is. Role `server` says which device, and is believed about what another shopper has."""
    if caller.device is not None and pivots.device_id not in (None, caller.device.id):
        raise _device_problem("a device speaks for itself only: leave device_id out")
    device = caller.device
    if device is None:
        if pivots.device_id is None:
            raise _device_problem("role `server` has to say which device it speaks of")
        device = engine.devices.device(pivots.device_id)
    given: dict[str, Any] = pivots.model_dump(exclude_none=True, exclude={"device_id"})
    engine.identify.identify(device, PivotIds(**given), vouched=caller.role is Role.SERVER)


@router.put("/v1/devices/me/consents", **allowed(Role.DEVICE))
def put_consents(engine: Here, own: OwnDevice, body: Consents) -> Consents:
    """Adds statements to those kept and returns the ones that count now."""
    engine.devices.put_consents(
        own,
        [
            ConsentRow(item.purpose, item.channel, item.granted, item.text_version, item.at)
            for item in body.consents
        ],
    )
    return _consents(engine.devices.consents(own))


@router.get("/v1/devices/me/consents", **allowed(Role.DEVICE))
def get_consents(engine: Here, own: OwnDevice) -> Consents:
    """The statements that count now: the newest per purpose and channel."""
    return _consents(engine.devices.consents(own))


def _device(row: DeviceRow) -> Device:
    return Device(
        device_id=row.id,
        platform=row.platform,
        has_push_token=row.push_token is not None,
        language=row.language,
        timezone=row.timezone,
        os_permissions=dict(row.os_permissions),
    )


def _consents(rows: list[ConsentRow]) -> Consents:
    return Consents.model_validate(
        {
            "consents": [
                {
                    "purpose": row.purpose,
                    "channel": row.channel,
                    "granted": row.granted,
                    "text_version": row.text_version,
                    "at": row.at,
                }
                for row in rows
            ]
        }
    )


def _device_problem(detail: str) -> Invalid:
    return Invalid("the device is not clear", problems=[Problem("/device_id", "bad_device", detail)])
