"""Does a message come from a phone in a shop to the provider, and what the provider says back to the database?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m2s.app.ports import Records
from m2s.app.rows import ConsentRow, DeviceRow
from m2s.settings import ChannelSettings
from tests.adapters.channels.test_apns import CONFIG, KEY
from tests.app.town import MORNING, Town, campaign, fix, open_town
from tests.providers.keys import pem
from tests.providers.running import Running, running

GOOD, GONE = "ab" * 32, "deadbeef" * 8


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def apple(tmp_path: Path, held: ExitStack) -> Running:
    ahead_s = (MORNING - datetime.now(UTC)).total_seconds()
    return held.enter_context(running("apns", tmp_path / "apns", {**CONFIG, "clock_ahead_s": ahead_s}))


@pytest.fixture
def town(tmp_path: Path, apple: Running, held: ExitStack) -> Town:
    key_file = tmp_path / "AuthKey.p8"
    key_file.write_text(pem(KEY))
    options = {
        "key_file": str(key_file),
        "key_id": CONFIG["key_id"],
        "team_id": CONFIG["team_id"],
        "topic": CONFIG["topic"],
        "base_url": apple.url,
        "ca_file": str(apple.ca_file),
    }
    channels = ChannelSettings.model_validate({"push": {"ios": "apns"}, "sms": None, "apns": options})
    made = open_town(tmp_path, channels=channels)
    held.callback(lambda: made.engine.stop())
    made.furnish(campaign("morning", "warm: {enter: premises}"))
    return made


def device(town: Town, token: str) -> str:
    """An iPhone with this push token, with every consent."""
    now = town.clock.now()
    row = DeviceRow("dev_anna", "shp_anna", "ios", token, "en", "Europe/Monaco", {}, now)
    given = [ConsentRow("location", None, True, "v1", now), ConsentRow("marketing", "push", True, "v1", now)]

    def work(records: Records) -> None:
        records.devices.add_device(row, token_hash=b"anna")
        records.devices.add_consents(row, given, received_at=now)

    town.engine.database.write(work)
    return row.id


def test_a_push_arrives_once_with_its_end_and_is_accepted_under_apples_id(town: Town, apple: Running) -> None:
    town.post(device(town, GOOD), fix("f1"))
    assert town.engine.deliver.drain() == 1
    (taken,) = apple.accepted()
    assert taken["token"] == GOOD
    ((state, valid_until_ms),) = town.rows("SELECT state, valid_until FROM messages")
    assert state == "accepted"
    expires = datetime.fromtimestamp(int(taken["headers"]["apns-expiration"]), UTC)
    assert 0 <= expires.timestamp() - valid_until_ms / 1000 < 1
    assert town.rows("SELECT outcome, provider_id FROM attempts") == [("accepted", taken["id"])]
    town.restart()
    assert town.engine.deliver.drain() == 0
    assert len(apple.accepted()) == 1
    assert apple.violations() == []


def test_a_token_that_apple_gave_up_before_it_was_registered_anew_stays(town: Town, apple: Running) -> None:
    town.post(device(town, GONE), fix("f1"))
    town.engine.deliver.drain()
    assert town.rows("SELECT state FROM messages") == [("refused",)]
    assert town.rows("SELECT push_token FROM devices") == [(GONE,)], "Apple's timestamp is older"
    assert apple.accepted() == []
