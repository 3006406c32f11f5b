"""How does an error look over HTTP? One table from kind to status, and one document: RFC 9457 problem details.

Nothing that a client sent is written back: text that could not be read may not be writable either.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from m2s.core.base.errors import (
    Conflict,
    Forbidden,
    Invalid,
    M2sError,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from m2s.entry.api.sentences import of_pydantic

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
_LONGER_S = {"dedupe_full": 60}
"""What nothing changes within seconds: that phones ask each second would help nobody."""
_MOST_PROBLEMS = 100
_LONGEST_TEXT = 500

log = structlog.get_logger()


class Malformed(Invalid):
    """The body cannot be read."""

    code = "malformed"


class HeadTooLarge(TooLarge):
    """The address and headers are larger than allowed."""

    code = "head_too_large"


class TooSlow(M2sError):
    """The request arrives too slowly."""

    code = "too_slow"


class UnsupportedMedia(Invalid):
    """The body's type or encoding is not one that this route reads."""

    code = "unsupported_media_type"


STATUS: Mapping[type[M2sError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    TooSlow: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    Invalid: 422,
    HeadTooLarge: 431,
    Unavailable: 503,
}
"""The status of each kind; a kind that is not listed has that of the nearest kind it belongs to."""


class ProblemItem(BaseModel):
    """One of several things that are wrong."""

    pointer: str = Field(
        description="JSON pointer into the body, ?name of a query value, or file:line:column"
    )
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str = Field(description="urn:m2s:problem: and a stable code")
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] | None = None


def status_of(error: M2sError) -> int:
    """The HTTP status of an error."""
    kinds = (kind for kind in type(error).__mro__ if issubclass(kind, M2sError))
    return next((STATUS[kind] for kind in kinds if kind in STATUS), 500)


def document(
    status: int, *, code: str, detail: str, problems: Sequence[Problem] = ()
) -> tuple[bytes, list[tuple[str, str]]]:
    """The body and headers of a problem answer."""
    content: dict[str, Any] = {
        "type": f"urn:m2s:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _short(detail),
    }
    if problems:
        content["errors"] = [
            {"pointer": _short(item.pointer), "code": item.code, "detail": _short(item.detail)}
            for item in problems[:_MOST_PROBLEMS]
        ]
    headers = [("content-type", CONTENT_TYPE), ("cache-control", "no-store")]
    if status == STATUS[Unavailable]:
        headers.append(("retry-after", str(_LONGER_S.get(code, RETRY_AFTER_S))))
    if status == STATUS[Unauthenticated]:
        headers.append(("www-authenticate", "Bearer"))
    return json.dumps(content, ensure_ascii=True).encode(), headers


def document_of(error: M2sError) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers of the answer to an error."""
    status = status_of(error)
    body, headers = document(status, code=error.code, detail=error.detail, problems=error.problems)
    return status, body, headers


def unexpected() -> tuple[bytes, list[tuple[str, str]]]:
    """Body and headers of the answer when the service itself is at fault."""
    return document(500, code="internal", detail="Something went wrong here, not in the request.")


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, M2sError)  # noqa: S101 (registered for this kind)
        status, body, headers = document_of(error)
        return Response(body, status, dict(headers))

    def not_valid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this kind)
        problems = [_problem(found) for found in error.errors()]
        body, headers = document(
            422, code="invalid", detail="The request is not valid; `errors` says where.", problems=problems
        )
        return Response(body, 422, dict(headers))

    def by_framework(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for this kind)
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        detail = {404: "There is nothing at this address.", 405: "This address does not take this method."}
        body, headers = document(
            error.status_code, code=code, detail=detail.get(error.status_code, "The request cannot be taken.")
        )
        return Response(body, error.status_code, {**(error.headers or {}), **dict(headers)})

    def fault(_: Request, error: Exception) -> Response:
        log.error("request.failed", exc_info=error)
        body, headers = unexpected()
        return Response(body, 500, dict(headers))

    app.add_exception_handler(M2sError, refused)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, by_framework)
    app.add_exception_handler(Exception, fault)


def _problem(found: Mapping[str, Any]) -> Problem:
    place, *rest = found["loc"]
    path = "/".join(str(part) for part in rest)
    pointer = f"/{path}" if place == "body" and rest else "" if place == "body" else f"?{path}"
    return Problem(pointer if place != "header" else path, str(found["type"]), of_pydantic(found))


def _short(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= _LONGEST_TEXT else printable[:_LONGEST_TEXT] + "…"
