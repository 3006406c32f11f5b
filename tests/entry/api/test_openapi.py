"""Is the OpenAPI document complete and true? Checked against what is sent, and by machine-made requests."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from m2s.entry.api.app import create_app
from m2s.entry.api.door import ROLES
from tests.entry.api.wiring import BEACON, CAMPAIGN, Service

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)

numbers = st.one_of(
    st.floats(-400, 400, allow_nan=False).filter(lambda number: not number.is_integer()),
    st.integers(-70_000, 140_000),
    st.sampled_from([0, -1, 90, 180, 65_535]),
)
anything = st.one_of(numbers, st.booleans(), st.none(), st.text(max_size=4), st.lists(numbers, max_size=2))
BASES: list[dict[str, Any]] = [
    {"id": "a", "kind": "location", "age_ms": 0, "latitude": 1, "longitude": 2, "accuracy_m": 3},
    {"id": "a", "kind": "geofence", "age_ms": 0, "transition": "enter", "region_ids": ["port/x"]},
    {"id": "a", "kind": "beacon", "age_ms": 0, "uuid": BEACON, "major": 1, "minor": 2, "rssi_dbm": -60},
]
FIELDS = sorted(
    {field for base in BASES for field in base} - {"id", "uuid", "region_ids"} | {"speed_mps", "stopped"}
)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """A sighting of a kind, with a field or two changed, added or taken away."""
    item = dict(draw(st.sampled_from(BASES)))
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        if draw(st.booleans()):
            item[field] = draw(anything)
        elif field != "age_ms":
            item.pop(field, None)
    return item


@pytest.fixture(scope="module")
def document(shared: Service) -> dict[str, Any]:
    found: dict[str, Any] = shared.call("GET", "/openapi.json").json()
    return found


def test_every_operation_has_a_name_a_summary_its_roles_and_its_refusals(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"]
        assert operation.get("description") or operation["operationId"] == "take_sightings"
        assert bool(operation[ROLES]) == ("security" in operation)
        assert operation["responses"]["422"]["content"].keys() == {"application/problem+json"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        return [found for item in value for found in references(item)] if isinstance(value, list) else []

    found = references(document)
    assert found
    schemas = document["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(schemas)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(item=items())
def test_the_fast_door_takes_exactly_what_the_document_allows(
    shared: Service, document: dict[str, Any], item: dict[str, Any]
) -> None:
    schema = {"$ref": "#/components/schemas/Sightings", "components": document["components"]}
    allowed = jsonschema_rs.Draft202012Validator(schema).is_valid({"sightings": [item]})
    answer = shared.send("device", item).json()
    refused = [found for found in answer["rejected"] if found["code"] in ("invalid", "unknown_kind")]
    assert allowed == (refused == [])


def knock(service: Service, operation: Any) -> int:
    """Sends an operation some requests made from its schema; returns how many."""
    roles = operation.definition.raw[ROLES]
    headers = {"Authorization": f"Bearer {service.keys[roles[0]]}"} if roles else {}
    tried = 0

    @settings(
        max_examples=12, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def send(case: Case) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(headers=headers, checks=CHECKS)

    send()
    return tried


def test_machine_made_requests_get_what_the_document_says(service: Service) -> None:
    yaml = {"content-type": "application/yaml"}
    service.call("PUT", "/v1/campaigns/morning", "manager", content=CAMPAIGN, headers=yaml)
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(service.engine))
    tried = {found.ok().label: knock(service, found.ok()) for found in schema.get_all_operations()}
    assert len(tried) > 20
    assert min(tried.values()) > 0
