"""Routes for whoever runs the service: is it alive, is it ready, what does it count?"""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from m2s.core.base.errors import Problem, Unavailable
from m2s.entry.api.door import Door, Here, allowed

router = APIRouter(route_class=Door, tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Sightings can be taken."""

    status: Literal["ready"] = "ready"


@router.get("/healthz", **allowed())
async def get_health() -> Alive:
    """Whether the process answers; in the loop itself, because all threads may be waiting for the disk."""
    return Alive()


@router.get("/readyz", **allowed())
def get_readiness(engine: Here) -> Ready:
    """Whether sightings can be taken now; if not, a 503 whose `errors` are the causes."""
    causes = engine.ready()
    if causes:
        problems = [Problem("", "not_ready", cause) for cause in causes]
        raise Unavailable("the service cannot take sightings now", code="not_ready", problems=problems)
    return Ready()


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, **allowed()
)
def get_metrics(engine: Here) -> Response:
    """Prometheus metrics."""
    return Response(engine.metrics.render(), media_type="text/plain; version=0.0.4")
