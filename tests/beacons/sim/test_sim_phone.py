"""Phones are late, inaccurate, repeat themselves and have wrong clocks, but never lie about ages."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from beacons.sim.phone import Phone
from beacons.sim.route import Kind
from beacons.sim.walker import Shopper
from beacons.sim.world import World
from tests.beacons.sim.days import START, a_day


@pytest.fixture(scope="module")
def days(city: World) -> list[tuple[Phone, list]]:  # type: ignore[type-arg]
    return [a_day(city, index) for index in range(40)]


def test_nothing_is_sent_before_it_happened(days: list) -> None:  # type: ignore[type-arg]
    assert all(item.at_s <= now_s for _, sent in days for now_s, batch in sent for item in batch)


def test_about_three_percent_are_repeated_with_the_same_id(days: list) -> None:  # type: ignore[type-arg]
    ids = [(n, item.id) for n, (_, sent) in enumerate(days) for _, batch in sent for item in batch]
    assert 1 - len(set(ids)) / len(ids) == pytest.approx(0.03, abs=0.015)


def test_batches_that_waited_for_a_network_come_newest_first(days: list) -> None:  # type: ignore[type-arg]
    batches = [[item.at_s for item in batch] for _, sent in days for _, batch in sent if len(batch) > 4]
    newest_first = sum(times[0] > times[-1] for times in batches)
    assert 0 < newest_first < len(batches) / 2


def test_crossings_come_20_s_to_4_minutes_after_they_happened(city: World) -> None:
    shopper = Shopper(city, 7, 1, Kind.BUYER, 0)
    plan = shopper.plan(0)
    _, sent = a_day(city, 1)
    stop = plan.stops[0]
    enters = [
        item.at_s
        for _, batch in sent
        for item in batch
        if item.fields.get("region_ids") == [f"{stop.store_id}/premises"]
        and item.fields["transition"] == "enter"
    ]
    radius_s = 120
    assert enters
    assert all(at_s >= stop.arrive_s - radius_s for at_s in enters)
    assert min(enters) <= stop.arrive_s + 240


def test_a_phone_without_positions_only_hears_beacons_with_at_least_three_samples(city: World) -> None:
    for index in range(10):
        _, sent = a_day(city, index, doors_only=True)
        items = [item for _, batch in sent for item in batch]
        assert items
        assert {item.fields["kind"] for item in items} == {"beacon"}
        assert all(len(item.burst) >= 3 for item in items)


def test_ages_are_renewed_at_each_attempt(city: World) -> None:
    phone, sent = a_day(city, 2)
    phone.traits = replace(phone.traits, tells_age=True)
    now_s, batch = sent[0]
    first, later = (phone.body(batch, now_s=now_s + wait, start=START) for wait in (0, 90))
    assert [item["age_ms"] for item in later["sightings"]] == [
        item["age_ms"] + 90_000 for item in first["sightings"]
    ]


def test_a_wrong_clock_is_wrong_by_the_same_in_both_of_its_times(city: World) -> None:
    phone, sent = a_day(city, 3)
    phone.traits = replace(phone.traits, tells_age=False, clock_error_s=90_000.0)
    now_s, batch = sent[0]
    body = phone.body(batch, now_s=now_s, start=START)
    sent_at = datetime.fromisoformat(body["sent_at"])
    assert sent_at == START + timedelta(seconds=now_s + 90_000)
    for item, noticed in zip(body["sightings"], batch, strict=True):
        assert "age_ms" not in item
        waited_s = (sent_at - datetime.fromisoformat(item["at"])).total_seconds()
        assert waited_s == pytest.approx(now_s - noticed.at_s, abs=0.001)


def test_a_spoofing_phone_marks_what_it_invents(city: World) -> None:
    spoofers = [
        index
        for index in range(300)
        if Phone(s := Shopper(city, 7, index, Kind.PASSER_BY, 0), s.random("phone")).traits.spoofs
    ]
    assert spoofers
    _, sent = a_day(city, spoofers[0], Kind.PASSER_BY)
    mocked = [item for _, batch in sent for item in batch if item.fields.get("mocked")]
    assert mocked
    assert {item.fields["kind"] for item in mocked} == {"location"}
