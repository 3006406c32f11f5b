"""What answers over HTTP? The fast door for sightings in front of FastAPI for everything else."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m2s.bootstrap import Engine
from m2s.entry.api import head, openapi, problems
from m2s.entry.api.room import Room
from m2s.entry.api.sightings import PATH, SightingsDoor
from m2s.entry.api.v1 import (
    callbacks,
    campaigns,
    coupons,
    decisions,
    devices,
    health,
    inputs,
    keys,
    places,
    reports,
    trials,
    webhooks,
)

ROUTERS = (
    devices.router,
    places.router,
    inputs.router,
    trials.router,
    campaigns.router,
    coupons.router,
    decisions.router,
    reports.router,
    keys.router,
    callbacks.router,
    webhooks.router,
    health.router,
)


def create_app(engine: Engine) -> ASGIApp:
    """The ASGI application of a running engine."""
    rest = create_rest(engine)
    sightings = SightingsDoor(engine, rest.state.room)
    # So that another method gets a 405 there.
    rest.router.routes.append(Route(PATH, sightings, methods=["POST"]))
    metrics = engine.metrics

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await rest(scope, receive, send)
            return
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        fast = scope["path"] == PATH and scope["method"] == "POST"
        answer = head.refuse if head.is_too_large(scope) else sightings if fast else rest
        try:
            await answer(scope, receive, noting_status)
        finally:
            # A client that went away was answered nothing.
            if status:
                metrics.request(_method(scope), PATH if fast else _route(scope), status=status)

    return app


def create_rest(engine: Engine) -> FastAPI:
    """Everything but the fast door; its OpenAPI document describes both."""
    app = FastAPI(
        title="m2s",
        version=_version(),
        summary="Turns a phone near a shop into a visit that can be proved.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.state.room = Room()
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    openapi.install(app)
    return app


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"


def _route(scope: Scope) -> str:
    """The template of the route that answered, so that ids never become labels."""
    return str(getattr(scope.get("route"), "path", "other"))


def _version() -> str:
    try:
        return version("m2s")
    except PackageNotFoundError:
        return "0"
