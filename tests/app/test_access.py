"""Who is let in: keys and tokens, and nothing that merely looks like them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from m2s.app.access import KEY_ROLES, Access, Role
from m2s.app.devices import Devices
from m2s.app.ports import Database, Records
from m2s.app.publish import Publish
from m2s.core.base.errors import Invalid, NotFound, Unauthenticated
from tests.app.world import PORT, World


@pytest.fixture
def access(world: World) -> Access:
    publish = Publish(
        world.database, world.ids, clock=world.clock, catalog=lambda: world.catalog, reload=lambda _: None
    )
    publish.publish_stores(list(world.catalog.stores.values()))
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
    devices = Devices(world.database, world.ids, clock=world.clock, changed=access.forget_device)
    made = devices.register({"platform": "ios"}, key_id="k")
    caller = access.authenticate(made.device_token)
    assert caller.device is not None
    assert (caller.kind, caller.role, caller.device.id) == ("device", Role.DEVICE, made.device_id)
    assert (caller.key_id, caller.store_id) == (None, None)


class Meanwhile:
    """A database where something happens between a read and what is made of it."""

    def __init__(self, database: Database, happening: Callable[[], object]) -> None:
        self._database = database
        self._happening = happening
        self.write = database.write

    @contextmanager
    def read(self) -> Iterator[Records]:
        with self._database.read() as records:
            yield records
        self._happening()


def test_a_device_that_moves_has_its_new_shopper_at_once(access: Access, world: World) -> None:
    devices = Devices(world.database, world.ids, clock=world.clock, changed=access.forget_device)
    first, second = (devices.register({}, key_id="k") for _ in "12")
    owner = devices.device(first.device_id)
    access.authenticate(second.device_token)

    def move() -> None:
        now = world.clock.now()
        world.database.write(
            lambda records: records.devices.move_device(second.device_id, owner.shopper_id, at=now)
        )
        access.forget_device(second.device_id)
        slow.forget_device(second.device_id)

    slow = Access(Meanwhile(world.database, move), world.ids, clock=world.clock)
    slow.authenticate(second.device_token)
    assert slow.known(second.device_token) is None, "what was read before the move must not be kept"
    assert access.known(second.device_token) is None
    caller = access.authenticate(second.device_token)
    assert caller.device is not None
    assert caller.device.shopper_id == owner.shopper_id


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
