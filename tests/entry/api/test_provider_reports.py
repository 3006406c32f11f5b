"""Do an SMS and its receipts go to a provider and back? Over connections, the provider in a process of its own."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from m2s.adapters.channels.smpp_callbacks import heard
from m2s.adapters.channels.smpp_pdu import Delivery
from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.storage.migrate import upgrade
from m2s.app.callbacks import Heard, Reply
from m2s.app.ports import Records
from m2s.app.rows import DeviceRow, MessageRow
from m2s.bootstrap import Engine, World, build_engine
from m2s.entry.cli.server import Server, bound, url_of
from m2s.settings import ChannelSettings, Settings
from tests.entry.api.wiring import MORNING
from tests.providers.running import Running, running

CENTRE = {"system_id": "m2s", "password": "s3cret", "sender": "SHOP"}
ACCOUNT = {"account_sid": "AC0123", "auth_token": "s3cret"}
SENDER = "+33937000000"
PHONE = "+33612345678"


@contextmanager
def serving(folder: Path, listener: socket, channels: Mapping[str, Any]) -> Iterator[Engine]:
    """A service that sends by a provider, and listens on a port."""
    database_url = f"sqlite:///{folder / 'm2s.sqlite3'}"
    upgrade(database_url)
    clock = SteppedClock(MORNING)
    settings = Settings(database_url=database_url, channels=ChannelSettings.model_validate(channels))
    engine = build_engine(settings, world=World(clock, SeededIds(clock, seed=1), io.StringIO()))
    server = Server(engine, listener=listener, heartbeat=False)
    server.start()
    try:
        yield engine
    finally:
        server.stop()


@contextmanager
def by_twilio(folder: Path, provider: Running) -> Iterator[Engine]:
    """Reported to on the port of the service."""
    listener = bound("127.0.0.1", 0)
    callback = f"{url_of(listener)}/v1/callbacks/twilio"
    twilio = {**ACCOUNT, "sender": SENDER, "base_url": provider.url, "status_callback": callback}
    with serving(folder, listener, {"sms": "twilio", "twilio": twilio}) as engine:
        yield engine


@contextmanager
def by_smpp(folder: Path, provider: Running) -> Iterator[Engine]:
    """Reported to on the session that the service has bound."""
    smpp = {**CENTRE, "host": "127.0.0.1", "port": int(provider.url.rsplit(":", 1)[1])}
    with serving(folder, bound("127.0.0.1", 0), {"sms": "smpp", "smpp": smpp}) as engine:
        yield engine


def planned(engine: Engine) -> None:
    """An answer waits to be sent to a shopper: what needs no campaign."""
    now = engine.clock.now()
    row = DeviceRow("dev_anna", "shp_anna", "ios", None, "fr", "Europe/Paris", {}, now)
    message = MessageRow(
        id="msg_1",
        decision_id="msg_1",
        shopper_id=row.shopper_id,
        device_id=None,
        campaign_id="",
        offer_id="",
        store_id="",
        channel="sms",
        title=None,
        body="Ouvert jusqu'à 19:30.",
        state="planned",
        reason=None,
        not_before=now,
        valid_until=now + timedelta(hours=1),
        created_at=now,
        tries=0,
        fence=0,
    )

    def work(records: Records) -> None:
        records.devices.add_device(row, token_hash=b"anna")
        records.devices.set_phone(row.shopper_id, PHONE, country="FR")
        records.messages.add([message])

    engine.database.write(work)


def state(engine: Engine) -> str:
    with engine.database.read() as records:
        return records.messages.of_decisions(["msg_1"])["msg_1"].state


def answers(provider: Running, number: int) -> list[Any]:
    """How each report was answered, once all are."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = [row["answer"] for row in provider.ledger() if row["kind"] == "receipt"]
        if len(found) == number:
            return found
        time.sleep(0.02)
    raise AssertionError("the provider has not reported all")


@pytest.mark.parametrize(
    ("reports", "end"),
    [
        (["queued", "sent", "delivered"], "delivered"),
        (["delivered", "delivered", "sent", "undelivered", "queued"], "delivered"),
        (["undelivered", "sent", "undelivered"], "undelivered"),
        (["sent", "queued"], "accepted"),
    ],
)
def test_what_the_provider_reports_is_what_the_message_comes_to(
    tmp_path: Path, reports: list[str], end: str
) -> None:
    config = {**ACCOUNT, "from": SENDER, "receipts": reports}
    with running("twilio", tmp_path / "twilio", config) as provider, by_twilio(tmp_path, provider) as engine:
        planned(engine)
        assert engine.deliver.drain() == 1
        assert answers(provider, len(reports)) == [204] * len(reports)
        assert state(engine) == end
        assert provider.violations() == []


def test_receipts_of_an_sms_centre_come_on_its_session(tmp_path: Path) -> None:
    config = {**CENTRE, "scheme": "smpp", "receipts": ["ENROUTE", "DELIVRD", "UNDELIV"]}
    with running("smpp", tmp_path / "smpp", config) as centre, by_smpp(tmp_path, centre) as engine:
        planned(engine)
        assert engine.deliver.drain() == 1
        assert answers(centre, 3) == [0, 0, 0]
        assert state(engine) == "delivered"


def test_what_an_sms_centre_delivers_again_is_answered_once(tmp_path: Path) -> None:
    config = {**CENTRE, "scheme": "smpp", "written": ["HORAIRES", "HORAIRES", "AIDE", "HORAIRES"]}
    with running("smpp", tmp_path / "smpp", config) as centre, by_smpp(tmp_path, centre) as engine:
        planned(engine)
        engine.deliver.drain()
        assert answers(centre, 4) == [0, 0, 0, 0]
        with engine.database.read() as records:
            told = records.messages.of_shopper("shp_anna", engine.clock.now())
        assert sorted(row.body[:10] for row in told) == ["Nous ne sa", "Ouvert jus", "Répondez S"]


def test_what_a_centre_adds_to_a_message_tells_it_from_the_same_words_again() -> None:
    first, second = (Delivery("336", "HORAIRES", tags={0x0204: bytes([0, n])}) for n in (1, 2))
    assert heard(first) == heard(first)
    assert heard(first) != heard(second)


def test_what_shoppers_write_to_an_sms_centre_is_heard() -> None:
    told = Reply(None, "+33612345678", "STOP")
    assert heard(Delivery("33612345678", "STOP")) == Heard(replies=(told,))
    assert heard(Delivery("+33612345678", "STOP")) == Heard(replies=(told,))
    assert heard(Delivery("33612345678", "stat:DELIVRD", state="DELIVRD")) == Heard()
