"""Whose is a device? Its own word keeps what nobody has; the retailer's server alone makes one of two shoppers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from m2s.app.inputs import Pivots
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.app.shoppers import Moves
from m2s.core.base.errors import Conflict, Invalid, NotFound
from tests.app.people import devices_of, holders, identify, registered, shopper_of
from tests.app.world import MORNING, World

PHONE = Pivots(phone="+33612345678")


def sms_goes_to(world: World, device: DeviceRow) -> tuple[str | None, str | None]:
    with world.database.read() as records:
        shopper = records.devices.shoppers([shopper_of(world, device)])[shopper_of(world, device)]
    return shopper.phone, shopper.country


@pytest.mark.parametrize(
    ("phone", "kept"),
    [
        ("+33612345678", ("+33612345678", "FR")),
        ("06 12 34 56 78", ("+33612345678", "FR")),
        ("0033 6 12 34 56 78", ("+33612345678", "FR")),
        ("+377 6123-4567", ("+37761234567", "MC")),
        ("+262692123456", ("+262692123456", "RE")),
        ("+262639012345", ("+262639012345", "YT")),
        ("+447400123456", ("+447400123456", "GB")),
        ("+12125550123", ("+12125550123", "US")),
        ("+14165550123", ("+14165550123", "CA")),
        ("+79161234567", ("+79161234567", "RU")),
        # Given to nobody: of one country by its calling code, of several, and of none.
        ("+33100000000", ("+33100000000", "FR")),
        ("+15551234567", ("+15551234567", None)),
        ("+80012345678", ("+80012345678", None)),
    ],
)
def test_a_phone_is_kept_as_e164_with_the_country_that_it_tells(
    world: World, phone: str, kept: tuple[str, str | None]
) -> None:
    own = registered(world)
    identify(world).identify(own, Pivots(phone=phone), vouched=True)
    assert sms_goes_to(world, own) == kept


@pytest.mark.parametrize(
    ("pivots", "codes"),
    [
        (Pivots(), ["missing"]),
        (Pivots(phone="12"), ["bad_phone"]),
        (Pivots(phone="+336123456789012"), ["bad_phone"]),
        (Pivots(phone="+0612345678"), ["bad_phone"]),
        (Pivots(phone="0612345678 ext 9"), ["bad_phone"]),
        (Pivots(phone="call me"), ["bad_phone"]),
        (Pivots(email="ann"), ["bad_email"]),
        (Pivots(email="ann@example"), ["bad_email"]),
        (Pivots(email="a nn@example.org"), ["bad_email"]),
        (Pivots(customer_id="  "), ["bad_customer_id"]),
        (Pivots(loyalty_id="a\u202eb"), ["bad_loyalty_id"]),
        (Pivots(phone="12", email="ann", customer_id="c1"), ["bad_phone", "bad_email"]),
    ],
)
def test_what_is_no_pivot_id_is_refused_by_name_and_nothing_is_kept(
    world: World, pivots: Pivots, codes: list[str]
) -> None:
    own = registered(world)
    with pytest.raises(Invalid) as caught:
        identify(world).identify(own, pivots, vouched=True)
    assert [problem.code for problem in caught.value.problems] == codes
    assert world.rows("SELECT * FROM pivots") == []


def test_a_device_that_does_not_exist_is_nobodys(world: World) -> None:
    own = registered(world)
    world.database.write(lambda _records: None)
    with pytest.raises(NotFound):
        identify(world).identify(
            DeviceRow(**{name: getattr(own, name) for name in own.__slots__} | {"id": "dev_none"}),
            PHONE,
            vouched=True,
        )


def test_no_phone_and_no_address_can_be_read_among_the_pivot_ids(world: World) -> None:
    own = registered(world)
    identify(world).identify(own, Pivots(phone="+33612345678", email="Ann@Example.org"), vouched=True)
    told = repr(world.rows("SELECT * FROM pivots"))
    assert told.count("phone") == told.count("email") == 1
    assert "612345678" not in told
    assert "xample" not in told.lower()


def test_case_and_spaces_of_an_address_do_not_matter(world: World) -> None:
    one, other = registered(world), registered(world)
    identify(world).identify(one, Pivots(email=" Ann@Example.ORG "), vouched=True)
    identify(world).identify(other, Pivots(email="ann@example.org"), vouched=True)
    assert shopper_of(world, one) == shopper_of(world, other)


@pytest.mark.parametrize(
    "pivots",
    [PHONE, Pivots(email="a@b.org"), Pivots(customer_id="c1"), Pivots(loyalty_id="L1")],
)
def test_what_the_server_vouches_for_makes_one_of_two_shoppers(world: World, pivots: Pivots) -> None:
    moved: list[Moves] = []
    first, second = registered(world), registered(world)
    taking = identify(world, moved=moved.append)
    for _ in "12":
        for device in (first, second):
            taking.identify(device, pivots, vouched=True)
    stays, goes = shopper_of(world, first), {first.shopper_id, second.shopper_id}
    goes.remove(stays)
    assert shopper_of(world, second) == stays
    assert [one.merged for one in moved if one.merged] == [dict.fromkeys(goes, stays)]
    assert {name for one in moved for name in one.devices} == {
        device.id for device in (first, second) if device.shopper_id in goes
    }
    assert [(row[0], row[1]) for row in world.rows("SELECT shopper_id, into_id FROM merges")] == [
        (*goes, stays)
    ]


@pytest.mark.parametrize("pivots", [PHONE, Pivots(customer_id="c1"), Pivots(email="a@b.org")])
def test_a_device_alone_gets_nothing_of_another_shopper(world: World, pivots: Pivots) -> None:
    first, second = registered(world), registered(world)
    identify(world).identify(first, pivots, vouched=False)
    identify(world).identify(second, pivots, vouched=False)
    assert shopper_of(world, second) == second.shopper_id
    assert sms_goes_to(world, second) == (None, None)


def test_who_only_said_so_loses_it_to_whom_the_server_knows(world: World) -> None:
    liar, owner = registered(world), registered(world)
    devices_of(world).put_consents(liar, [ConsentRow("marketing", "sms", False, "1", MORNING)])
    identify(world).identify(liar, Pivots(phone=PHONE.phone, customer_id="c1"), vouched=False)
    identify(world).identify(owner, Pivots(phone=PHONE.phone, customer_id="c1"), vouched=True)
    assert shopper_of(world, liar) == liar.shopper_id
    assert shopper_of(world, owner) == owner.shopper_id
    assert holders(world, "customer_id", ["c1"]) == {"c1": owner.shopper_id}
    assert sms_goes_to(world, liar) == (None, None)
    assert sms_goes_to(world, owner) == ("+33612345678", "FR")
    # Whoever said STOP for this number: no SMS goes there.
    assert [(row.channel, row.granted) for row in devices_of(world).consents(owner)] == [("sms", False)]


def test_the_servers_word_confirms_what_a_device_said(world: World) -> None:
    own, again = registered(world), registered(world)
    identify(world).identify(own, PHONE, vouched=False)
    identify(world).identify(own, PHONE, vouched=True)
    identify(world).identify(again, PHONE, vouched=True)
    assert shopper_of(world, again) == shopper_of(world, own)


def test_a_new_number_is_where_sms_go(world: World) -> None:
    own = registered(world)
    for phone in ("+33612345678", "+33687654321"):
        identify(world).identify(own, Pivots(phone=phone), vouched=True)
    assert shopper_of(world, own) == own.shopper_id
    assert sms_goes_to(world, own) == ("+33687654321", "FR")


def granted(world: World, device: DeviceRow) -> set[str | None]:
    return {row.channel for row in devices_of(world).consents(device) if row.granted}


def agree(world: World, device: DeviceRow, channel: str, *, granted: bool = True) -> None:
    said = ConsentRow("marketing", channel, granted, "1", world.clock.now())
    devices_of(world).put_consents(device, [said])


def test_what_somebody_else_agreed_to_stays_with_her_when_her_device_changes_hands(world: World) -> None:
    buyer, seller = registered(world), registered(world)
    identify(world).identify(buyer, PHONE, vouched=True)
    identify(world).identify(seller, Pivots(phone="+33611111111"), vouched=True)
    agree(world, seller, "push")
    identify(world).identify(seller, PHONE, vouched=True)
    assert shopper_of(world, seller) == shopper_of(world, buyer) == buyer.shopper_id
    assert granted(world, buyer) == set()
    assert granted(world, seller) == {"push"}


def test_a_device_of_another_customer_has_changed_hands_also_where_she_is_new(world: World) -> None:
    device = registered(world)
    identify(world).identify(device, Pivots(customer_id="c1", phone=PHONE.phone), vouched=True)
    agree(world, device, "push")
    identify(world).identify(device, Pivots(customer_id="c2"), vouched=True)
    assert shopper_of(world, device) != device.shopper_id
    assert holders(world, "customer_id", ["c1", "c2"]) == {
        "c1": device.shopper_id,
        "c2": shopper_of(world, device),
    }
    assert sms_goes_to(world, device) == (None, None)


def test_two_customers_are_never_made_one_by_a_number_that_they_share(world: World) -> None:
    one, other = registered(world), registered(world)
    identify(world).identify(one, Pivots(customer_id="c1", phone=PHONE.phone), vouched=True)
    with pytest.raises(Conflict) as caught:
        identify(world).identify(other, Pivots(customer_id="c2", phone=PHONE.phone), vouched=True)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        ("/phone", "pivot_conflict")
    ]
    assert holders(world, "customer_id", ["c1", "c2"]) == {"c1": one.shopper_id}, "nothing is kept of it"
    identify(world).identify(other, Pivots(customer_id="c2"), vouched=True)
    assert shopper_of(world, other) == other.shopper_id


def test_an_opposition_is_kept_when_shoppers_become_one_unless_a_newer_consent_was_given(
    world: World,
) -> None:
    one, other = registered(world), registered(world)
    agree(world, one, "sms")
    agree(world, other, "push", granted=False)
    world.clock.advance(timedelta(hours=1))
    agree(world, other, "sms", granted=False)
    agree(world, one, "push")
    for device in (one, other):
        identify(world).identify(device, PHONE, vouched=True)
    said = {(row.channel, row.granted) for row in devices_of(world).consents(registered_as(world, one))}
    assert said == {("sms", False), ("push", True)}


def registered_as(world: World, device: DeviceRow) -> DeviceRow:
    return devices_of(world).device(device.id)
