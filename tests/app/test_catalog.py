"""What does a snapshot of stores and campaigns look up, and when does the engine swap it?"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from m2s.app.catalog import build_catalog
from m2s.app.rows import CampaignRow
from m2s.core.places.geojson import read_collection
from tests.app.town import HARBOUR, MORNING, ROCK, UUID, Town, campaign, features, fix, heard
from tests.changed import replace

OFFERS = campaign(
    "c",
    "near: {near: vicinity}",
    "stay: {dwell: {zone: premises, for: 6m}}",
    "till: {beacon: {place: till, proximity: near, for: 20s}}",
    'sat: {at: "sat 10:00", audience_near: {within: 3km, seen_within: 30d}}',
)


def row(state: str = "active", text: str = OFFERS) -> CampaignRow:
    return CampaignRow("c", "1", state, "salt", text, MORNING)


def test_offers_are_found_by_zone_by_place_and_by_schedule() -> None:
    catalog = build_catalog(3, read_collection(features()), [row()])
    assert catalog.version == 3
    assert {key: [one.offer.id for one in found] for key, found in catalog.by_zone.items()} == {
        (store_id, zone_id): [offer_id]
        for store_id in (HARBOUR, ROCK)
        for zone_id, offer_id in (("vicinity", "near"), ("premises", "stay"))
    }
    assert {key: [one.offer.id for one in found] for key, found in catalog.by_place.items()} == {
        (HARBOUR, "till"): ["till"],
        (ROCK, "till"): ["till"],
    }
    ((scheduled, stores),) = catalog.scheduled
    assert (scheduled.offer.id, [store.id for store in stores]) == ("sat", [HARBOUR, ROCK])


def test_only_the_stores_of_a_campaign_carry_its_offers() -> None:
    text = OFFERS.replace("{all: true}", f"{{ids: [{ROCK}]}}")
    catalog = build_catalog(1, read_collection(features()), [row(text=text)])
    assert {store_id for store_id, _ in [*catalog.by_zone, *catalog.by_place]} == {ROCK}
    assert [[store.id for store in stores] for _, stores in catalog.scheduled] == [[ROCK]]


def test_a_stopped_campaign_is_out_and_a_paused_one_is_marked() -> None:
    stores = read_collection(features())
    assert build_catalog(1, stores, [row("stopped")]).by_zone == {}
    paused = build_catalog(1, stores, [row("paused")])
    assert [live.paused for live in paused.campaigns.values()] == [True]
    assert len(paused.by_zone) == 4


def test_a_store_brings_its_beacons_and_rules() -> None:
    catalog = build_catalog(1, read_collection(features(visit={"gap_merge_s": 120})), [])
    store, beacon = catalog.beacons[UUID, 1, 1]
    assert (store.id, beacon.place) == (ROCK, "till")
    premises, vicinity = catalog.rules[HARBOUR, "premises"], catalog.rules[HARBOUR, "vicinity"]
    assert (premises.gap_merge_s, premises.dwell_min_s, premises.leave_margin_m) == (120, 300, 20)
    assert vicinity.leave_margin_m == 75


def test_a_catalog_made_from_an_earlier_one_is_the_same_as_one_made_anew() -> None:
    first = read_collection(features())
    moved = replace(first[0], beacons=first[1].beacons, zones=first[0].zones[:1])
    added = replace(first[1], id="arcade", beacons=first[0].beacons)
    bare = replace(first[1], beacons=())
    before = build_catalog(1, first, [row(state="paused")])
    for changed in ([], [moved, bare], [added, replace(first[0], beacons=())], [moved, bare, added]):
        now = {store.id: store for store in (*first, *changed)}
        renewed = build_catalog(2, changed, [row()], before=before)
        anew = build_catalog(2, [now[name] for name in sorted(now)], [row()])
        assert list(renewed.stores.items()) == list(anew.stores.items())
        assert renewed.index.zones == anew.index.zones
        for name in ("version", "rules", "beacons", "campaigns", "by_zone", "by_place", "scheduled"):
            assert getattr(renewed, name) == getattr(anew, name), name
    assert before.stores == {store.id: store for store in first}


def test_a_snapshot_cannot_be_changed() -> None:
    catalog = build_catalog(1, [], [])
    with pytest.raises(FrozenInstanceError):
        catalog.version = 2  # type: ignore[misc]


def test_without_stores_everything_is_away(town: Town) -> None:
    answer = town.post(town.device("ann"), fix("s0"), heard("s1"))
    assert (answer.accepted, answer.away) == (0, 2)


def test_what_is_published_counts_from_the_next_group_on(town: Town) -> None:
    device = town.device("ann")
    assert town.post(device, fix("s0")).away == 1
    town.furnish(campaign("c", "o: {enter: premises}"))
    assert [event["type"] for event in town.post(device, fix("s1")).events] == ["offer.decided"]
    kept = town.rows("SELECT DISTINCT zone_version FROM evidence")
    assert kept == [(town.engine.catalog().version,)]


def test_only_what_was_published_since_is_read_again(town: Town) -> None:
    town.furnish(OFFERS)
    before = town.engine.catalog()
    town.engine.publish.publish_stores([replace(before.stores[ROCK], name="Rock")])
    between = town.engine.catalog()
    town.engine.publish.pause("c")
    after = town.engine.catalog()
    assert between.stores[HARBOUR] is before.stores[HARBOUR]
    assert (between.stores[ROCK].name, after.stores) == ("Rock", between.stores)
    assert after.index is between.index
    assert after.campaigns["c"].paused
    town.restart()
    again = town.engine.catalog()
    assert (again.version, again.stores, again.rules) == (after.version, after.stores, after.rules)


def test_what_was_published_is_in_force_after_a_restart(town: Town) -> None:
    town.furnish(OFFERS)
    before = town.engine.catalog()
    town.restart()
    after = town.engine.catalog()
    assert (after.version, after.stores, after.campaigns) == (before.version, before.stores, before.campaigns)
