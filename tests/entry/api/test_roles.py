"""Does every route serve the roles that it declares, and nobody else?"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from m2s.app.access import Role
from m2s.entry.api.app import ROUTERS, create_rest
from m2s.entry.api.door import ROLES, Door
from tests.entry.api.wiring import Service

EXPECTED = {
    ("POST", "/v1/devices"): {"sdk"},
    ("PATCH", "/v1/devices/me"): {"device"},
    ("PUT", "/v1/devices/me/consents"): {"device"},
    ("GET", "/v1/devices/me/consents"): {"device"},
    ("POST", "/v1/devices/me/identify"): {"device", "server"},
    ("POST", "/v1/sightings"): {"device", "server"},
    ("POST", "/v1/research"): {"device", "server"},
    ("POST", "/v1/purchases"): {"till", "server"},
    ("GET", "/v1/regions"): {"device"},
    ("GET", "/v1/offers"): {"device"},
    ("GET", "/v1/coupons/{code}"): {"till", "device"},
    ("GET", "/v1/coupons/{code}.svg"): {"till", "device"},
    ("POST", "/v1/redemptions"): {"till"},
    ("POST", "/v1/redemptions/{redemption_id}/void"): {"till"},
    ("PUT", "/v1/stores"): {"manager"},
    ("GET", "/v1/stores"): {"manager"},
    ("GET", "/v1/stores/{store_id}"): {"manager"},
    ("POST", "/v1/campaigns/validate"): {"manager"},
    ("POST", "/v1/campaigns/plan"): {"manager"},
    ("POST", "/v1/campaigns/{campaign_id}/backtest"): {"manager"},
    ("PUT", "/v1/campaigns/{campaign_id}"): {"manager"},
    ("GET", "/v1/campaigns"): {"manager"},
    ("GET", "/v1/campaigns/schema.json"): set(),
    ("GET", "/v1/campaigns/{campaign_id}"): {"manager"},
    ("POST", "/v1/campaigns/{campaign_id}/pause"): {"manager"},
    ("POST", "/v1/campaigns/{campaign_id}/resume"): {"manager"},
    ("POST", "/v1/campaigns/{campaign_id}/stop"): {"manager"},
    ("GET", "/v1/decisions"): {"manager", "privacy"},
    ("GET", "/v1/decisions/{decision_id}"): {"manager", "privacy"},
    ("GET", "/v1/reports/{name}"): {"analyst", "manager"},
    ("POST", "/v1/keys"): {"admin"},
    ("GET", "/v1/keys"): {"admin"},
    ("DELETE", "/v1/keys/{key_id}"): {"admin"},
    ("POST", "/v1/webhooks"): {"admin"},
    ("GET", "/v1/webhooks"): {"admin"},
    ("GET", "/v1/webhooks/{webhook_id}"): {"admin"},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"admin"},
    ("DELETE", "/v1/webhooks/{webhook_id}"): {"admin"},
    ("POST", "/v1/webhooks/{webhook_id}/rotate"): {"admin"},
    ("POST", "/v1/webhooks/{webhook_id}/test"): {"admin"},
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): {"admin"},
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{event_id}/replay"): {"admin"},
    ("POST", "/v1/callbacks/{provider}"): set(),
    ("POST", "/v1/callbacks/{provider}/{token}"): set(),
    ("GET", "/v1/callbacks/{provider}/{token}"): set(),
    ("GET", "/healthz"): set(),
    ("GET", "/readyz"): set(),
    ("GET", "/metrics"): set(),
}
"""Who may pass where; an empty set means anybody. Of a callback the provider's signature is asked after that."""

ANY_QUERY = {place for place in EXPECTED if place[1].startswith("/v1/callbacks/")} | {
    ("POST", "/v1/sightings")
}
"""Of callbacks the provider says what stands in their address."""

PATHS = {"{code}": "X", "{name}": "visits"}


def operations(service: Service) -> dict[tuple[str, str], Any]:
    document = service.call("GET", "/openapi.json").json()
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def concrete(path: str) -> str:
    for name, value in PATHS.items():
        path = path.replace(name, value)
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def test_every_route_is_behind_a_door_that_declares_its_roles(shared: Service) -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert routes
    assert all(isinstance(route, Door) and ROLES in (route.openapi_extra or {}) for route in routes)
    own = [route for route in create_rest(shared.engine).router.routes if isinstance(route, APIRoute)]
    assert own == []


def test_a_route_without_roles_cannot_be_made() -> None:
    router = APIRouter(route_class=Door)
    with pytest.raises(ValueError, match="declares no role"):
        router.get("/open")(lambda: None)


def test_the_document_lists_the_routes_and_roles_that_were_agreed(shared: Service) -> None:
    found = {place: set(operation[ROLES]) for place, operation in operations(shared).items()}
    assert found == EXPECTED


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_passes_exactly_where_it_may(shared: Service, role: Role | None) -> None:
    wrong = []
    for (method, path), roles in EXPECTED.items():
        status = shared.call(method, concrete(path), role).status_code
        refused = {401} if role is None else {403}
        may_pass = not roles or role in roles
        if (status in {401, 403}) if may_pass else (status not in refused):
            wrong.append((method, path, status))
    assert wrong == []


@pytest.mark.parametrize(
    "shown", ["", "pk_manager", "dt_" + "A" * 43, "pk_manager_aaaaaaaa_" + "A" * 43, "Ünïcode", "a b", "\x00"]
)
def test_a_key_that_was_never_made_opens_nothing(shared: Service, shown: str) -> None:
    headers = {"authorization": f"Bearer {shown}".encode("latin-1")}
    for method, path in EXPECTED:
        if EXPECTED[method, path]:
            answer = shared.call(method, concrete(path), headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_key_is_told_from_a_missing_one(service: Service) -> None:
    row, key = service.engine.access.create_key(Role.MANAGER)
    service.engine.access.revoke(row.id)
    missing = service.call("GET", "/v1/campaigns").json()["detail"]
    wrong = [key, "pk_manager", "dt_" + "A" * 43, "a b"]
    details = {service.call("GET", "/v1/campaigns", shown).json()["detail"] for shown in wrong}
    assert details == {"this key or token is unknown or was revoked"}
    assert missing.startswith("send `Authorization: Bearer`")


@pytest.mark.parametrize("place", sorted(set(EXPECTED) - ANY_QUERY))
def test_a_query_parameter_that_a_route_does_not_know_is_refused(
    shared: Service, place: tuple[str, str]
) -> None:
    method, path = place
    role = min(EXPECTED[place], default=None)
    answer = shared.call(method, f"{concrete(path)}?nope=1", role)
    assert answer.status_code == 422
    assert [(item["pointer"], item["code"]) for item in answer.json()["errors"]] == [
        ("?nope", "unknown_parameter")
    ]


def test_the_role_is_checked_before_the_body_is_read(shared: Service) -> None:
    answer = shared.call("PUT", "/v1/stores", "analyst", content=b"{" * 100)
    assert answer.status_code == 403


def test_a_revoked_key_is_refused_at_once(service: Service) -> None:
    row, key = service.engine.access.create_key(Role.MANAGER)
    assert service.call("GET", "/v1/campaigns", key).status_code == 200
    service.engine.access.revoke(row.id)
    assert service.call("GET", "/v1/campaigns", key).status_code == 401
