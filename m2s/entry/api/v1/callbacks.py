"""Routes that SMS providers call: receipts, and what shoppers reply. Each proves by its signature who it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from m2s.app.callbacks import Callback
from m2s.entry.api.door import ANY_QUERY, BodyBytes, Door, Here, allowed

router = APIRouter(route_class=Door, tags=["callbacks"])

Provider = Annotated[str, Path(pattern="^[a-z]{1,32}$")]
Token = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,128}$")]

_TAKEN: dict[str, Any] = {
    "status_code": 204,
    "response_class": Response,
    "responses": {
        200: {"description": "Taken; a reply is answered in TwiML", "content": {"text/xml": {}}},
        204: {"description": "Taken"},
    },
    **allowed(**{ANY_QUERY: True}),
}


@router.post("/v1/callbacks/{provider}", **_TAKEN)
async def take_callback(engine: Here, provider: Provider, request: Request, body: BodyBytes) -> Response:
    """Takes what a provider tells, in its own format; 403 unless it bears the provider's signature."""
    return await _taken(engine, provider, None, request, body)


@router.post("/v1/callbacks/{provider}/{token}", **_TAKEN)
async def take_callback_by_token(
    engine: Here, provider: Provider, token: Token, request: Request, body: BodyBytes
) -> Response:
    """The same for a provider that signs nothing: 403 unless the address is the one that only it was given."""
    return await _taken(engine, provider, token, request, body)


@router.get("/v1/callbacks/{provider}/{token}", **_TAKEN)
async def get_callback_by_token(
    engine: Here, provider: Provider, token: Token, request: Request, body: BodyBytes
) -> Response:
    """The same for a provider that tells all in the query of the address."""
    return await _taken(engine, provider, token, request, body)


async def _taken(engine: Here, provider: str, token: str | None, request: Request, body: bytes) -> Response:
    query = request.scope["query_string"].decode("latin-1")
    callback = Callback(token, query, dict(request.headers), body)
    answer = await run_in_threadpool(engine.hear.take, provider, callback)
    if answer is None:
        return Response(status_code=204)
    return Response(answer.body, 200, {"content-type": answer.content_type})
