"""What phones tell about themselves: kept when it makes sense, refused field by field when not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from m2s.app.access import Access
from m2s.app.devices import Devices
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.core.base.errors import Invalid, NotFound, Unauthenticated
from tests.app.world import MORNING, World
from tests.changed import replace

KEY = "a-random-key-0123456789"


@pytest.fixture
def devices(world: World) -> Devices:
    return Devices(world.database, world.ids, clock=world.clock, changed=lambda _device_id: None)


@pytest.fixture
def own(devices: Devices) -> DeviceRow:
    return devices.device(devices.register({}, key_id="k").device_id)


def test_a_new_device_has_a_new_shopper_and_its_details(devices: Devices) -> None:
    details = {
        "platform": "ios",
        "language": "fr",
        "timezone": "Europe/Paris",
        "os_permissions": {"push": "on"},
    }
    one, two = (devices.device(devices.register(details, key_id="k").device_id) for _ in range(2))
    assert one.shopper_id != two.shopper_id
    assert (one.platform, one.language, one.os_permissions) == ("ios", "fr", {"push": "on"})
    assert devices.shoppers_of([one.id, two.id, "dev_none"]) == {
        one.id: one.shopper_id,
        two.id: two.shopper_id,
    }


def test_the_same_idempotency_key_gives_the_same_device(devices: Devices) -> None:
    def again(key_id: str = "k", idempotency_key: str = KEY) -> str:
        details = {"platform": "ios"}
        return devices.register(details, key_id=key_id, idempotency_key=idempotency_key).device_id

    first = again()
    assert again() == first
    assert again(key_id="other") != first
    assert again(idempotency_key=KEY + "0") != first
    with pytest.raises(Invalid) as caught:
        devices.register({"platform": "android"}, key_id="k", idempotency_key=KEY)
    assert caught.value.code == "idempotency_key_reused"


def test_a_repeated_registration_gets_a_token_of_its_own_and_the_earlier_one_ends_at_once(
    world: World,
) -> None:
    access = Access(world.database, world.ids, clock=world.clock)
    devices = Devices(world.database, world.ids, clock=world.clock, changed=access.forget_device)

    def register() -> tuple[str, str]:
        made = devices.register({}, key_id="k", idempotency_key=KEY)
        caller = access.authenticate(made.device_token)
        assert caller.device is not None
        return caller.device.id, made.device_token

    (first_id, first_token), (second_id, second_token) = register(), register()
    assert second_id == first_id
    assert second_token != first_token
    with pytest.raises(Unauthenticated):
        access.authenticate(first_token)


def test_no_token_and_no_idempotency_key_can_be_read_from_the_database(
    devices: Devices, world: World
) -> None:
    made = devices.register({}, key_id="k", idempotency_key=KEY)
    kept = b"".join(path.read_bytes() for path in world.path.parent.iterdir() if path.is_file())
    assert made.device_id.encode() in kept
    assert made.device_token.encode() not in kept
    assert KEY.encode() not in kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("platform", "windows"),
        ("language", "fra"),
        ("language", "FR"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "Europe"),
        ("timezone", "/etc/passwd"),
        ("timezone", "../UTC"),
        ("timezone", ""),
        ("timezone", "localtime"),
        ("timezone", "posixrules"),
        ("timezone", "Factory"),
        ("timezone", "posix/Europe/Paris"),
        ("timezone", "right/Europe/Paris"),
    ],
)
def test_a_bad_detail_is_refused_by_name_and_changes_nothing(
    devices: Devices, own: DeviceRow, field: str, value: str
) -> None:
    change = {"push_token": "t", field: value}
    for attempt in (lambda: devices.update(own.id, change), lambda: devices.register(change, key_id="k")):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert [item.pointer for item in caught.value.problems] == [f"/{field}"]
    assert devices.device(own.id) == own


def test_an_update_changes_what_is_given_and_forgets_what_is_null(devices: Devices, own: DeviceRow) -> None:
    devices.update(own.id, {"push_token": "t", "language": "en", "os_permissions": {"location": "always"}})
    devices.update(own.id, {"push_token": None, "os_permissions": None})
    devices.update(own.id, {})
    assert devices.device(own.id) == replace(own, language="en")
    with pytest.raises(NotFound):
        devices.device("dev_none")


def statement(**changes: Any) -> ConsentRow:
    return replace(ConsentRow("marketing", "push", granted=True, text_version="1", at=MORNING), **changes)


def test_the_newest_statement_of_each_purpose_and_channel_counts(devices: Devices, own: DeviceRow) -> None:
    later = statement(granted=False)
    devices.put_consents(own, [later, statement(channel="sms"), statement(purpose="location", channel=None)])
    devices.put_consents(own, [statement(at=MORNING - timedelta(hours=1))])
    assert {(row.purpose, row.channel, row.granted) for row in devices.consents(own)} == {
        ("marketing", "push", False),
        ("marketing", "sms", True),
        ("location", None, True),
    }


def test_a_statement_of_a_device_that_moves_meanwhile_is_its_new_shoppers(
    devices: Devices, own: DeviceRow, world: World
) -> None:
    other = devices.device(devices.register({}, key_id="k").device_id)
    world.database.write(
        lambda records: records.devices.move_device(own.id, other.shopper_id, at=world.clock.now())
    )
    devices.put_consents(own, [statement(granted=False)])
    assert [row.granted for row in devices.consents(other)] == [False]
    assert devices.consents(own) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"purpose": "profiling"}, "purpose"),
        ({"channel": None}, "channel"),
        ({"channel": "fax"}, "channel"),
        ({"purpose": "location"}, "channel"),
        ({"at": MORNING + timedelta(minutes=5, seconds=1)}, "at"),
        ({"at": MORNING - timedelta(days=4000)}, "at"),
    ],
)
def test_a_bad_statement_keeps_all_of_them_out(
    devices: Devices, own: DeviceRow, change: dict[str, Any], place: str
) -> None:
    with pytest.raises(Invalid) as caught:
        devices.put_consents(own, [statement(), statement(**change)])
    assert [item.pointer for item in caught.value.problems] == [f"/consents/1/{place}"]
    assert devices.consents(own) == []
