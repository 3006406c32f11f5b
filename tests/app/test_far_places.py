"""Of the places of one store, at which does an offer come up that is for who hears a beacon from afar?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m2s.app.catalog import Catalog, build_catalog
from m2s.app.rows import CampaignRow
from m2s.app.sighting import BeaconSample
from m2s.core.places.geojson import read_collection
from m2s.core.places.store import Store
from tests.app.town import HARBOUR, MORNING, ROCK, UUID, Town, campaign, features, heard, open_town

SHOES, BAGS = 1, 2
OFFERS = campaign(
    "c",
    "shoes: {beacon: {place: shoes, proximity: far, for: 20s}}",
    "bags: {beacon: {place: bags, proximity: far, for: 20s}}",
    "shelf: {beacon: {place: bags, proximity: near, for: 20s}}",
).replace("{all: true}", f"{{ids: [{HARBOUR}]}}")


def department_store() -> list[Store]:
    """The harbour shop with two departments, and the other as it is."""
    collection = features()
    collection["features"][0]["properties"]["beacons"] = [
        {"uuid": UUID, "major": 0, "minor": minor, "measured_power_dbm": -59, "place": place}
        for minor, place in ((SHOES, "shoes"), (BAGS, "bags"))
    ]
    return read_collection(collection)


@pytest.fixture
def departments(tmp_path: Path) -> Iterator[Town]:
    """A department store whose offers nothing holds back."""
    found = open_town(tmp_path, pressure=["1000 per 1d"])
    found.engine.publish.publish_stores(department_store())
    found.engine.publish.apply_campaign(None, OFFERS)
    yield found
    found.engine.stop()


def hear(town: Town, device: str, *, bursts: int, shoes_dbm: int, bags_dbm: int, first: int = 0) -> None:
    """Bursts a minute apart, in each of which the phone tells of both beacons."""
    for burst in range(first, first + bursts):
        told = [
            heard(
                f"{name}{burst}",
                minor=minor,
                rssi_dbm=dbm,
                samples=[BeaconSample(1000 * age, dbm) for age in range(5)],
            )
            for name, minor, dbm in (("bags", BAGS, bags_dbm), ("shoes", SHOES, shoes_dbm))
        ]
        town.post(device, *told)
        town.wait(minutes=1)


def fired(town: Town) -> list[str]:
    return [offer_id for offer_id in ("shoes", "bags", "shelf") for _ in town.decisions(offer_id)]


def test_who_hears_two_places_from_afar_is_at_the_stronger_one(departments: Town) -> None:
    hear(departments, departments.device("ann"), bursts=5, shoes_dbm=-75, bags_dbm=-85)
    assert fired(departments) == ["shoes"]


def test_who_goes_on_to_the_other_place_is_there(departments: Town) -> None:
    device = departments.device("ann")
    hear(departments, device, bursts=3, shoes_dbm=-75, bags_dbm=-85)
    hear(departments, device, bursts=5, shoes_dbm=-85, bags_dbm=-75, first=3)
    assert fired(departments) == ["shoes", "bags"]


def test_who_is_near_one_place_is_that_however_strong_the_other(departments: Town) -> None:
    hear(departments, departments.device("ann"), bursts=3, shoes_dbm=-60, bags_dbm=-68)
    assert fired(departments) == ["shoes", "bags", "shelf"]


def test_where_she_is_outlasts_a_restart(departments: Town) -> None:
    device = departments.device("ann")
    hear(departments, device, bursts=2, shoes_dbm=-75, bags_dbm=-85)
    departments.restart()
    hear(departments, device, bursts=3, shoes_dbm=-75, bags_dbm=-85, first=2)
    assert fired(departments) == ["shoes"]


def catalog_of(offers: str, stores: list[Store]) -> Catalog:
    return build_catalog(1, stores, [CampaignRow("c", "1", "active", "salt", offers, MORNING)])


def test_places_are_told_apart_only_where_there_are_several_and_one_may_be_far() -> None:
    everywhere = OFFERS.replace(f"{{ids: [{HARBOUR}]}}", "{all: true}")
    apart = catalog_of(everywhere, department_store()).apart
    assert {store_id: sorted(beacons) for store_id, beacons in apart.items()} == {HARBOUR: ["0/1", "0/2"]}
    assert catalog_of(OFFERS.replace("far", "near"), department_store()).apart == {}
    assert ROCK not in apart
