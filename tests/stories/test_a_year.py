"""Does a year in eight time zones ever break the law, a limit, a STOP or the holdout? Judged by what was kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pytest

from m2s.app.ports import Records
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.app.sighting import Batch, Location
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.places.geojson import read_collection
from tests.app.town import Town, open_town

START = datetime(2026, 3, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
STEP = timedelta(hours=7, minutes=13)
"""No divisor of a day, so that every hour and both nights of each clock change are met."""
SHOPPERS = 3
STAYS, STOPS = 0.45, 0.005
"""How probably a shopper comes by in a step, and says STOP or starts anew."""


@dataclass(frozen=True)
class Place:
    """A shop in a time zone of its own, and by what law its shoppers may be sent messages."""

    zone: str
    country: str
    latitude: float
    longitude: float
    days: int = 6
    opens: time = time(8, 30)
    closes: time = time(20)
    on_holidays: bool = False


PLACES = (
    Place("Europe/Paris", "FR", 48.85, 2.35),
    Place("America/Guadeloupe", "GP", 16.24, -61.53),
    Place("Indian/Reunion", "RE", -20.88, 55.45),
    Place("Pacific/Tahiti", "PF", -17.53, -149.57),
    Place("Europe/London", "GB", 51.5, -0.12, 7, time(8), time(21), on_holidays=True),
    Place("America/New_York", "US", 40.7, -74.0, 7, time(8), time(21), on_holidays=True),
    Place("Australia/Lord_Howe", "AU", -31.55, 159.08),
    Place("America/Santiago", "CL", -33.45, -70.67),
)
CAMPAIGN = """
campaign: year
name: A year
stores: {all: true}
holdout: 30%
budget: {messages: 100000}
offers:
  - offer: passing
    trigger: {near: vicinity}
    channels: [push]
    message: {push: {body: {en: "{store_name} is near"}}}
  - offer: thanks
    trigger: {after_visit: 3h}
    channels: [push]
    valid_for: 14h
    limits: {per_shopper: 1 per 20d}
    message: {push: {body: {en: "Thank you, {store_name}"}}}
  - offer: weekly
    trigger: {at: "sat 02:30", audience_near: {within: 3km, seen_within: 30d}}
    channels: [push]
    valid_for: 3d
    message: {push: {body: {en: "This week at {store_name}"}}}
"""


def furnish(town: Town) -> None:
    features = [
        {
            "type": "Feature",
            "id": place.country.lower(),
            "geometry": {"type": "Point", "coordinates": [place.longitude, place.latitude]},
            "properties": {"name": place.zone, "timezone": place.zone, "country": place.country},
        }
        for place in PLACES
    ]
    town.engine.publish.publish_stores(read_collection({"type": "FeatureCollection", "features": features}))
    town.engine.publish.apply_campaign(None, CAMPAIGN)


def consent(
    records: Records, row: DeviceRow, now: datetime, *, granted: bool, location: bool = False
) -> None:
    rows = [ConsentRow("marketing", "push", granted, "v1", now)]
    rows += [ConsentRow("location", None, True, "v1", now)] if location else []
    records.devices.add_consents(row, rows, received_at=now)


def move_in(town: Town) -> dict[str, Place]:
    """The shoppers of each place, by device."""
    found = {}
    for place in PLACES:
        for number in range(SHOPPERS):
            name = f"{place.country}{number}"
            now = town.clock.now()
            row = DeviceRow(f"dev_{name}", f"shp_{name}", "ios", "token", "en", place.zone, {}, now)

            def work(records: Records, row: DeviceRow = row, now: datetime = now) -> None:
                records.devices.add_device(row, token_hash=row.id.encode())
                consent(records, row, now, granted=True, location=True)

            town.engine.database.write(work)
            found[row.id] = place
    return found


def stroll(place: Place, name: str, luck: Random) -> list[Location]:
    """A way past the shop, or half an hour in it."""
    spots = [(250.0, 0)] if luck.random() < 0.7 else [(0.0, minutes) for minutes in range(30, -1, -5)]
    return [
        Location(
            id=f"{name}-{minutes}",
            age_ms=minutes * 60_000,
            latitude=place.latitude + north_m / 111_130,
            longitude=place.longitude,
            accuracy_m=10,
        )
        for north_m, minutes in spots
    ]


def live(town: Town, devices: dict[str, Place], luck: Random) -> dict[str, list[tuple[datetime, bool]]]:
    """A year; returns when each shopper said yes (True) or STOP."""
    said: dict[str, list[tuple[datetime, bool]]] = {
        device.replace("dev", "shp"): [(START, True)] for device in devices
    }
    engine, step = town.engine, 0
    while town.clock.now() < START + YEAR:
        now, step = town.clock.now(), step + 1
        items = []
        for device, place in devices.items():
            if luck.random() < STAYS:
                items.append(
                    Batch(
                        device,
                        {device: device.replace("dev", "shp")},
                        to_ms(now),
                        None,
                        list(enumerate(stroll(place, str(step), luck))),
                        [],
                    )
                )
            if luck.random() < STOPS:
                turn(town, device, said[device.replace("dev", "shp")], now)
        for answer in [engine.submit(batch) for batch in items]:
            assert answer.result(timeout=30).rejected == []
        engine.plan.catch_up(now)
        engine.follow_ups.run(now)
        engine.deliver.drain()
        engine.deliver.expire(now)
        town.clock.advance(STEP)
        engine.jobs.tick("close_visits", now)
    return said


def turn(town: Town, device: str, said: list[tuple[datetime, bool]], now: datetime) -> None:
    """Says STOP, or yes after it."""
    granted = not said[-1][1]
    said.append((now, granted))

    def work(records: Records) -> None:
        row = records.devices.device(device)
        assert row is not None
        consent(records, row, now, granted=granted)

    town.engine.database.write(work)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, dict[str, Any]]]:
    town = open_town(tmp_path_factory.mktemp("year"), now=START)
    furnish(town)
    devices = move_in(town)
    said = live(town, devices, Random(7))
    places = {device.replace("dev", "shp"): place for device, place in devices.items()}
    yield town, {"said": said, "places": places}
    town.engine.stop()


def sent(town: Town) -> list[tuple[str, datetime, str, str]]:
    """Shopper, instant, offer and decision of every message that left."""
    rows = town.rows(
        "SELECT messages.shopper_id, attempts.at, messages.offer_id, messages.decision_id FROM attempts"
        " JOIN messages ON messages.id = message_id WHERE outcome = 'accepted'"
    )
    return [(shopper_id, from_ms(at), offer, decision) for shopper_id, at, offer, decision in rows]


def test_enough_was_sent_at_every_place_by_every_offer(year: tuple[Town, dict[str, Any]]) -> None:
    town, lived = year
    found = sent(town)
    assert {lived["places"][shopper_id] for shopper_id, *_ in found} == set(PLACES)
    assert {offer for _, _, offer, _ in found} == {"passing", "thanks", "weekly"}
    assert len(found) > 500


def test_nothing_left_outside_the_hours_of_the_law(year: tuple[Town, dict[str, Any]]) -> None:
    town, lived = year
    for shopper_id, at, offer, _ in sent(town):
        place = lived["places"][shopper_id]
        local = at.astimezone(ZoneInfo(place.zone))
        assert place.opens <= local.time() < place.closes, (place.zone, local, offer)
        assert local.weekday() < place.days, (place.zone, local, offer)
        if not place.on_holidays:
            assert local.date() not in public_holidays(place.country, local.year), (place.zone, local, offer)


def public_holidays(country: str, year: int) -> holidays.HolidayBase:
    if country in ("GP", "RE", "PF"):
        return holidays.country_holidays("FR", subdiv=country, years=year)
    return holidays.country_holidays(country, years=year)


def test_no_sliding_window_holds_more_than_its_limit(year: tuple[Town, dict[str, Any]]) -> None:
    town, _ = year
    decided: dict[str, list[datetime]] = defaultdict(list)
    thanked: dict[str, list[datetime]] = defaultdict(list)
    for row in town.decisions():
        if row.outcome != "suppressed":
            decided[row.shopper_id].append(row.decided_at)
            if row.offer_id == "thanks":
                thanked[row.shopper_id].append(row.decided_at)
    for instants in decided.values():
        for most, days in ((1, 1), (2, 7), (6, 30)):
            assert_at_most(sorted(instants), most, timedelta(days=days))
    for instants in thanked.values():
        assert_at_most(sorted(instants), 1, timedelta(days=20))


def assert_at_most(instants: list[datetime], most: int, window: timedelta) -> None:
    for first, next_one in zip(instants, instants[most:], strict=False):
        assert next_one - first >= window


def test_nothing_left_after_stop(year: tuple[Town, dict[str, Any]]) -> None:
    town, lived = year
    assert sum(len(turns) > 1 for turns in lived["said"].values()) > len(PLACES)
    for shopper_id, at, *_ in sent(town):
        turns = [*lived["said"][shopper_id], (datetime.max.replace(tzinfo=UTC), False)]
        granted = next(yes for (since, yes), (until, _) in pairwise(turns) if since <= at < until)
        assert granted, (shopper_id, at)


def test_nothing_left_to_who_is_held_out(year: tuple[Town, dict[str, Any]]) -> None:
    town, lived = year
    ((salt,),) = town.rows("SELECT salt FROM campaigns WHERE id = 'year'")
    held_out = {
        shopper_id
        for shopper_id in lived["places"]
        if int.from_bytes(sha256(f"{salt}|year|{shopper_id}".encode()).digest()[:8], "big") % 10_000 < 3_000
    }
    assert held_out
    assert held_out.isdisjoint(shopper_id for shopper_id, *_ in sent(town))
    ghosts = {row.shopper_id for row in town.decisions() if row.outcome == "ghost"}
    assert ghosts == held_out
