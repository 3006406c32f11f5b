"""Routes of keys: create, list and revoke them while the service runs."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from m2s.app.access import Role
from m2s.app.rows import KeyRow
from m2s.entry.api.door import Door, Here, allowed
from m2s.entry.api.fields import Id, Instant, StrictBody

router = APIRouter(route_class=Door, tags=["keys"])

KeyRole = Literal["sdk", "server", "manager", "till", "analyst", "privacy", "admin"]


class KeyRequest(StrictBody):
    """What a new key may do; a till key needs the store that it is bound to, and no other key takes one."""

    role: KeyRole
    store_id: Id | None = None


class Key(BaseModel):
    """A key without its secret."""

    key_id: str
    role: str
    store_id: str | None
    created_at: Instant
    revoked_at: Instant | None


class CreatedKey(Key):
    """A new key; `key` is shown this once."""

    key: Annotated[str, Field(description="Authorization: Bearer …")]


class Keys(BaseModel):
    """Every key, revoked ones included."""

    keys: list[Key]


@router.post("/v1/keys", status_code=201, **allowed(Role.ADMIN))
def create_key(engine: Here, request: KeyRequest) -> CreatedKey:
    """Creates a key. A request whose answer was lost made one too: revoke it."""
    row, text = engine.access.create_key(Role(request.role), request.store_id)
    return CreatedKey(**_key(row).model_dump(), key=text)


@router.get("/v1/keys", **allowed(Role.ADMIN))
def get_keys(engine: Here) -> Keys:
    """Every key, oldest first."""
    return Keys(keys=[_key(row) for row in engine.access.list()])


@router.delete("/v1/keys/{key_id}", status_code=204, **allowed(Role.ADMIN))
def revoke_key(engine: Here, key_id: Id) -> None:
    """Ends a key at once."""
    engine.access.revoke(key_id)


def _key(row: KeyRow) -> Key:
    return Key(
        key_id=row.id,
        role=row.role,
        store_id=row.store_id,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
