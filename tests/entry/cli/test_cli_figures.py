"""`m2s report` and `m2s explain`, on a stay and two decisions of one shopper."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m2s.app.devices import Devices
from m2s.app.rows import DecisionRow, VisitRow
from m2s.bootstrap import World, open_desk
from m2s.entry.cli.configuration import load_settings
from tests.entry.cli.conftest import Shell

LATE = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
"""Half past midnight of November 3 in Paris, where the store is."""

TRACE = [
    {"name": "fresh", "passed": True, "value": 60, "limit": 300},
    {"name": "store_open", "passed": False, "value": "closed", "limit": 0},
]


@pytest.fixture
def device(shop: Shell) -> str:
    """The device of a shopper who stayed ten minutes and was refused an offer twice, ten minutes apart."""
    world = World.real()
    with open_desk(load_settings(shop.folder / "m2s.toml"), read_only=False) as desk:
        devices = Devices(desk.database, world.ids, clock=world.clock, changed=desk.access.forget_device)
        device_id = devices.register({}, key_id="k").device_id
        with desk.database.read() as records:
            known = records.devices.device(device_id)
        assert known is not None
        shopper = known.shopper_id
        visit = VisitRow(
            id="v1",
            shopper_id=shopper,
            store_id="example-bakery",
            start_at=LATE,
            end_at=LATE + timedelta(minutes=10),
            dwell_s=600,
            kind="visit",
            confidence="high",
            status="final",
            sources="location",
            replaces=None,
            rule_version="visits-1",
        )
        decisions = [_decision(number, shopper, device_id) for number in range(2)]

        def put(records: object) -> None:
            records.sightings.put_visits([visit])  # type: ignore[attr-defined]
            records.decisions.add(decisions)  # type: ignore[attr-defined]

        desk.database.write(put)
    return device_id


def _decision(number: int, shopper: str, device_id: str) -> DecisionRow:
    at = LATE + timedelta(minutes=10 * number)
    return DecisionRow(
        id=f"d{number}",
        occasion_key=f"o{number}",
        campaign_id="welcome",
        offer_id="at-the-door",
        offer_version="1",
        shopper_id=shopper,
        device_id=device_id,
        store_id="example-bakery",
        trigger="enter",
        outcome="suppressed",
        reason="store_open",
        channel=None,
        trace=TRACE,
        at=at,
        decided_at=at,
        valid_until=at + timedelta(minutes=30),
    )


@pytest.mark.usefixtures("device")
def test_days_are_those_of_the_store(shop: Shell) -> None:
    rows = json.loads(shop.run("report", "visits", "--json").stdout)["rows"]
    assert [(row["day"], row["visits"], row["suppressed"]) for row in rows] == [
        ("2026-11-03", 1, {"store_open": 2})
    ]

    def visits(*days: str) -> int:
        rows = json.loads(shop.run("report", "stores", *days, "--format", "json").stdout)["rows"]
        return sum(row["visits"] for row in rows)

    assert visits("--from", "2026-11-03", "--to", "2026-11-03") == 1
    assert visits("--to", "2026-11-02") == 0
    assert visits("--from", "2026-11-04") == 0


@pytest.mark.usefixtures("device")
def test_a_report_for_a_spreadsheet_goes_to_a_file(shop: Shell) -> None:
    told = shop.run("report", "visits", "--format", "csv", "--out", "visits.csv").stdout
    assert told == "visits.csv is written\n"
    with Path("visits.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["store_id"], row["visits"], row["suppressed"]) == ("example-bakery", "1", "store_open=2")
    assert "cannot be written" in shop.run("report", "visits", "--out", "no/where.csv", code=1).stderr


@pytest.mark.usefixtures("device")
def test_a_report_for_people_is_a_table_with_its_date(shop: Shell) -> None:
    told = shop.run("report", "stores").stdout
    assert "Example Bakery" in told
    assert "store_open=2" in told
    assert told.splitlines()[-1].startswith("as of 20")


def test_a_report_of_something_that_is_not_there_is_refused(shop: Shell) -> None:
    shop.run("report", "visits", "--store", "nowhere", code=1)
    shop.run("report", "visits", "--campaign", "nowhere", code=1)
    shop.run("report", "weather", code=2)


@pytest.mark.parametrize("day", ["9999-12-31", "2101-01-01", "1999-12-31", "0001-01-01"])
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_day_out_of_all_reach_is_refused_by_name(shop: Shell, option: str, day: str) -> None:
    told = shop.run("report", "visits", option, day, code=2).stderr
    assert option in told
    assert "2000 to 2100" in told


def test_the_last_day_in_reach_is_taken(shop: Shell) -> None:
    assert shop.run("report", "visits", "--from", "2000-01-01", "--to", "2100-12-31").stdout


def test_decisions_are_explained_newest_first_in_the_time_of_the_store(shop: Shell, device: str) -> None:
    newest, oldest = shop.run("explain", "--device", device).stdout.strip().split("\n\n")
    assert newest.splitlines()[:2] == [
        "2026-11-03 00:40:00+01:00  welcome/at-the-door at example-bakery (d1)",
        "  No message was sent.",
    ]
    assert "(d0)" in oldest
    assert oldest.splitlines()[-1].startswith("  - The store was closed")


def test_what_was_decided_later_is_left_out(shop: Shell, device: str) -> None:
    told = json.loads(shop.run("explain", "--device", device, "--at", LATE.isoformat(), "--json").stdout)
    (decision,) = told["decisions"]
    assert decision["decision_id"] == "d0"
    assert decision["trace"] == TRACE
    assert decision["sentences"][0] == "No message was sent."
    shop.run("explain", "--device", device, "--at", "2026-11-03 00:30", code=2)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_a_time_out_of_all_reach_is_refused(shop: Shell, at: str) -> None:
    assert "--at" in shop.run("explain", "--shopper", "shp_1", "--at", at, code=2).stderr


def test_no_decision_is_explained_too(shop: Shell, device: str) -> None:
    assert shop.run("campaigns", "apply", _second_offer()).stdout == "welcome: changed\n"
    told = shop.run("explain", "--device", device, "--offer", "at-the-till").stdout
    assert told.startswith("No decision is kept for this")
    shop.run("explain", "--shopper", "nobody", code=1)


def test_an_offer_that_does_not_exist_is_told_with_those_that_do(shop: Shell, device: str) -> None:
    shop.run("campaigns", "stop", "welcome")
    told = shop.run("explain", "--device", device, "--offer", "nope", code=1).stderr
    assert told == "m2s: there is no offer 'nope'; there are: at-the-door\n"


def _second_offer() -> str:
    """The campaign of the example with a second offer."""
    file = Path("campaigns/welcome.yaml")
    text = file.read_text(encoding="utf-8")
    offer = text[text.index("  - offer:") :]
    file.write_text(text + offer.replace("at-the-door", "at-the-till"), encoding="utf-8")
    return str(file)
