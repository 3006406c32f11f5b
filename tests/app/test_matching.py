"""Which evidence do sightings give, by the catalog in force?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from m2s.app.catalog import Catalog, build_catalog
from m2s.app.dedupe import SeenIds
from m2s.app.matching import (
    ACCURACY_M,
    AT_MS,
    CLOCK_TRUSTED,
    FLAGS,
    FOREGROUND,
    ID,
    MOCKED,
    Matched,
    match_group,
)
from m2s.app.sighting import Batch, BeaconSample, Sighting
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_collection
from m2s.core.presence.evidence import Kind, Transition
from tests.app.town import HARBOUR, MORNING, ROCK, features, fence, fix, heard

NOW_MS = to_ms(MORNING)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return build_catalog(1, read_collection(features()), [])


def match(catalog: Catalog, *items: Sighting, **changes: Any) -> Matched:
    batch = Batch("dev", {"dev": "shp"}, NOW_MS, changes.get("sent_at_ms"), list(enumerate(items)), [])
    return match_group([batch], catalog, SeenIds(1, most=1_000))


def zones(matched: Matched) -> set[tuple[str, str]]:
    return {(one.store_id, one.zone_id) for one in matched.evidence}


def test_a_fix_is_evidence_of_every_padded_zone_that_holds_it(catalog: Catalog) -> None:
    both = {(HARBOUR, "vicinity"), (ROCK, "vicinity")}
    assert zones(match(catalog, fix("s", "inside"))) == {(HARBOUR, "premises"), *both}
    # 50 m outside the circle: within its leave margin of 20 m and the 50 m of the largest accuracy.
    assert zones(match(catalog, fix("s", "left"))) == {
        (HARBOUR, "premises"),
        (HARBOUR, "vicinity"),
        (ROCK, "vicinity"),
    }
    assert zones(match(catalog, fix("s", "vicinity"))) == {(HARBOUR, "vicinity")}


def test_evidence_says_how_far_and_how_probably_inside(catalog: Catalog) -> None:
    found = match(catalog, fix("s", "inside", age_s=9, speed_mps=1.5))
    (one,) = [one for one in found.evidence if one.zone_id == "premises"]
    assert one.boundary_distance_m == pytest.approx(-60, abs=0.2)
    assert one.inside_probability == pytest.approx(1, abs=1e-4)
    assert (one.kind, one.at_ms, one.accuracy_m, one.speed_mps) == (Kind.LOCATION, NOW_MS - 9_000, 10, 1.5)
    assert (one.shopper_id, one.device_id, one.sighting_id) == ("shp", "dev", "s")


def test_an_inaccurate_fix_is_kept_but_is_no_evidence_and_no_leaving(catalog: Catalog) -> None:
    found = match(catalog, fix("s", "inside", accuracy_m=50.1))
    assert (len(found.fixes), found.evidence) == (1, [])
    assert [(row[AT_MS], row[ACCURACY_M]) for row in found.outside(0)] == [(NOW_MS, 50.1)]


def test_a_fix_outside_every_zone_is_kept_for_what_it_ends(catalog: Catalog) -> None:
    found = match(catalog, fix("s", "near"), fix("fake", "near", mocked=True), fix("t", "away"))
    assert [row[1] for row in found.fixes] == ["s", "fake"]
    assert [row[ID] for row in found.outside(0)] == ["s", "t"]
    assert (found.tallies[0].accepted, found.tallies[0].away) == (2, 1)


def test_a_fence_event_is_evidence_of_the_regions_that_are_known(catalog: Catalog) -> None:
    regions = [f"{HARBOUR}/premises", f"{ROCK}/vicinity", f"{HARBOUR}/premises", "gone/premises", "nonsense"]
    found = match(catalog, fence("s", "exit", region_ids=regions))
    assert [(one.store_id, one.zone_id) for one in found.evidence] == [
        (HARBOUR, "premises"),
        (ROCK, "vicinity"),
    ]
    assert {(one.transition, one.inside_probability) for one in found.evidence} == {(Transition.EXIT, 0.0)}
    assert json.loads(found.reported[0][-2]) == {"transition": "exit", "region_ids": regions}


def test_a_fence_event_of_no_known_region_is_away(catalog: Catalog) -> None:
    found = match(catalog, fence("s", "enter", region_ids=["gone/premises", f"{HARBOUR}/gone"]))
    assert (found.tallies[0].away, found.fixes, found.reported) == (1, [], [])


def test_a_beacon_is_known_by_its_three_numbers_whatever_the_case(catalog: Catalog) -> None:
    found = match(catalog, heard("s", shop=ROCK, n=3), heard("t", major=7), heard("u", minor=0))
    (one,) = found.evidence
    assert (one.store_id, one.zone_id, one.place, one.beacon) == (ROCK, "premises", "till", "1/1")
    assert (one.measured_power_dbm, one.samples, one.kind) == (
        -59,
        ((2000, -62), (1000, -62), (0, -62)),
        Kind.BEACON,
    )
    assert (found.tallies[0].accepted, found.tallies[0].away) == (1, 2)


def test_samples_are_told_oldest_first_and_one_reading_is_a_sample(catalog: Catalog) -> None:
    samples = [
        BeaconSample(0, -70),
        BeaconSample(2_000, -50),
        BeaconSample(1_000, -60),
        BeaconSample(99_001, -1),
    ]
    found = match(catalog, heard("s", samples=samples), heard("t", samples=[], rssi_dbm=-77))
    assert [one.samples for one in found.evidence] == [((2_000, -50), (1_000, -60), (0, -70)), ((0, -77),)]


def test_flags_say_mocked_foreground_and_whose_clock(catalog: Catalog) -> None:
    plain = fix("s")
    flagged = fix("t", mocked=True, foreground=True, age_ms=None, at=MORNING)
    found = match(catalog, plain, flagged, sent_at_ms=None)
    assert [row[FLAGS] for row in found.fixes] == [0, MOCKED | FOREGROUND | CLOCK_TRUSTED]
    assert {one.mocked for one in found.evidence if one.sighting_id == "t"} == {True}


def test_items_of_a_server_are_of_the_devices_that_they_name(catalog: Catalog) -> None:
    items = [fix("s", device_id="d1"), fix("s", device_id="d2")]
    batch = Batch(None, {"d1": "ann", "d2": "bob"}, NOW_MS, None, list(enumerate(items)), [])
    found = match_group([batch], catalog, SeenIds(1, most=1_000))
    assert {(one.device_id, one.shopper_id) for one in found.evidence} == {("d1", "ann"), ("d2", "bob")}
    assert found.tallies[0].accepted == 2
