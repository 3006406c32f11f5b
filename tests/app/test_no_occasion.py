from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.app.explain import Explain
from m2s.core.places.geojson import read_collection
from tests.app.town import HARBOUR, MORNING, POINTS, ROCK, Town, campaign, features, fix, open_town

HOUR = timedelta(hours=1)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path, pressure=["1000 per 1d"])
    found.furnish(
        campaign("c", "stay: {dwell: {zone: premises, for: 6m}}", "near: {near: vicinity}"),
        campaign("later", "soon: {enter: premises}").replace("holdout", "from: 2026-12-01\nholdout"),
        campaign("thanks", "opinion: {after_visit: 2h}"),
        campaign("one", "rock: {enter: premises}").replace("{all: true}", "{ids: [rock]}"),
    )
    yield found
    found.engine.stop()


def row_of(number: int, *, first_m: float, name: str) -> list[dict[str, Any]]:
    """So many shops north of the harbour, 200 m apart."""
    latitude, longitude = POINTS[HARBOUR]
    return [
        {
            "type": "Feature",
            "id": f"{name}{place}",
            "geometry": {
                "type": "Point",
                "coordinates": [longitude, latitude + (first_m + 200 * place) / 111_195],
            },
            "properties": {"name": name, "timezone": "Europe/Paris", "country": "FR", "tags": [name]},
        }
        for place in range(number)
    ]


def why(town: Town, offer_id: str, *, until: datetime | None = None) -> str:
    explain: Explain = town.engine.explain
    found = explain.find(shopper_id="shp_ann", offer_id=offer_id, until=until)
    assert found.decisions == ()
    assert found.sentences[0].startswith("No decision is kept")
    return " ".join(found.sentences[1:])


def test_who_never_came_near(town: Town) -> None:
    town.device("ann")
    told = why(town, "near")
    assert "waits for a shopper who comes into zone vicinity, at 2 stores" in told
    assert "never came near" in told


def test_who_was_seen_in_another_zone(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    assert f"last seen at {HARBOUR} in zone vicinity" in why(town, "stay")
    assert "in zone premises of a store that takes part nothing was seen" in why(town, "stay")


def test_who_was_seen_at_stores_that_do_not_take_part(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    assert f"seen at stores that do not take part: {HARBOUR}" in why(town, "rock")


def test_who_was_not_surely_inside(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "maybe", shop=ROCK))
    assert "not surely inside" in why(town, "rock")


def test_who_did_not_stay_long_enough_is_told_that_an_offer_comes_once_in_a_stay(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "inside"))
    assert "comes up once in a stay" in why(town, "stay")


def test_an_offer_that_did_not_run_then(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    told = why(town, "soon", until=MORNING + HOUR)
    assert "On 2026-11-03 the campaign did not run" in told
    town.engine.publish.pause("c")
    assert "The campaign c is paused now." in why(town, "stay")
    town.engine.publish.stop("c")
    assert "The offer stay is not in force" in why(town, "stay")


def test_a_campaign_that_was_not_yet_in_force_then(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    town.wait(minutes=10)
    town.engine.publish.apply_campaign(None, campaign("new", "hello: {near: vicinity}"))
    told = "The campaign new was put into force only at 2026-11-03T09:10:00.000Z."
    assert told in why(town, "hello", until=MORNING + timedelta(minutes=5))
    assert told not in why(town, "hello")


def test_a_phone_that_does_not_watch_the_zone_is_told(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    shops = [
        *features()["features"],
        *row_of(30, first_m=3_000, name="between"),
        *row_of(1, first_m=60_000, name="far"),
    ]
    town.engine.publish.publish_stores(read_collection({"type": "FeatureCollection", "features": shops}))
    for name in ("between", "far"):
        text = campaign(name, f"{name}: {{near: vicinity}}").replace("{all: true}", f"{{tags: [{name}]}}")
        town.engine.publish.apply_campaign(None, text)
    told = why(town, "far")
    assert "zone vicinity of far0, the nearest store of the offer, is none of them" in told
    assert "is none of them" not in why(town, "between")


def test_what_waits_for_a_visit_says_so(town: Town) -> None:
    town.device("ann")
    assert "waits for a visit that ended 2 hours before, at 2 stores" in why(town, "opinion")


def test_what_the_phone_may_tell_is_told(town: Town) -> None:
    device = town.device("ann")
    changes = {"os_permissions": {"location": "when_in_use"}}
    town.engine.database.write(lambda records: records.devices.update_device(device, changes, at=MORNING))
    assert "reported these permissions: location when_in_use" in why(town, "near")


def test_what_happened_later_does_not_count(town: Town) -> None:
    town.post(town.device("ann"), fix("s0", "vicinity"))
    assert "never came near" in why(town, "stay", until=MORNING - HOUR)
