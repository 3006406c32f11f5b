"""Can keys be made, seen and ended while the service runs?"""

from __future__ import annotations

from typing import get_args

import pytest

from m2s.app.access import KEY_ROLES
from m2s.entry.api.v1.keys import KeyRole
from tests.entry.api.wiring import Service


def test_a_leaked_key_is_replaced_while_the_service_runs(service: Service) -> None:
    made = service.call("POST", "/v1/keys", "admin", json={"role": "manager"})
    assert made.status_code == 201
    key_id, key = made.json()["key_id"], made.json()["key"]
    assert service.call("GET", "/v1/campaigns", key).status_code == 200
    assert service.call("DELETE", f"/v1/keys/{key_id}", "admin").status_code == 204
    assert service.call("GET", "/v1/campaigns", key).status_code == 401
    assert service.call("DELETE", f"/v1/keys/{key_id}", "admin").status_code == 404


def test_keys_are_listed_without_their_secrets(service: Service) -> None:
    made = service.call("POST", "/v1/keys", "admin", json={"role": "till", "store_id": "port"}).json()
    answer = service.call("GET", "/v1/keys", "admin")
    secret = made.pop("key")
    assert made in answer.json()["keys"]
    assert (made["role"], made["store_id"], made["revoked_at"]) == ("till", "port", None)
    assert secret.rsplit("_", 1)[1] not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "device"},
        {"role": "king"},
        {"role": "till"},
        {"role": "till", "store_id": "nowhere"},
        {"role": "manager", "store_id": "port"},
        {"role": "manager", "name": "x"},
    ],
)
def test_a_key_that_cannot_be_is_refused(shared: Service, body: dict[str, str]) -> None:
    before = shared.call("GET", "/v1/keys", "admin").json()
    assert shared.call("POST", "/v1/keys", "admin", json=body).status_code == 422
    assert shared.call("GET", "/v1/keys", "admin").json() == before


def test_the_roles_of_keys_are_those_that_a_key_can_have() -> None:
    assert set(get_args(KeyRole)) == set(KEY_ROLES)
