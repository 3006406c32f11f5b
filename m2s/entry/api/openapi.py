"""What does the API promise to programs? One OpenAPI document for both doors, made from what they really read."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from m2s.app.sighting import Answer
from m2s.app.visit_events import CORRECTED, RETRACTED, STARTED
from m2s.entry.api import sightings
from m2s.entry.api.door import ROLES
from m2s.entry.api.problems import CONTENT_TYPE, ProblemDocument

_EVENTS = (STARTED, CORRECTED, RETRACTED, "offer.decided")
"""What the answer to sightings can tell."""

_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    "400": "The body cannot be read",
    "401": "A valid key or device token is needed",
    "403": "The role does not allow this",
    "404": "There is no such thing",
    "408": "The request arrives too slowly",
    "409": "The request conflicts with what already happened",
    "413": "The body is too large",
    "415": "The body's type or encoding is not taken",
    "422": "The request is not valid",
    "431": "The address and headers are too large",
    "503": "The service cannot take this now; try again",
}


def install(app: FastAPI) -> None:
    """Makes the application describe itself completely at /openapi.json."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            app.openapi_schema = _completed(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to replace it


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs")
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (pk_…) or device token (dt_…)",
        }
    }
    document["paths"][sightings.PATH] = {"post": _sightings_operation(schemas)}
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    if operation[ROLES]:
        operation["security"] = [{"bearer": []}]
    for status, description in _PROBLEMS.items():
        operation["responses"][status] = {
            "description": description,
            "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
        }
    operation["responses"]["503"]["headers"] = {
        "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}
    }


def _sightings_operation(schemas: dict[str, Any]) -> dict[str, Any]:
    (batch, answer), components = msgspec.json.schema_components(
        [sightings.Sightings, Answer], ref_template=_REF
    )
    schemas |= components
    schemas["Sightings"]["properties"]["sightings"]["maxItems"] = sightings.MOST_ITEMS
    return {
        "tags": ["sightings"],
        "summary": "Take sightings",
        "description": (
            "Up to 500 sightings, at most 1 MiB, gzip allowed within that limit after inflation. Each needs `at` or "
            "`age_ms`; from role `server` each carries `device_id`. Unknown fields are ignored. A bad item is "
            "rejected alone. The answer comes after everything that was accepted is durable."
        ),
        "operationId": "take_sightings",
        ROLES: sorted(sightings.ROLES),
        "requestBody": {"required": True, "content": {"application/json": {"schema": batch}}},
        "responses": {
            "200": {
                "description": (
                    "accepted + away + duplicates + len(rejected) = items sent. The `type` of an event is one of "
                    f"{', '.join(_EVENTS)}; each has `store_id`, and `visit_id` or `offer_id`."
                ),
                "content": {"application/json": {"schema": answer}},
            }
        },
    }
