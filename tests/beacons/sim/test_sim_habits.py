"""Each behaviour of phones that a scenario can ask for can be seen in what they send, within its bounds."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from beacons.sim.habits import Habits
from beacons.sim.outbox import MOST_IN_BATCH
from beacons.sim.phone import Phone
from beacons.sim.route import Kind
from beacons.sim.walker import Shopper
from beacons.sim.world import World
from tests.beacons.sim.days import START, Sent, a_day, items
from tests.changed import replace

PLAIN = Habits(fence_lost=0.0, waits_share=0.0, repeated=0.0, wrong_clock=0.0, tells_age=1.0, mocked=0.0)
LOOK_S = 40.0


def days(city: World, habits: Habits, *, many: int = 12, kind: Kind = Kind.BUYER) -> list[tuple[Phone, Sent]]:
    return [a_day(city, index, kind, habits=habits) for index in range(many)]


def crossings(city: World, index: int, region: str) -> list[float]:
    """When a phone that looks every 40 s sees that its owner is 20 m inside a circle, and 20 m outside it."""
    plan = Shopper(city, 7, index, Kind.BUYER, 0).plan(0)
    store_id, zone_id = region.split("/")
    shop = city.shops[store_id]
    inside, found, at_s = False, [], plan.start_s
    while at_s <= plan.end_s:
        beyond_m = math.dist(plan.at(at_s)[0], shop.at) - shop.reach_m(zone_id)
        if (beyond_m <= -20 and not inside) or (beyond_m > 20 and inside):
            inside = not inside
            found.append(at_s)
        at_s += LOOK_S
    return found


@pytest.mark.parametrize("bounds_s", [(20.0, 300.0), (0.0, 30.0)])
def test_fence_events_come_as_late_as_the_bounds_say(city: World, bounds_s: tuple[float, float]) -> None:
    delays = []
    for index in range(12):
        _, sent = a_day(city, index, habits=replace(PLAIN, fence_delay_s=bounds_s))
        for region in {item.fields["region_ids"][0] for item in items(sent) if "region_ids" in item.fields}:
            told = [item.at_s for item in items(sent) if item.fields.get("region_ids") == [region]]
            true = crossings(city, index, region)
            assert len(told) == len(true)
            delays += [at_s - crossed_s for at_s, crossed_s in zip(told, true, strict=True)]
    assert len(delays) > 50
    assert all(bounds_s[0] <= delay <= bounds_s[1] for delay in delays)
    assert max(delays) - min(delays) > 0.8 * (bounds_s[1] - bounds_s[0])


def test_a_lost_fence_event_is_never_sent(city: World) -> None:
    sent = [item for _, batches in days(city, replace(PLAIN, fence_lost=1.0)) for item in items(batches)]
    assert {item.fields["kind"] for item in sent} == {"location", "beacon"}


@pytest.mark.parametrize(("share", "first_is_newest"), [(1.0, True), (0.0, False)])
def test_batches_that_waited_come_newest_first_from_as_many_phones_as_said(
    city: World, share: float, first_is_newest: bool
) -> None:
    habits = replace(PLAIN, waits_share=1.0, newest_first=share, fence_lost=1.0)
    batches = [
        batch for _, sent in days(city, habits, kind=Kind.DRIVER) for _, batch in sent if len(batch) > 1
    ]
    assert batches
    assert all((batch[0].at_s > batch[-1].at_s) is first_is_newest for batch in batches)


def test_lost_sightings_leave_gaps_in_the_numbers(city: World) -> None:
    kept = noticed = 0
    for _, sent in days(city, replace(PLAIN, lost=0.3)):
        numbers = [int(item.id.split("-")[1]) for item in items(sent)]
        kept, noticed = kept + len(numbers), noticed + max(numbers)
    assert kept / noticed == pytest.approx(0.7, abs=0.04)


def test_repeats_are_as_many_as_said(city: World) -> None:
    for share in (0.0, 0.2):
        sent = [sent for _, sent in days(city, replace(PLAIN, repeated=share))]
        times = sum(len(batch) for batches in sent for _, batch in batches)
        different = sum(len(items(batches)) for batches in sent)
        assert times / different == pytest.approx(1 / (1 - share), abs=0.03)


def test_wrong_clocks_are_as_wrong_as_said(city: World) -> None:
    habits = replace(PLAIN, wrong_clock=1.0, clock_error_s=(120.0, 259_200.0), tells_age=0.0)
    errors = []
    for phone, sent in days(city, habits, many=40, kind=Kind.DRIVER):
        now_s, batch = sent[0]
        body = phone.body(batch, now_s=now_s, start=START)
        error = datetime.fromisoformat(body["sent_at"]) - START - timedelta(seconds=now_s)
        at = datetime.fromisoformat(body["sightings"][0]["at"])
        assert at - error == START + timedelta(seconds=batch[0].at_s)
        errors.append(error.total_seconds())
    assert all(120 <= abs(error) <= 259_200 for error in errors)
    assert min(errors) < 0 < max(errors)


def test_approximate_phones_send_positions_of_a_kilometre_and_more_and_nothing_else(city: World) -> None:
    sent = [item for _, batches in days(city, replace(PLAIN, approximate=1.0)) for item in items(batches)]
    (first, *others) = sent
    assert {item.fields["kind"] for item in sent} == {"location"}
    assert first.fields["accuracy_m"] == 65.0
    assert others
    assert all(item.fields["accuracy_m"] >= 1000 for item in others if item.fields["accuracy_m"] != 65.0)


def test_a_phone_that_starts_anew_is_silent_for_a_minute_or_more(city: World) -> None:
    often = replace(PLAIN, fix_walking_s=(5.0, 5.0), fix_still_s=(5.0, 5.0))

    def longest_pause_s(habits: Habits) -> list[float]:
        return [
            max(b - a for a, b in pairwise(i.at_s for i in items(sent)[1:] if i.fields["kind"] == "location"))
            for _, sent in days(city, habits)
        ]

    assert max(longest_pause_s(often)) == pytest.approx(5.0)
    pauses_s = longest_pause_s(replace(often, reboots=1.0))
    assert all(60 <= pause_s <= 186 for pause_s in pauses_s[:-1])


def test_android_that_starts_anew_tells_again_of_what_it_is_in_and_ios_does_not(city: World) -> None:
    def entered_twice(ios_share: float) -> bool:
        habits = replace(PLAIN, reboots=1.0, ios_share=ios_share)
        for _, sent in days(city, habits, many=20):
            told: dict[str, list[str]] = {}
            for item in items(sent):
                if item.fields["kind"] == "geofence":
                    told.setdefault(item.fields["region_ids"][0], []).append(item.fields["transition"])
            if any(a == b == "enter" for region in told.values() for a, b in pairwise(region)):
                return True
        return False

    assert entered_twice(0.0)
    assert not entered_twice(1.0)


def test_a_phone_that_is_offline_for_hours_sends_all_in_requests_that_the_service_takes(city: World) -> None:
    habits = replace(
        PLAIN, offline_share=1.0, offline_s=(7200.0, 7200.0), fix_walking_s=(1.0, 1.0), fix_still_s=(1.0, 1.0)
    )
    longest_s, largest = 0.0, 0
    for _, sent in days(city, habits, many=6):
        assert [item.id.split("-")[1] for item in items(sent)] == [
            str(n + 1) for n in range(len(items(sent)))
        ]
        longest_s = max(longest_s, *(now_s - item.at_s for now_s, batch in sent for item in batch))
        largest = max(largest, *(len(batch) for _, batch in sent))
    one_request_a_minute_s = 60 * 60
    assert 3600 < longest_s <= 7200 + one_request_a_minute_s
    assert largest == MOST_IN_BATCH


def test_every_beacon_region_that_was_entered_is_left_10_s_to_25_min_after_its_last_packet(
    city: World,
) -> None:
    habits = replace(PLAIN, regions_planned=True, beacon_exit_s=(10.0, 1500.0))
    shops = {(b.uuid, b.major): f"beacon:{shop.id}" for shop in city.shops.values() for b in shop.beacons}
    delays = []
    for _, sent in days(city, habits, many=30):
        last_s: dict[str, float] = {}
        entered = set()
        for item in items(sent):
            if item.fields["kind"] == "beacon":
                last_s[shops[item.fields["uuid"], item.fields["major"]]] = item.at_s
            elif (
                item.fields["kind"] == "geofence"
                and (region := item.fields["region_ids"][0]) in shops.values()
            ):
                if item.fields["transition"] == "enter":
                    entered.add(region)
                else:
                    entered.remove(region)
                    delays.append(item.at_s - last_s[region])
        assert not entered
    assert len(delays) > 15
    assert all(10 <= delay <= 1500 for delay in delays)
    assert max(delays) > 700


def test_a_phone_hears_only_the_beacons_that_it_was_told_to_watch(city: World) -> None:
    shopper = Shopper(city, 7, 3, Kind.BUYER, 0)
    plan = shopper.plan(0)
    phone = Phone(shopper, shopper.random("phone"), replace(PLAIN, regions_planned=True))
    phone.wake(plan)
    phone.sense(plan, plan.end_s)
    assert {item.fields["kind"] for item in phone.batch(plan.end_s + 600)} == {"location"}


def test_who_replays_sends_the_same_once_more_as_if_it_were_new_one_to_three_hours_later(city: World) -> None:
    for _, sent in days(city, replace(PLAIN, replayed=1.0), many=3):
        by_id = {item.id: item for _, batch in sent for item in batch}
        again = [item for item in by_id.values() if item.id.endswith("-r")]
        assert len(again) == len(by_id) / 2
        for copy in again:
            original = by_id[copy.id.removesuffix("-r")]
            assert (copy.fields, copy.burst) == (original.fields, original.burst)
            assert 3600 <= copy.at_s - original.at_s <= 10_800


@pytest.mark.parametrize(("share", "platforms"), [(0.0, {"android"}), (1.0, {"ios"})])
def test_platforms_are_shared_out_as_said(city: World, share: float, platforms: set[str]) -> None:
    shoppers = [Shopper(city, 7, index, Kind.BUYER, 0) for index in range(20)]
    habits = replace(PLAIN, ios_share=share)
    assert {Phone(one, one.random("phone"), habits).traits.platform for one in shoppers} == platforms


@pytest.mark.parametrize(("ios_share", "together"), [(0.0, True), (1.0, False)])
def test_android_tells_of_several_regions_in_one_event_and_ios_does_not(
    city: World, ios_share: float, together: bool
) -> None:
    habits = replace(PLAIN, regions_planned=True, ios_share=ios_share)
    sent = [item for _, batches in days(city, habits, kind=Kind.DRIVER) for item in items(batches)]
    told = [item.fields["region_ids"] for item in sent if item.fields["kind"] == "geofence"]
    assert told
    assert any(len(regions) > 1 for regions in told) is together
