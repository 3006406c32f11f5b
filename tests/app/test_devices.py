"""What phones tell about themselves: kept when it makes sense, refused field by field when not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from m2s.app.access import Access
from m2s.app.devices import Devices
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.core.base.errors import Invalid, NotFound, Unauthenticated
from m2s.core.delivery.calling_codes import country_of
from tests.app.world import MORNING, World

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


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("+33612345678", "FR"),
        ("+37761234567", "MC"),
        ("+262692123456", "RE"),
        ("+447700900123", "GB"),
        ("+15551234567", None),
        ("+79161234567", None),
    ],
)
def test_a_phone_tells_the_country_where_it_can(
    devices: Devices, own: DeviceRow, world: World, phone: str, country: str | None
) -> None:
    devices.identify(own, {"phone": phone}, vouched=True)
    with world.database.read() as records:
        shopper = records.devices.shoppers([own.shopper_id])[own.shopper_id]
    assert (shopper.phone, shopper.country) == (phone, country)
    assert country_of(phone) == country


@pytest.mark.parametrize(
    ("pivots", "codes"),
    [
        ({}, ["missing"]),
        ({"phone": "0612345678"}, ["bad_phone"]),
        ({"phone": "+0612345678"}, ["bad_phone"]),
        ({"phone": "+33 6 12 34 56 78"}, ["bad_phone"]),
        ({"phone": "+336123456789012"}, []),
        ({"phone": "+3361234567890123"}, ["bad_phone"]),
        ({"phone": "+33612345678\n"}, ["bad_phone"]),
        ({"phone": "+٣٣٦١٢٣٤٥٦٧٨"}, ["bad_phone"]),
        ({"phone": "+33612345678", "email": "a@example.org"}, ["not_supported"]),
    ],
)
def test_only_an_international_phone_identifies(
    devices: Devices, own: DeviceRow, pivots: dict[str, str], codes: list[str]
) -> None:
    found: list[str] = []
    try:
        devices.identify(own, pivots, vouched=True)
    except Invalid as error:
        found = [item.code for item in error.problems]
    assert found == codes


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


PHONE = {"phone": "+33612345678"}


def registered(devices: Devices) -> DeviceRow:
    return devices.device(devices.register({}, key_id="k").device_id)


def granted(devices: Devices, device: DeviceRow) -> set[str | None]:
    return {row.channel for row in devices.consents(device) if row.granted}


def test_a_phone_that_another_shopper_has_brings_the_device_to_her(world: World) -> None:
    moved: list[str] = []
    devices = Devices(world.database, world.ids, clock=world.clock, changed=moved.append)
    first, second = registered(devices), registered(devices)
    devices.identify(first, PHONE, vouched=True)
    assert devices.shoppers_of([second.id]) == {second.id: second.shopper_id}
    devices.identify(second, PHONE, vouched=True)
    devices.identify(second, PHONE, vouched=True)
    assert moved == [second.id]
    assert devices.device(second.id).shopper_id == first.shopper_id
    assert devices.known_shoppers([second.id]) == {}
    assert devices.shoppers_of([second.id]) == {second.id: first.shopper_id}


def test_a_phone_alone_cannot_take_over_the_number_of_another_shopper(devices: Devices, world: World) -> None:
    first, second = registered(devices), registered(devices)
    devices.identify(first, PHONE, vouched=False)
    devices.identify(second, PHONE, vouched=False)
    assert devices.device(second.id).shopper_id == second.shopper_id
    with world.database.read() as records:
        assert records.devices.shoppers([second.shopper_id])[second.shopper_id].phone is None


def test_what_was_agreed_to_before_the_phone_was_known_comes_along(devices: Devices, world: World) -> None:
    first, second = registered(devices), registered(devices)
    devices.identify(first, PHONE, vouched=True)
    devices.put_consents(first, [statement(), statement(channel="sms")])
    world.clock.advance(timedelta(minutes=1))
    now = world.clock.now()
    devices.put_consents(second, [statement(granted=False, at=now), statement(channel="webhook", at=now)])
    devices.identify(second, PHONE, vouched=True)
    assert granted(devices, devices.device(second.id)) == {"sms", "webhook"}
    assert devices.consents(second) == []


def test_what_somebody_else_agreed_to_stays_with_her_when_her_device_changes_hands(devices: Devices) -> None:
    buyer, seller = registered(devices), registered(devices)
    devices.identify(buyer, PHONE, vouched=True)
    devices.identify(seller, {"phone": "+33611111111"}, vouched=True)
    devices.put_consents(seller, [statement()])
    devices.identify(seller, PHONE, vouched=True)
    assert devices.device(seller.id).shopper_id == buyer.shopper_id
    assert granted(devices, devices.device(seller.id)) == set()
    assert granted(devices, seller) == {"push"}


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
