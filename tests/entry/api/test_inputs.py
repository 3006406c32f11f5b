"""Baskets, research and pivot ids over HTTP: each item has a verdict, and the document says what is taken."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.entry.api.wiring import Service

BASKET = {
    "purchase_id": "b1",
    "store_id": "port",
    "at": "2026-11-03T08:30:00Z",
    "amount": "12.50",
    "discount": 1,
    "currency": "EUR",
    "loyalty_id": "L1",
}
LOOKUP = {"id": "r1", "topic": "opening_hours", "age_ms": 0, "store_id": "port"}


def post(service: Service, path: str, role: str, *items: Any) -> dict[str, Any]:
    name = path.rsplit("/", 1)[-1]
    answer = service.call("POST", path, role, json={name: list(items)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_batch_is_taken_item_by_item_and_once(service: Service) -> None:
    items = [
        BASKET,
        BASKET | {"purchase_id": "b2", "amount": -1},
        5,
        BASKET | {"purchase_id": "b3", "store_id": "no"},
    ]
    told = post(service, "/v1/purchases", "server", *items)
    assert {name: told[name] for name in ("accepted", "duplicates", "left_out")} == {
        "accepted": 1,
        "duplicates": 0,
        "left_out": [],
    }
    assert [(one["index"], one["id"], one["code"]) for one in told["rejected"]] == [
        (1, "b2", "invalid"),
        (2, None, "invalid"),
        (3, "b3", "unknown_store"),
    ]
    assert told["rejected"][0]["detail"] == "/amount: write at least 0"
    assert post(service, "/v1/purchases", "till", BASKET)["duplicates"] == 1


def test_a_till_takes_its_own_stores_baskets_only(service: Service) -> None:
    told = post(service, "/v1/purchases", "till", BASKET | {"store_id": "church"})
    assert [one["code"] for one in told["rejected"]] == ["other_store"]


def test_research_of_a_phone_and_of_the_site_is_one_shoppers_once_she_is_known(service: Service) -> None:
    device_id, token = service.phone()
    assert post(service, "/v1/research", token, LOOKUP)["accepted"] == 1
    assert post(service, "/v1/research", "server", LOOKUP | {"customer_id": "c1"})["accepted"] == 1
    said = {
        "device_id": device_id,
        "customer_id": "c1",
        "phone": "06 12 34 56 78",
        "email": "Ann@example.org",
    }
    assert service.call("POST", "/v1/devices/me/identify", "server", json=said).status_code == 204
    whose = service.engine.devices.device(device_id).shopper_id
    with service.engine.database.read() as records:
        found = records.identities.held_by([whose])[whose]
    assert {held.pivot[0] for held in found} == {"customer_id", "phone", "email"}
    again = post(service, "/v1/research", "server", LOOKUP | {"device_id": device_id})
    assert (again["accepted"], again["duplicates"]) == (0, 1)


def test_a_device_has_its_new_shopper_in_the_next_request(service: Service) -> None:
    old_id, _ = service.consenting_phone()
    new_id, token = service.phone()
    for device_id in (old_id, new_id):
        said = {"device_id": device_id, "customer_id": "c1"}
        assert service.call("POST", "/v1/devices/me/identify", "server", json=said).status_code == 204
    found = service.call("GET", "/v1/devices/me/consents", token).json()["consents"]
    assert {one["purpose"] for one in found} == {"location", "marketing"}
    assert service.send(token, service.fix()).json()["accepted"] == 1
    with service.engine.database.read() as records:
        assert len(records.identities.earliest_evidence(service.engine.devices.device(old_id).shopper_id)) > 0


def test_two_customers_are_a_conflict(service: Service) -> None:
    for name, status in (("c1", 204), ("c2", 409)):
        device_id, _ = service.phone()
        said = {"device_id": device_id, "customer_id": name, "phone": "+33612345678"}
        answer = service.call("POST", "/v1/devices/me/identify", "server", json=said)
        assert answer.status_code == status
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [
        ("/phone", "pivot_conflict")
    ]


@pytest.mark.parametrize("path", ["/v1/purchases", "/v1/research"])
def test_more_than_500_items_are_refused_whole(service: Service, path: str) -> None:
    name = path.rsplit("/", 1)[-1]
    answer = service.call("POST", path, "server", json={name: [{}] * 501})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:m2s:problem:too_many_items")


@pytest.mark.parametrize(
    ("path", "items"),
    [("/v1/purchases", BASKET), ("/v1/research", LOOKUP)],
)
@pytest.mark.parametrize(
    "wrong",
    [None, [], "x", 5, True, {}, {"at": "9999-12-31T23:59:59-14:00"}, {"at": "0001-01-01T00:00:00+14:00"}],
)
def test_an_item_that_makes_no_sense_is_rejected_and_never_a_fault(
    shared: Service, path: str, items: dict[str, Any], wrong: Any
) -> None:
    item = items | wrong if isinstance(wrong, dict) and wrong else wrong
    if isinstance(item, dict):
        item.pop("age_ms", None)
    told = post(shared, path, "server", item)
    assert (told["accepted"], len(told["rejected"])) == (0, 1)


def test_a_senders_clock_at_the_end_of_time_is_no_fault(shared: Service) -> None:
    for sent_at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        body = {"research": [LOOKUP | {"age_ms": None, "at": "2026-11-03T08:00:00Z"}], "sent_at": sent_at}
        assert shared.call("POST", "/v1/research", "device", json=body).status_code in (200, 422)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**9),
    st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=3),
    st.just("2026-11-03T08:00:00Z"),
    st.just([]),
)
FIELDS = {"/v1/purchases": BASKET, "/v1/research": LOOKUP | {"device_id": "dev_x", "product": "p"}}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(path=st.sampled_from(sorted(FIELDS)), data=st.data())
def test_an_item_is_invalid_exactly_where_the_document_says_so(
    shared: Service, path: str, data: st.DataObject
) -> None:
    item = dict(FIELDS[path])
    for field in data.draw(st.lists(st.sampled_from([*item, "email", "unheard_of"]), max_size=2)):
        if data.draw(st.booleans()):
            item[field] = data.draw(anything)
        else:
            item.pop(field, None)
    operation = shared.call("GET", "/openapi.json").json()
    name = path.rsplit("/", 1)[-1]
    ref = operation["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = operation["components"]["schemas"][ref.rsplit("/", 1)[-1]]["properties"][name]["items"]
    allowed = jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(item)
    told = post(shared, path, "server", item)
    assert allowed == ([one for one in told["rejected"] if one["code"] == "invalid"] == []), told
