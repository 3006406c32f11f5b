"""Does the beacon report say what phones heard? Days of sightings, while beacons die, move, double and fade."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from m2s.app.measure import Span
from m2s.app.sighting import BeaconSample, BeaconSighting, Location
from m2s.core.places.geojson import read_collection
from tests.app.town import HARBOUR, POINTS, ROCK, UUID, Town, features, fix

HILL = "hill"
"""A third shop, 5 km from the two."""
HILL_AT = (POINTS[HARBOUR][0] + 5_000 / 111_130, POINTS[HARBOUR][1])
_names = count()


@pytest.fixture
def shops(town: Town) -> Town:
    """Harbour with beacons at the till (1) and the shoes (2), rock with one at the till, hill without any."""
    told = features()
    harbour, rock = told["features"]
    harbour["properties"]["beacons"].append({"uuid": UUID, "major": 0, "minor": 2, "place": "shoes"})
    hill = {**rock, "id": HILL, "geometry": {"type": "Point", "coordinates": [HILL_AT[1], HILL_AT[0]]}}
    hill["properties"] = {**rock["properties"], "name": "Hill", "beacons": []}
    town.engine.publish.publish_stores(read_collection({**told, "features": [harbour, rock, hill]}))
    return town


def hears(
    town: Town, phone: str, *minors: int, rssi_dbm: int = -70, major: int = 0, mocked: bool = False
) -> None:
    """A phone hears beacons now, three readings of each."""
    town.post(
        phone,
        *(
            BeaconSighting(
                id=f"h{next(_names)}",
                uuid=UUID,
                major=major,
                minor=minor,
                rssi_dbm=rssi_dbm,
                samples=[BeaconSample(age, rssi_dbm) for age in (2_000, 1_000, 0)],
                age_ms=0,
                mocked=mocked,
            )
            for minor in minors
        ),
    )


def stands(town: Town, phone: str, latitude: float, longitude: float, **more: float) -> None:
    """A phone knows where it is now."""
    place = {"latitude": latitude, "longitude": longitude, "accuracy_m": 10.0, **more}
    town.post(phone, Location(id=f"l{next(_names)}", age_ms=0, **place))


def day(town: Town, phones: list[str], *minors: int, rssi_dbm: int = -70) -> None:
    """Every phone comes to the harbour once, and a day goes by."""
    for phone in phones:
        hears(town, phone, *minors, rssi_dbm=rssi_dbm)
        town.wait(minutes=1)
    town.wait(days=1)


def beacons(town: Town, span: Span | None = None) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The report's rows by store and place."""
    rows = town.engine.reports.report("beacons", span or Span()).rows
    return {(row["store_id"], row["place"]): row for row in rows}


def test_every_beacon_of_the_catalog_has_a_row(shops: Town) -> None:
    phone = shops.device("ann")
    hears(shops, phone, 1)
    shops.wait(minutes=1)
    made = shops.engine.reports.report("beacons", Span())
    assert made.rule_version == "beacons-1"
    assert made.rows == (
        {
            "store_id": HARBOUR,
            "place": "till",
            "uuid": UUID,
            "major": 0,
            "minor": 1,
            "findings": "",
            "last_heard": "2026-11-03T09:00:00.000Z",
            "phone_days": 1,
            "strength_db": None,
            "drift_db": None,
            "away_m": None,
            "away_at": None,
        },
        made.rows[1],
        made.rows[2],
    )
    assert [(row["place"], row["last_heard"]) for row in made.rows[1:]] == [("shoes", None), ("till", None)]
    assert [row["store_id"] for row in shops.engine.reports.report("beacons", Span(store_id=ROCK)).rows] == [
        ROCK
    ]


def test_a_beacon_that_died_is_silent_while_its_neighbour_is_heard(shops: Town) -> None:
    phones = [shops.device(name) for name in "abcde"]
    for _ in range(2):
        day(shops, phones, 1, 2)
    day(shops, phones, 1)
    found = beacons(shops)
    assert found[HARBOUR, "shoes"]["findings"] == "silent"
    assert found[HARBOUR, "shoes"]["last_heard"] == "2026-11-04T09:09:00.000Z"
    assert found[HARBOUR, "till"]["findings"] == ""
    # What is found stands first.
    assert next(iter(found)) == (HARBOUR, "shoes")
    # Before it died, nothing was wrong.
    before = beacons(shops, Span(until=shops.clock.now() - timedelta(days=1, hours=1)))
    assert before[HARBOUR, "shoes"]["findings"] == ""
    assert before[HARBOUR, "till"]["last_heard"] == "2026-11-04T09:09:00.000Z"


def test_the_only_beacon_of_a_shop_is_silent_when_phones_are_inside_and_none_hears_it(shops: Town) -> None:
    for number in range(20):
        phone = shops.device(f"p{number}")
        assert beacons(shops)[ROCK, "till"]["findings"] == ""
        shops.post(phone, fix(f"in{number}", "inside", shop=ROCK))
        shops.post(phone, fix(f"by{number}", "left", shop=HARBOUR))
        shops.clock.advance(timedelta(seconds=20))
    found = beacons(shops)
    assert found[ROCK, "till"]["findings"] == "silent"
    assert found[HARBOUR, "till"]["findings"] == ""


def test_a_beacon_that_is_heard_in_another_shop_was_moved_there(shops: Town) -> None:
    for number, name in enumerate("ab"):
        phone = shops.device(name)
        hears(shops, phone, 2)
        stands(shops, phone, *HILL_AT)
        shops.wait(minutes=20)
        row = beacons(shops)[HARBOUR, "shoes"]
        assert row["findings"] == ("moved" if number else "")
    assert row["away_at"] == HILL
    assert row["away_m"] == pytest.approx(5_000 - 60 - 10, abs=15)
    hears(shops, phone, 2)
    stands(shops, phone, *POINTS[HARBOUR])
    shops.wait(minutes=1)
    assert beacons(shops)[HARBOUR, "shoes"]["findings"] == ""


def test_a_beacon_that_is_heard_at_two_places_at_once_is_there_twice(shops: Town) -> None:
    for home, away in ("ab", "cd"):
        for name, place in ((home, POINTS[HARBOUR]), (away, HILL_AT)):
            phone = shops.device(name)
            hears(shops, phone, 1)
            stands(shops, phone, *place)
            shops.wait(minutes=5)
        found = beacons(shops)[HARBOUR, "till"]
        assert found["findings"] == ("duplicated" if home == "c" else "")
        shops.wait(hours=1)
    assert beacons(shops)[HARBOUR, "till"]["away_at"] == HILL


@pytest.mark.parametrize(
    ("mocked", "fix", "minutes_later", "found"),
    [
        (False, {"accuracy_m": 100}, 0, "moved"),
        (True, {}, 0, ""),
        (False, {"accuracy_m": 101}, 0, ""),
        (False, {}, 1, ""),
    ],
)
def test_a_position_that_is_rough_mocked_or_of_another_minute_says_nothing(
    shops: Town, mocked: bool, fix: dict[str, float], minutes_later: int, found: str
) -> None:
    for name in "ab":
        phone = shops.device(name)
        hears(shops, phone, 2, mocked=mocked)
        shops.wait(minutes=minutes_later)
        stands(shops, phone, *HILL_AT, **fix)
        shops.wait(minutes=1)
    row = beacons(shops)[HARBOUR, "shoes"]
    assert row["findings"] == found
    assert (row["phone_days"], row["last_heard"] is None) == ((0, True) if mocked else (2, False))
    assert (
        beacons(shops, Span(until=shops.clock.now() - timedelta(hours=1)))[HARBOUR, "shoes"]["findings"] == ""
    )


@pytest.mark.parametrize(
    ("seconds_later", "told", "found"),
    [(40, {"speed_mps": 1.4}, "moved"), (40, {"speed_mps": 30.0}, ""), (10, {}, "moved"), (50, {}, "")],
)
def test_who_drives_on_has_heard_it_at_home(
    shops: Town, seconds_later: int, told: dict[str, float], found: str
) -> None:
    north = (POINTS[HARBOUR][0] + 1200 / 111_130, POINTS[HARBOUR][1])
    for name in "ab":
        phone = shops.device(name)
        hears(shops, phone, 2)
        shops.wait(seconds=seconds_later)
        stands(shops, phone, *north, **told)
        shops.wait(minutes=2, seconds=-seconds_later)
    assert beacons(shops)[HARBOUR, "shoes"]["findings"] == found


def test_a_beacon_that_was_taken_out_of_its_shop_may_stand_nowhere(shops: Town) -> None:
    south = (POINTS[HARBOUR][0] - 290 / 111_130, POINTS[HARBOUR][1])
    for name in "ab":
        phone = shops.device(name)
        hears(shops, phone, 2)
        stands(shops, phone, *south)
        shops.wait(minutes=1)
    row = beacons(shops)[HARBOUR, "shoes"]
    assert (row["findings"], row["away_m"], row["away_at"]) == ("moved", pytest.approx(220, abs=2), None)


def test_a_day_counts_each_phone_once_however_strong_it_heard(shops: Town) -> None:
    near, far = shops.device("near"), shops.device("far")
    for phone, rssi_dbm in ((near, -60), (far, -80), (far, -82)):
        hears(shops, phone, 1, rssi_dbm=rssi_dbm)
        shops.wait(minutes=1)
    row = beacons(shops)[HARBOUR, "till"]
    assert (row["phone_days"], row["last_heard"]) == (2, "2026-11-03T09:02:00.000Z")


def test_a_signal_that_fell_for_a_week_is_a_weak_battery(shops: Town) -> None:
    phones = [shops.device(name) for name in "abcdef"]
    for rssi_dbm, days in ((-70, 8), (-77, 7)):
        for _ in range(days):
            day(shops, phones, 1, rssi_dbm=rssi_dbm)
    # The last of these days ended this morning: today has no phones yet, and six days have 36.
    row = beacons(shops)[HARBOUR, "till"]
    assert (row["strength_db"], row["drift_db"], row["phone_days"]) == (-18.0, -7.0, 36)
    assert row["findings"] == "drifting weak_battery"


def test_readings_that_are_none_count_as_heard_without_a_strength(shops: Town) -> None:
    phones = [shops.device(f"p{number}") for number in range(30)]
    for phone in phones:
        hears(shops, phone, 1, rssi_dbm=-59)
        hears(shops, phone, 2, rssi_dbm=0)
    shops.wait(minutes=1)
    found = beacons(shops)
    assert (found[HARBOUR, "till"]["strength_db"], found[HARBOUR, "till"]["phone_days"]) == (0.0, 30)
    assert (found[HARBOUR, "shoes"]["strength_db"], found[HARBOUR, "shoes"]["phone_days"]) == (None, 30)


def test_what_happened_longer_ago_than_it_looks_back_is_left_out(shops: Town) -> None:
    phone = shops.device("ann")
    hears(shops, phone, 1)
    shops.wait(days=34)
    assert beacons(shops)[HARBOUR, "till"]["last_heard"] == "2026-11-03T09:00:00.000Z"
    recent = Span(since=shops.clock.now() - timedelta(days=3))
    assert beacons(shops, recent)[HARBOUR, "till"]["last_heard"] is None
    shops.wait(days=2)
    assert beacons(shops)[HARBOUR, "till"]["last_heard"] is None
