"""Who may pass through a route, and with what? Only the roles, query parameters and body that it declares.

They are checked in this order, so that nothing is read from a caller who may not pass.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from m2s.app.access import Principal, Role
from m2s.app.rows import DeviceRow, KeyRow
from m2s.bootstrap import Engine
from m2s.core.base.errors import Forbidden, Invalid, Problem, Unauthenticated
from m2s.entry.api.bodies import ClientGoneError, media_type, read_body, read_json
from m2s.entry.api.problems import Malformed, UnsupportedMedia

MOST_BODY_BYTES = 64 * 1024
ROLES = "x-roles"
"""The OpenAPI extension that holds a route's roles; an empty list means that anybody may pass."""
MOST_BYTES = "x-max-body-bytes"
ANY_QUERY = "x-any-query"
"""Says that others decide what stands in the query of a route's address."""
_JSON = "application/json"
_PARSED_IN_THE_LOOP_BYTES = 16 * 1024


def allowed(*roles: Role, max_body_bytes: int = MOST_BODY_BYTES, **extra: Any) -> dict[str, Any]:
    """The declaration of a route's roles and body limit: `@router.get(path, **allowed(Role.TILL))`."""
    return {"openapi_extra": {ROLES: [str(role) for role in roles], MOST_BYTES: max_body_bytes, **extra}}


class Door(APIRoute):
    """A route that knows its roles; one that does not declare them cannot be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the checks: role first, then the query, then the body."""
        declared: Mapping[str, Any] = self.openapi_extra or {}
        if ROLES not in declared:
            raise ValueError(f"the route {self.path} declares no role: add `**allowed(…)`")
        roles = frozenset(Role(role) for role in declared[ROLES])
        limit = int(declared[MOST_BYTES])
        known = None if declared.get(ANY_QUERY) else _query_names(self.dependant)
        media = () if self.body_field is None else (_JSON, *_extra_media(declared))
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            if roles:
                text = bearer(request.scope["headers"])
                request.state.principal = await admit(request.app.state.engine, text, roles)
            if known is not None:
                check_query(request.scope["query_string"], known)
            with request.app.state.room.hold() as held:
                try:
                    body = await read_body(request.receive, request.scope["headers"], limit=limit, held=held)
                except ClientGoneError:
                    raise Malformed("the body ended too early") from None
                return await handle(await _CheckedRequest.of(request, body, media=media))

        return guarded


class _CheckedRequest(Request):
    """A request whose body was read within its limit, and whose JSON by our own reader."""

    _value: Any = None

    @classmethod
    async def of(cls, request: Request, body: bytes, *, media: Sequence[str]) -> "_CheckedRequest":
        checked = cls(request.scope, request.receive)
        checked._body = body
        if media:
            if media_type(request.scope["headers"]) not in media:
                raise UnsupportedMedia(f"send the body as {' or '.join(media)}")
            if len(body) > _PARSED_IN_THE_LOOP_BYTES:
                checked._value = await run_in_threadpool(read_json, body)
            else:
                checked._value = read_json(body)
        return checked

    async def json(self) -> Any:
        """The JSON value that was read."""
        return self._value


def bearer(headers: list[tuple[bytes, bytes]]) -> str:
    """The key or token of the Authorization header; raises Unauthenticated when there is none."""
    value = next((value for name, value in headers if name == b"authorization"), b"").decode("latin-1")
    scheme, _, text = value.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthenticated("send `Authorization: Bearer` with a key (pk_…) or a device token (dt_…)")
    return text.strip()


async def admit(engine: Engine, text: str, roles: frozenset[Role]) -> Principal:
    """The caller, if it has one of the roles; raises Unauthenticated or Forbidden."""
    caller = engine.access.known(text)
    if caller is None:
        caller = await run_in_threadpool(engine.access.authenticate, text)
    if caller.role not in roles:
        wanted = " or ".join(sorted(roles))
        raise Forbidden(f"this needs the role {wanted}; the key or token shown has the role {caller.role}")
    return caller


def check_query(query: bytes, known: Sequence[str]) -> None:
    """Raises Invalid with a problem for each query parameter that is not known or given more than once."""
    if not query:
        return
    problems = []
    for name, times in Counter(name for name, _ in QueryParams(query).multi_items()).items():
        if name not in known:
            taken = f"the query parameters {', '.join(known)}" if known else "no query parameters"
            problems.append(Problem(f"?{name}", "unknown_parameter", f"this route takes {taken}"))
        elif times > 1:
            problems.append(Problem(f"?{name}", "repeated_parameter", "give this once"))
    if problems:
        raise Invalid("the query of the address is not valid", problems=problems)


def _query_names(declared: Dependant) -> tuple[str, ...]:
    """The query parameters of a route and of what it depends on."""
    beneath = (name for part in declared.dependencies for name in _query_names(part))
    return (*(str(field.alias) for field in declared.query_params), *beneath)


def _extra_media(declared: Mapping[str, Any]) -> Sequence[str]:
    return tuple(declared.get("requestBody", {}).get("content", ()))


async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _caller(request: Request) -> Principal:
    caller: Principal = request.state.principal
    return caller


async def _device(request: Request) -> DeviceRow:
    device: DeviceRow | None = request.state.principal.device
    if device is None:
        raise Forbidden("this needs a device token")
    return device


async def _key(request: Request) -> KeyRow:
    key: KeyRow | None = request.state.principal.key
    if key is None:
        raise Forbidden("this needs a key")
    return key


async def _body_bytes(request: Request) -> bytes:
    return await request.body()


Here = Annotated[Engine, Depends(_engine)]
"""The engine that serves this request."""
Caller = Annotated[Principal, Depends(_caller)]
"""Who is calling."""
OwnDevice = Annotated[DeviceRow, Depends(_device)]
"""The device that is calling."""
OwnKey = Annotated[KeyRow, Depends(_key)]
"""The key that is calling."""
BodyBytes = Annotated[bytes, Depends(_body_bytes)]
"""The body as it came."""
