"""Do the commands that keep house do it: dead letters listed, replayed and dropped, what is too old gone?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from m2s.app.dead_letters import letter_of, letters_of
from m2s.app.ports import Records
from m2s.app.rows import DeadLetterRow, DeviceRow, MessageRow
from m2s.app.sighting import Batch, Location
from m2s.bootstrap import build_engine, open_database
from m2s.core.base.instants import to_ms
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.server import Server
from tests.entry.cli.conftest import Shell

HERE: dict[str, Any] = {"latitude": 48.85341, "longitude": 2.3487, "accuracy_m": 5.0}


def letter(name: str) -> DeadLetterRow:
    now = datetime.now(UTC)
    sighting = Location(id=name, age_ms=0, **HERE)
    batch = Batch("dev_ann", {"dev_ann": "shp_ann"}, to_ms(now), None, [(0, sighting)], [])
    return letters_of(batch, KeyError("x"), at=now)[0]


def message(name: str, valid_for: timedelta) -> MessageRow:
    """A message that its provider could not take."""
    now = datetime.now(UTC)
    return MessageRow(
        id=f"msg_{name}",
        decision_id=f"dec_{name}",
        shopper_id="shp_ann",
        device_id="dev_ann",
        campaign_id="c",
        offer_id="o",
        store_id="s",
        channel="push",
        title=None,
        body="Still warm",
        state="dead_letter",
        reason="too_large",
        not_before=now,
        valid_until=now + valid_for,
        created_at=now,
        tries=0,
        fence=1,
    )


GOOD, BAD, OTHER = (letter(name).id for name in ("good", "lone \ud800", "other"))
PUSH, OVER = (
    letter_of(message(name, timedelta(0)), None, cause="", at=datetime.now(UTC)).id
    for name in ("good", "over")
)


@pytest.fixture
def kept(shop: Shell) -> Shell:
    """A shop with a device, three letters, and sightings of today and of eight days ago."""
    now = datetime.now(UTC)
    device = DeviceRow("dev_ann", "shp_ann", None, None, None, None, {}, now)
    received_ms = [to_ms(now - timedelta(days=age)) for age in (8, 8, 0)]

    def keep(records: Records) -> None:
        records.devices.add_device(device, token_hash=b"1")
        for row in (letter("good"), letter("lone \ud800"), letter("other")):
            records.dead_letters.keep(row, most=10)
        for sent in (message("good", timedelta(hours=1)), message("over", timedelta(0))):
            records.messages.add([sent])
            records.dead_letters.keep(letter_of(sent, None, cause="too_large: 413", at=now), most=10)
        records.sightings.add_sightings(
            [
                ("dev_ann", f"s{number}", at_ms, at_ms, 48.8, 2.3, 5.0, 0)
                for number, at_ms in enumerate(received_ms)
            ]
        )

    with open_database(load_settings()) as database:
        database.write(keep)
    return shop


@pytest.fixture(params=["alone", "beside a server"])
def house(kept: Shell, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """The shop, without a server and with one."""
    if request.param == "alone":
        yield kept
        return
    server = Server(build_engine(load_settings()), heartbeat=False)
    server.start()
    yield kept
    server.stop()


def listed(shell: Shell) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(shell.run("dead-letters", "list", "--json").stdout)[
        "dead_letters"
    ]
    return found


def test_the_list_has_the_cause_and_for_programs_the_sighting(house: Shell) -> None:
    table = house.run("dead-letters", "list").stdout
    assert re.search(rf"{GOOD} +sighting +dev_ann +\S+Z +1 +KeyError: 'x'", table)
    assert "48.85341" not in table
    first = listed(house)[0]
    assert (first["dead_letter_id"], first["tries"]) == (GOOD, 1)
    assert first["sighting"]["latitude"] == HERE["latitude"]  # type: ignore[index]


def test_a_replayed_letter_is_a_sighting_and_no_letter_any_more(house: Shell) -> None:
    assert house.run("dead-letters", "replay", GOOD).stdout == f"{GOOD}: accepted\n"
    assert json.loads(house.run("dead-letters", "replay", OTHER, "--json").stdout) == {
        "dead_letter_id": OTHER,
        "verdict": "accepted",
        "detail": None,
    }
    assert [one["dead_letter_id"] for one in listed(house)] == [BAD, PUSH, OVER]
    with open_database(load_settings(), read_only=True).read() as records:
        kept = [name for _, names in records.sightings.recent_ids(0) for name in names]
        assert kept == ["other", "good", "s2", "s1", "s0"]


def test_a_letter_that_fails_again_says_why_and_stays(house: Shell) -> None:
    refused = house.run("dead-letters", "replay", BAD, code=1)
    told = refused.stderr.splitlines()[-1]
    assert told.startswith(f"m2s: {BAD} could not be processed again: UnicodeEncodeError")
    assert [one["tries"] for one in listed(house)] == [1, 2, 1, 1, 1]


def test_a_message_is_listed_and_planned_again_while_it_is_valid(house: Shell) -> None:
    table = house.run("dead-letters", "list").stdout
    assert re.search(rf"{PUSH} +message +dev_ann +\S+Z +1 +too_large: 413", table)
    told = {one["dead_letter_id"]: one for one in listed(house)}[PUSH]
    assert told["message"]["message_id"] == "msg_good"  # type: ignore[index]
    assert house.run("dead-letters", "replay", PUSH).stdout == f"{PUSH}: planned\n"
    with open_database(load_settings(), read_only=True).read() as records:
        assert [row.state for row in records.messages.of_decisions(["dec_good"]).values()] == ["planned"]
    refused = house.run("dead-letters", "replay", OVER, code=1).stderr
    assert f"drop it with `m2s dead-letters drop {OVER}`" in refused


def test_a_dropped_letter_is_gone(house: Shell) -> None:
    assert house.run("dead-letters", "drop", BAD).stdout == f"{BAD} is dropped\n"
    assert [one["dead_letter_id"] for one in listed(house)] == [GOOD, OTHER, PUSH, OVER]
    assert f"there is no dead letter '{BAD}'" in house.run("dead-letters", "drop", BAD, code=1).stderr


def test_retention_drops_what_is_too_old_and_says_how_much(house: Shell) -> None:
    assert house.run("retention", "run").stdout == (
        "dropped 2 sightings, 0 of evidence, 0 dead letters, 0 research events\n"
    )
    again = json.loads(house.run("retention", "run", "--json").stdout)
    assert again == {"sightings": 0, "evidence": 0, "dead_letters": 0, "research": 0}
    with open_database(load_settings(), read_only=True).read() as records:
        assert [name for _, names in records.sightings.recent_ids(0) for name in names] == ["s2"]
