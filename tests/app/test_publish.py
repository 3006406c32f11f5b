"""Stores and campaigns come into force whole or not at all, and the running catalog follows."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from m2s.app.catalog import Catalog, build_catalog
from m2s.app.publish import Publish
from m2s.core.base.errors import Conflict, Invalid, NotFound, Unavailable
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Beacon, Store
from tests.app.world import CAMPAIGN, CHURCH, PORT, World
from tests.changed import replace


@dataclass
class Shelf:
    """The catalog in force, as an engine holds it."""

    catalog: Catalog
    reloads: int = 0


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(build_catalog(0, world.catalog.stores.values(), []))


@pytest.fixture
def publish(world: World, shelf: Shelf) -> Publish:
    def reload(_: object) -> None:
        shelf.reloads += 1
        with world.database.read() as records:
            rows = records.catalog.campaigns()
            version = records.catalog.version()
            features = [json.loads(text) for text in records.catalog.store_features()]
        published = {store.id: store for store in read_features(("", feature) for feature in features)}
        stores = {**shelf.catalog.stores, **published}
        shelf.catalog = build_catalog(version, stores.values(), rows)

    return Publish(
        world.database,
        world.ids,
        clock=world.clock,
        catalog=lambda: shelf.catalog,
        reload=reload,
    )


def kept_names(world: World) -> dict[str, str]:
    with world.database.read() as records:
        features = [json.loads(text) for text in records.catalog.store_features()]
    return {feature["id"]: feature["properties"]["name"] for feature in features}


def test_stores_are_added_and_replaced_by_id(publish: Publish, world: World, shelf: Shelf) -> None:
    stores: dict[str, Store] = dict(world.catalog.stores)
    assert publish.publish_stores([stores[PORT], stores[CHURCH]]) == 1
    assert publish.publish_stores([replace(stores[PORT], name="Harbour")]) == 2
    assert kept_names(world) == {PORT: "Harbour", CHURCH: "Bakery church"}
    assert (shelf.reloads, shelf.catalog.version) == (2, 2)


def test_a_beacon_that_hangs_in_another_store_is_refused_and_nothing_is_published(
    publish: Publish, world: World
) -> None:
    stores: dict[str, Store] = dict(world.catalog.stores)
    beacon = Beacon("5f0c9a5e-6d3e-4d0b-9f0e-7a3c2b1d4e5f", 1, 1, measured_power_dbm=-59, place="till")
    publish.publish_stores([stores[CHURCH], replace(stores[PORT], beacons=(beacon,))])
    moved = replace(stores[CHURCH], name="Moved", beacons=(beacon,))
    with pytest.raises(Invalid) as caught:
        publish.publish_stores([moved])
    assert caught.value.problems[0].pointer == CHURCH
    assert kept_names(world)[CHURCH] == "Bakery church"
    publish.publish_stores([stores[PORT], moved])
    assert kept_names(world)[CHURCH] == "Moved"


def test_a_beacon_is_looked_for_in_what_is_kept_not_in_the_catalog_in_force(world: World) -> None:
    stores: dict[str, Store] = dict(world.catalog.stores)
    catalog = build_catalog(0, stores.values(), [])
    behind = Publish(
        world.database, world.ids, clock=world.clock, catalog=lambda: catalog, reload=lambda _: None
    )
    beacon = Beacon("5f0c9a5e-6d3e-4d0b-9f0e-7a3c2b1d4e5f", 1, 1, measured_power_dbm=-59, place="till")
    behind.publish_stores([replace(stores[PORT], beacons=(beacon,))])
    with pytest.raises(Invalid) as caught:
        behind.publish_stores([replace(stores[CHURCH], beacons=(beacon,))])
    assert f"already at the store {PORT}" in caught.value.problems[0].detail
    assert list(kept_names(world)) == [PORT]


def test_stores_that_could_not_be_read_back_are_refused_and_nothing_is_published(
    publish: Publish, world: World
) -> None:
    stores: dict[str, Store] = dict(world.catalog.stores)
    with pytest.raises(Invalid) as caught:
        publish.publish_stores([stores[CHURCH], replace(stores[PORT], address="x" * 300)])
    assert caught.value.problems[0].pointer == f"{PORT} ({PORT}).address"
    assert kept_names(world) == {}


def test_a_campaign_gets_its_salt_once_and_keeps_it(publish: Publish, shelf: Shelf) -> None:
    first = publish.apply_campaign("morning", CAMPAIGN)
    assert first.change == "created"
    assert len(first.campaign.salt) == 32
    changed = publish.apply_campaign(None, CAMPAIGN.replace("45m", "30m"))
    assert changed.change == "changed"
    assert (changed.campaign.salt, changed.campaign.state) == (first.campaign.salt, "active")
    assert changed.campaign.version != first.campaign.version
    assert shelf.catalog.campaigns["morning"].version == changed.campaign.version


def test_a_text_that_says_the_same_changes_nothing(publish: Publish, shelf: Shelf) -> None:
    publish.apply_campaign("morning", CAMPAIGN)
    version = shelf.catalog.version
    assert publish.apply_campaign("morning", CAMPAIGN + "\n# a remark\n").change == "unchanged"
    assert shelf.catalog.version == version
    assert publish.campaign("morning").yaml == CAMPAIGN


def test_pausing_is_state_that_applying_never_changes(publish: Publish, shelf: Shelf) -> None:
    publish.apply_campaign("morning", CAMPAIGN)
    applied = shelf.catalog.version
    assert publish.pause("morning").state == "paused"
    assert shelf.catalog.version == applied + 1
    assert shelf.catalog.campaigns["morning"].paused
    assert publish.apply_campaign("morning", CAMPAIGN.replace("45m", "30m")).campaign.state == "paused"
    version = shelf.catalog.version
    assert publish.pause("morning").state == "paused"
    assert shelf.catalog.version == version
    assert publish.resume("morning").state == "active"
    assert not shelf.catalog.campaigns["morning"].paused


def test_a_stopped_campaign_stays_stopped(publish: Publish, shelf: Shelf) -> None:
    publish.apply_campaign("morning", CAMPAIGN)
    publish.stop("morning")
    assert "morning" not in shelf.catalog.campaigns
    for attempt in (
        lambda: publish.resume("morning"),
        lambda: publish.pause("morning"),
        lambda: publish.apply_campaign("morning", CAMPAIGN),
    ):
        with pytest.raises(Conflict):
            attempt()
    assert publish.stop("morning").state == "stopped"
    assert [row.state for row in publish.campaigns()] == ["stopped"]


def test_every_problem_of_a_text_is_named_with_its_place_and_nothing_changes(
    publish: Publish, shelf: Shelf
) -> None:
    broken = CAMPAIGN.replace("{near: vicinity}", "{near: backyard}").replace(
        "valid_for: 4h", "valid_for: soon"
    )
    for attempt in (
        lambda: publish.check_campaign(broken, "m.yaml"),
        lambda: publish.apply_campaign(None, broken),
    ):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert len(caught.value.problems) == 2
    with pytest.raises(Invalid) as caught:
        publish.check_campaign(broken, "m.yaml")
    line = broken.splitlines().index("    trigger: {near: backyard}") + 1
    assert caught.value.problems[0].pointer == f"m.yaml:{line}:21"
    assert publish.campaigns() == []
    assert shelf.reloads == 0


def test_a_campaign_is_refused_under_another_name(publish: Publish) -> None:
    with pytest.raises(Invalid) as caught:
        publish.apply_campaign("evening", CAMPAIGN)
    assert caught.value.code == "other_campaign"


@pytest.mark.parametrize("verb", ["pause", "resume", "stop", "campaign"])
def test_a_campaign_that_does_not_exist_is_not_found(publish: Publish, verb: str) -> None:
    with pytest.raises(NotFound):
        getattr(publish, verb)("nothing")


def test_what_was_not_taken_up_is_taken_up_when_it_is_asked_for_again(world: World, shelf: Shelf) -> None:
    fails = [True, False]

    def reload(_: object) -> None:
        if fails.pop(0):
            raise Unavailable("every reading connection is taken")
        shelf.reloads += 1

    publish = Publish(
        world.database, world.ids, clock=world.clock, catalog=lambda: shelf.catalog, reload=reload
    )
    with pytest.raises(Unavailable):
        publish.apply_campaign(None, CAMPAIGN)
    assert publish.apply_campaign(None, CAMPAIGN).change == "unchanged"
    assert shelf.reloads == 1
    (row,) = publish.campaigns()
    fails[:] = [True, False]
    with pytest.raises(Unavailable):
        publish.pause(row.id)
    assert publish.pause(row.id).state == "paused"
    assert shelf.reloads == 2


def test_others_have_their_turn_after_each_store_and_what_was_read_is_handed_on(world: World) -> None:
    turns: list[None] = []
    handed: dict[str, Store] = {}
    publish = Publish(
        world.database,
        world.ids,
        clock=world.clock,
        catalog=lambda: build_catalog(0, [], []),
        reload=handed.update,
        making_much=lambda: nullcontext(lambda: turns.append(None)),
    )
    stores = [world.catalog.stores[PORT], world.catalog.stores[CHURCH]]
    publish.publish_stores(stores)
    assert len(turns) == 4, "each is written and read"
    with world.database.read() as records:
        kept = list(records.catalog.store_features())
    assert sorted(handed) == sorted(kept)
    assert {store.id: store for store in handed.values()} == {store.id: store for store in stores}
