"""Who is let in: keys and tokens, and nothing that merely looks like them."""

from __future__ import annotations

import re

import pytest

from m2s.app.access import KEY_ROLES, Access, Role
from m2s.app.devices import Devices
from m2s.app.publish import Publish
from m2s.core.base.errors import Invalid, NotFound, Unauthenticated
from tests.app.world import PORT, World


@pytest.fixture
def access(world: World) -> Access:
    stores = list(world.catalog.stores.values())
    publish = Publish(
        world.database, world.ids, clock=world.clock, stores=lambda: stores, reload=lambda: None
    )
    publish.publish_stores(stores)
    return Access(world.database, world.ids, clock=world.clock)


@pytest.mark.parametrize("role", KEY_ROLES)
def test_a_key_says_its_role_and_is_recognised(access: Access, role: Role) -> None:
    store_id = PORT if role is Role.TILL else None
    row, text = access.create_key(role, store_id)
    assert re.fullmatch(rf"pk_{role}_{row.id}_[A-Za-z0-9_-]{{43}}", text)
    caller = access.authenticate(text)
    assert (caller.kind, caller.role, caller.key_id, caller.store_id) == ("key", role, row.id, store_id)


def test_the_secret_is_nowhere_in_the_database(access: Access, world: World) -> None:
    _, text = access.create_key(Role.ADMIN)
    secret = text.rsplit("_", 1)[1].encode()
    access.list()
    files = [path for path in world.path.parent.iterdir() if path.is_file()]
    assert any(b"admin" in path.read_bytes() for path in files)
    assert not any(secret in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("role", "store_id"),
    [(Role.TILL, None), (Role.TILL, "nowhere"), (Role.MANAGER, PORT), (Role.DEVICE, None)],
)
def test_a_key_is_bound_to_a_store_exactly_when_it_is_a_tills(
    access: Access, role: Role, store_id: str | None
) -> None:
    with pytest.raises(Invalid):
        access.create_key(role, store_id)
    assert access.list() == []


def test_a_revoked_key_is_refused_at_once_and_for_good(access: Access, world: World) -> None:
    row, text = access.create_key(Role.SERVER)
    access.authenticate(text)
    assert access.known(text) is not None
    access.revoke(row.id)
    assert access.known(text) is None
    for one in (access, Access(world.database, world.ids, clock=world.clock)):
        with pytest.raises(Unauthenticated, match="revoked"):
            one.authenticate(text)
    with pytest.raises(NotFound):
        access.revoke(row.id)
    assert [(key.id, key.revoked_at) for key in access.list()] == [(row.id, world.clock.now())]


def test_a_device_token_is_recognised_as_its_device(access: Access, world: World) -> None:
    devices = Devices(world.database, world.ids, clock=world.clock)
    made = devices.register({"platform": "ios"}, key_id="k")
    caller = access.authenticate(made.device_token)
    assert caller.device is not None
    assert (caller.kind, caller.role, caller.device.id) == ("device", Role.DEVICE, made.device_id)
    assert (caller.key_id, caller.store_id) == (None, None)


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text + "A", lambda text: text.upper()]
)
def test_nearly_a_key_is_no_key(access: Access, change: object) -> None:
    _, text = access.create_key(Role.ANALYST)
    assert callable(change)
    with pytest.raises(Unauthenticated):
        access.authenticate(change(text))
    with pytest.raises(Unauthenticated):
        access.authenticate(text.replace("analyst", "manager"))


def test_two_keys_never_share_a_name_or_secret(access: Access) -> None:
    made = [access.create_key(Role.SDK) for _ in range(20)]
    assert len({row.id for row, _ in made}) == len({text[-43:] for _, text in made}) == 20
