"""What phones tell about themselves: kept when it makes sense, refused field by field when not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from m2s.app.access import Access
from m2s.app.calling_codes import country_of
from m2s.app.devices import Devices
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.core.base.errors import Invalid, NotFound
from tests.app.world import MORNING, World

KEY = "a-random-key-0123456789"


@pytest.fixture
def devices(world: World) -> Devices:
    return Devices(world.database, world.ids, clock=world.clock)


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


def test_the_same_idempotency_key_gives_the_same_device(devices: Devices, world: World) -> None:
    first = devices.register({"platform": "ios"}, key_id="k", idempotency_key=KEY)
    assert devices.register({"platform": "ios"}, key_id="k", idempotency_key=KEY) == first
    assert devices.register({"platform": "ios"}, key_id="other", idempotency_key=KEY) != first
    assert devices.register({"platform": "ios"}, key_id="k", idempotency_key=KEY + "0") != first
    with pytest.raises(Invalid) as caught:
        devices.register({"platform": "android"}, key_id="k", idempotency_key=KEY)
    assert caught.value.code == "idempotency_key_reused"
    caller = Access(world.database, world.ids, clock=world.clock).authenticate(first.device_token)
    assert caller.device is not None
    assert caller.device.id == first.device_id


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
    devices.identify(own, {"phone": phone})
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
        devices.identify(own, pivots)
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
