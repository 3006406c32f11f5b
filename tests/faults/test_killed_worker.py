"""Is an SMS sent twice, a push under two names, or anything left for ever, when a delivery worker dies at work?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from m2s.app.ports import Records
from m2s.app.rows import ConsentRow
from m2s.core.delivery.message import State
from m2s.core.delivery.retry import DOUBT_LASTS, MOST_LOST
from tests.app.town import Town, fix, open_town
from tests.data import ROOT
from tests.faults.reckoning import check_integrity
from tests.faults.size import times
from tests.providers.keys import pem, public_pem, rsa_2048
from tests.providers.running import Running, running

KILLS = times(3, nightly=20)
AT_ONCE = 8
SHOPPERS = times(96, nightly=1_200)
"""Before its death a worker sends what it claims twice at most."""
CAMPAIGN = """
campaign: doors
name: Doors
stores: {all: true}
holdout: 0%
offers:
  - offer: welcome
    trigger: {enter: premises}
    channels: [push, sms]
    valid_for: 8h
    message:
      push: {body: {en: "Welcome to {store_name}"}}
      sms: {en: "{store_name}: welcome. STOP {stop_number}"}
"""
KEY = rsa_2048()
EMAIL = "m2s@shop.iam.gserviceaccount.com"


@dataclass
class Providers:
    """FCM and an SMS gateway, each in a process of its own with a ledger, and the settings that name them."""

    push: Running
    sms: Running
    channels: Path

    def accepted(self) -> dict[str, Counter[str]]:
        """How often each message was accepted, by channel; a push by its collapse key."""
        return {
            "push": Counter(row["message"]["android"]["collapse_key"] for row in self.push.accepted()),
            "sms": Counter(row["asked"]["ref"] for row in self.sms.accepted()),
        }


@dataclass(frozen=True)
class Kept:
    """A message as it is in the end."""

    id: str
    channel: str
    state: str
    reason: str | None
    lost: int
    doubted: bool


@contextmanager
def providers(folder: Path) -> Iterator[Providers]:
    with ExitStack() as stack:
        told = {"tls": True, "project_id": "shop", "key_id": "k1", "client_email": EMAIL}
        push = stack.enter_context(running("fcm", folder / "fcm", told | {"public_key": public_pem(KEY)}))
        sms = stack.enter_context(running("gateway", folder / "gateway", {"key": "s3cret"}))
        account = folder / "account.json"
        account.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "shop",
                    "private_key_id": "k1",
                    "private_key": pem(KEY),
                    "client_email": EMAIL,
                    "token_uri": f"{push.url}/token",
                }
            )
        )
        channels = folder / "channels.json"
        channels.write_text(
            json.dumps(
                {
                    "push": "fcm",
                    "sms": "gateway",
                    "fcm": {
                        "service_account_file": str(account),
                        "base_url": push.url,
                        "ca_file": str(push.ca_file),
                    },
                    "gateway": {
                        "url": f"{sms.url}/json",
                        "headers": {"x-api-key": "s3cret"},
                        "body": '{"to": "{phone}", "text": "{text}", "ref": "{message_id}"}',
                        "id": "messages.0.id",
                    },
                }
            )
        )
        yield Providers(push, sms, channels)


@pytest.mark.parametrize(
    "point", ["after_claim", "before_send", "after_send_before_mark", "after_commit_before_ack"]
)
def test_a_worker_that_dies_doubles_no_sms_and_leaves_nothing_for_ever(tmp_path: Path, point: str) -> None:
    rng = Random(point)
    town = open_town(tmp_path)
    try:
        plan(town)
    finally:
        town.engine.stop()
    with providers(tmp_path) as known:
        for _ in range(KILLS):
            nth = rng.randint(1, 2 if point == "after_claim" else 9)
            assert deliver(town, point, nth, channels=known.channels) == -9
            check_integrity(town.path)
        assert deliver(town, "none", 1, channels=known.channels) == 0
        assert deliver(town, "none", 1, channels=known.channels, later=DOUBT_LASTS + timedelta(hours=1)) == 0
        accepted = known.accepted()
        assert known.push.violations() + known.sms.violations() == []

    messages = [
        Kept(*row) for row in town.rows("SELECT id, channel, state, reason, lost, doubted FROM messages")
    ]
    assert Counter(one.channel for one in messages) == {"push": SHOPPERS // 2, "sms": SHOPPERS // 2}
    assert set(accepted["push"]) | set(accepted["sms"]) <= {one.id for one in messages}
    for one in messages:
        assert fits(one, accepted[one.channel][one.id]), (one, accepted[one.channel][one.id])
    letters = town.rows("SELECT body ->> 'message_id', cause FROM dead_letters")
    set_aside = {one.id for one in messages if one.state == State.DEAD_LETTER}
    assert sorted(letters) == sorted((name, "lost") for name in set_aside)
    doubted = {one.id for one in messages if one.doubted}
    doubled = sum(many - 1 for many in accepted["push"].values())
    lost = sum(accepted["sms"][one.id] == 0 for one in messages if one.channel == "sms")
    assert max(doubled, lost) <= sum(one.lost for one in messages) <= KILLS * AT_ONCE
    print(
        f"{KILLS} kills at {point}: of {SHOPPERS} messages {len(doubted)} in doubt;"
        f" {doubled} pushes accepted again, no SMS, and {lost} SMS not at all; {len(set_aside)} set aside"
    )
    assert doubted or point == "after_claim", "no kill met a call"
    if point == "after_send_before_mark":
        assert doubled + sum(accepted["sms"][name] for name in doubted) > 0, (
            "no kill came after an acceptance"
        )


def fits(one: Kept, many: int) -> bool:
    """Whether a message may stand where it stands when its provider has accepted it so many times."""
    if not one.doubted:
        return (one.state, one.lost, many) == (State.ACCEPTED, 0, 1)
    if one.channel == "sms":
        # Begun once, and never again.
        return (one.state, one.lost) == (State.UNKNOWN_FINAL, 1) and many <= 1
    # The phone shows a repeated push once, by its collapse key. Each lost worker had sent it once at most.
    if one.state == State.ACCEPTED:
        return 0 < many <= one.lost + 1
    return (one.state, one.reason) == (State.DEAD_LETTER, "lost") and many <= one.lost == MOST_LOST


def plan(town: Town) -> None:
    """Makes one message each for shoppers who come in, by push and by SMS in turn."""
    town.furnish(CAMPAIGN)
    for number in range(SHOPPERS):
        device_id = town.device(str(number))
        if number % 2:
            by_sms(town, device_id, f"shp_{number}", phone=f"+3361{number:07}")
        assert town.post(device_id, fix("1"), fix("2")).accepted == 2
    assert town.count("messages") == SHOPPERS


def by_sms(town: Town, device_id: str, shopper_id: str, *, phone: str) -> None:
    """Lets a shopper be reached by SMS only."""
    now = town.clock.now()
    said = [
        ConsentRow("marketing", "push", False, "v1", now),
        ConsentRow("marketing", "sms", True, "v1", now),
    ]

    def work(records: Records) -> None:
        device = records.devices.device(device_id)
        assert device is not None
        records.devices.set_phone(shopper_id, phone, country="FR")
        records.devices.add_consents(device, said, received_at=now)

    town.engine.database.write(work)


def deliver(town: Town, point: str, nth: int, *, channels: Path, later: timedelta = timedelta(0)) -> int:
    """The exit code of a worker that dies at a point; -9 when it came to it."""
    now = (town.clock.now() + later).isoformat()
    script = ["-m", "tests.faults.killed", "deliver", str(town.path), point, str(nth), str(channels), now]
    return subprocess.run(
        [sys.executable, *script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
        stdout=subprocess.DEVNULL,
    ).returncode
