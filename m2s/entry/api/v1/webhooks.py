"""Routes of webhooks: which systems of the retailer's are told what, and what became of it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from m2s.app.access import Role
from m2s.app.endpoints import ACTIVE, EndpointRow, NoticeRow, TryRow
from m2s.core.delivery.webhook import PATTERNS
from m2s.entry.api.door import Door, Here, allowed
from m2s.entry.api.fields import Id, Instant, StrictBody

router = APIRouter(route_class=Door, tags=["webhooks"])

Url = Annotated[str, Field(max_length=2_000, description="https://…, on the public internet")]
Events = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(min_length=1, max_length=len(PATTERNS), description=f"any of {', '.join(PATTERNS)}"),
]
Description = Annotated[str, Field(max_length=200)]
State = Literal["due", "delivered", "failed"]


class WebhookRequest(StrictBody):
    """An address to be told events."""

    url: Url
    events: Events
    description: Description = ""


class WebhookChanges(StrictBody):
    """What is to be different; what is absent stays."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    active: bool | None = None


class Webhook(BaseModel):
    """An endpoint without its secret; one that is not `active` is told nothing, for `reason`."""

    webhook_id: str
    url: str
    events: list[str]
    description: str
    active: bool
    reason: str | None
    created_at: Instant
    failing_since: Instant | None
    old_secret_until: Instant | None


class WebhookWithSecret(Webhook):
    """An endpoint with its new secret, which is shown this once."""

    secret: Annotated[str, Field(description="whsec_… of Standard Webhooks")]


class Webhooks(BaseModel):
    """Every endpoint."""

    webhooks: list[Webhook]


class Try(BaseModel):
    """One call: the status that was answered, or why none was."""

    at: Instant
    status: int | None
    detail: str | None
    took_ms: int


class Delivery(BaseModel):
    """What an endpoint was told of one event: `due` (again at `next_at`), `delivered`, or `failed` for good."""

    event_id: str
    type: str
    state: State
    body: str
    created_at: Instant
    next_at: Instant | None
    tries: list[Try]


class Deliveries(BaseModel):
    """Deliveries, newest first; the last `event_id` as `before` gives those before."""

    deliveries: list[Delivery]


@router.post("/v1/webhooks", status_code=201, **allowed(Role.ADMIN))
def create_webhook(engine: Here, request: WebhookRequest) -> WebhookWithSecret:
    """Makes an endpoint. A request whose answer was lost made it too: rotate its secret."""
    row = engine.webhooks.add(request.url, request.events, description=request.description)
    return WebhookWithSecret(**_fields(row), secret=row.secret)


@router.get("/v1/webhooks", **allowed(Role.ADMIN))
def get_webhooks(engine: Here) -> Webhooks:
    """Every endpoint, oldest first."""
    return Webhooks(webhooks=[_webhook(row) for row in engine.webhooks.every()])


@router.get("/v1/webhooks/{webhook_id}", **allowed(Role.ADMIN))
def get_webhook(engine: Here, webhook_id: Id) -> Webhook:
    """One endpoint."""
    return _webhook(engine.webhooks.get(webhook_id))


@router.patch("/v1/webhooks/{webhook_id}", **allowed(Role.ADMIN))
def change_webhook(engine: Here, webhook_id: Id, changes: WebhookChanges) -> Webhook:
    """Changes an endpoint; one that is made active again is told what had waited for it."""
    return _webhook(engine.webhooks.change(webhook_id, **changes.model_dump()))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, **allowed(Role.ADMIN))
def remove_webhook(engine: Here, webhook_id: Id) -> None:
    """Ends an endpoint and drops its log."""
    engine.webhooks.remove(webhook_id)


@router.post("/v1/webhooks/{webhook_id}/rotate", **allowed(Role.ADMIN))
def rotate_webhook(engine: Here, webhook_id: Id) -> WebhookWithSecret:
    """Gives an endpoint a new secret; until `old_secret_until` the one of before signs as well."""
    row = engine.webhooks.rotate(webhook_id)
    return WebhookWithSecret(**_fields(row), secret=row.secret)


@router.post("/v1/webhooks/{webhook_id}/test", **allowed(Role.ADMIN))
def test_webhook(engine: Here, webhook_id: Id) -> Delivery:
    """Posts a `webhook.test` now and once, and answers what came of it."""
    notice, tried = engine.notify.test(webhook_id)
    return _delivery(notice, [tried])


@router.get("/v1/webhooks/{webhook_id}/deliveries", **allowed(Role.ADMIN))
def get_deliveries(
    engine: Here,
    webhook_id: Id,
    state: Annotated[State | None, Query()] = None,
    before: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Deliveries:
    """The log of the last 7 days, with every try."""
    found = engine.webhooks.notices(webhook_id, state=state, before=before, limit=limit)
    return Deliveries(deliveries=[_delivery(notice, tries) for notice, tries in found])


@router.post("/v1/webhooks/{webhook_id}/deliveries/{event_id}/replay", status_code=204, **allowed(Role.ADMIN))
def replay_delivery(engine: Here, webhook_id: Id, event_id: Id) -> None:
    """Has an event told again, under the same id and with all its tries before it."""
    engine.webhooks.replay(webhook_id, event_id)


def _webhook(row: EndpointRow) -> Webhook:
    return Webhook(**_fields(row))


def _fields(row: EndpointRow) -> dict[str, Any]:
    return {
        "webhook_id": row.id,
        "url": row.url,
        "events": row.events.split(),
        "description": row.description,
        "active": row.state == ACTIVE,
        "reason": row.reason,
        "created_at": row.created_at,
        "failing_since": row.failing_since,
        "old_secret_until": row.old_secret_until,
    }


def _delivery(notice: NoticeRow, tries: Sequence[TryRow]) -> Delivery:
    return Delivery.model_validate(
        {
            "event_id": notice.event_id,
            "type": notice.type,
            "state": notice.state,
            "body": notice.body,
            "created_at": notice.created_at,
            "next_at": notice.next_at if notice.state == "due" else None,
            "tries": [
                {"at": one.at, "status": one.status, "detail": one.detail, "took_ms": one.took_ms}
                for one in tries
            ],
        }
    )
