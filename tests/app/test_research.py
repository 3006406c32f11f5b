"""Is what was looked up kept once, of the right shopper, at the right time?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from m2s.app.inputs import Lookup, Pivots
from m2s.app.retention import Retention
from m2s.app.rows import DeviceRow
from m2s.core.base.instants import to_ms
from tests.app.people import identify, registered, research, shopper_of
from tests.app.world import MORNING, PORT, World
from tests.changed import replace


def lookup(name: str, **changes: Any) -> Lookup:
    return replace(Lookup(name, "availability", age_ms=0, store_id=PORT, product="shoe-42"), **changes)


def kept(world: World) -> list[tuple[Any, ...]]:
    return world.rows(
        "SELECT sender, research_id, shopper_id, topic, store_id, product FROM research ORDER BY 1, 2"
    )


@pytest.fixture
def own(world: World) -> DeviceRow:
    return registered(world)


def test_a_repeat_is_a_duplicate_by_its_sender(world: World, own: DeviceRow) -> None:
    other = registered(world)
    for device, counts in ((own, (2, 1)), (own, (0, 3)), (other, (2, 1))):
        taken = research(world).take([lookup("a"), lookup("a"), lookup("b", product=None)], own=device)
        assert ((taken.accepted, taken.duplicates), taken.rejected) == (counts, [])
    assert kept(world) == [
        (device.id, name, device.shopper_id, "availability", PORT, product)
        for device in sorted((own, other), key=lambda one: one.id)
        for name, product in (("a", "shoe-42"), ("b", None))
    ]


def test_an_age_beats_a_clock_and_the_senders_clock_is_set_right(world: World, own: DeviceRow) -> None:
    hour = timedelta(hours=1)
    wrong = MORNING + timedelta(days=400)
    items = [
        lookup("age", age_ms=60_000, at=MORNING - hour),
        lookup("at", age_ms=None, at=wrong - hour),
    ]
    assert research(world).take(items, own=own, sent_at=wrong).accepted == 2
    research(world).take([lookup("clock", age_ms=None, at=MORNING - hour)], own=own)
    found = dict(world.rows("SELECT research_id, at FROM research"))
    assert found == {
        "age": to_ms(MORNING) - 60_000,
        "at": to_ms(MORNING - hour),
        "clock": to_ms(MORNING - hour),
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"age_ms": None}, "missing_time"),
        ({"age_ms": 31 * 86_400_000}, "time_out_of_range"),
        ({"age_ms": None, "at": MORNING + timedelta(minutes=6)}, "time_out_of_range"),
        ({"store_id": "nowhere"}, "unknown_store"),
        ({"device_id": "dev_other"}, "other_device"),
        ({"pivots": Pivots(customer_id="c1")}, "other_device"),
    ],
)
def test_a_bad_item_of_a_device_costs_itself_only(
    world: World, own: DeviceRow, changes: dict[str, Any], code: str
) -> None:
    taken = research(world).take([lookup("a"), lookup("b", **changes), lookup("c")], own=own)
    assert (taken.accepted, [(one.index, one.id, one.code) for one in taken.rejected]) == (
        2,
        [(1, "b", code)],
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "missing_device"),
        ({"device_id": "dev_none"}, "unknown_device"),
        ({"device_id": "dev_none", "pivots": Pivots(customer_id="c1")}, "missing_device"),
        ({"pivots": Pivots(email="ann")}, "bad_email"),
    ],
)
def test_the_server_says_of_each_whose_it_is(world: World, changes: dict[str, Any], code: str) -> None:
    taken = research(world).take([lookup("b", **changes)], own=None)
    assert (taken.accepted, [one.code for one in taken.rejected]) == (0, [code])


def test_what_the_site_knows_is_the_shoppers_of_the_app(world: World, own: DeviceRow) -> None:
    site = [lookup("1", pivots=Pivots(customer_id="c1")), lookup("2", device_id=own.id)]
    assert research(world).take(site, own=None).accepted == 2
    assert research(world).take(site, own=None).duplicates == 2
    identify(world).identify(own, Pivots(customer_id="c1"), vouched=True)
    assert {row[2] for row in kept(world)} == {shopper_of(world, own)}
    assert [row[:2] for row in kept(world)] == [(own.id, "2"), ("server", "1")]


def test_research_is_kept_as_long_as_evidence(world: World, own: DeviceRow) -> None:
    research(world).take([lookup("a", age_ms=86_400_000), lookup("b")], own=own)
    keeping = Retention(
        world.database,
        world.clock,
        sightings_kept=timedelta(days=7),
        evidence_kept=timedelta(days=60),
    )
    world.clock.advance(timedelta(days=59))
    assert keeping.run(world.clock.now()).research == 0
    world.clock.advance(timedelta(days=1))
    assert keeping.run(world.clock.now()).research == 1
    assert [row[1] for row in kept(world)] == ["b"]
