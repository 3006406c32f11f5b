"""Does an SMS centre get what SMPP 3.4 asks for, and is each of its answers read as it is meant?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from smpplib.gsm import GSM_CHARACTER_TABLE, gsm_encode

from campaigns.sms import length
from m2s.adapters.channels.smpp import SmppChannel, SmppOptions
from m2s.adapters.channels.smpp_pdu import Delivery, delivery, encoded, relative
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.rows import MessageRow
from m2s.core.base.errors import Invalid
from tests.adapters.channels.rows import ADDRESS
from tests.changed import replace
from tests.providers.running import Running, running

ACCOUNT = {"system_id": "m2s", "password": "s3cret", "sender": "SHOP"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("smpp", tmp_path_factory.mktemp("smpp"), {**ACCOUNT, "scheme": "smpp"}) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


@pytest.fixture
def sms(message: MessageRow) -> MessageRow:
    return replace(message, channel="sms", title=None, body="Encore chaud !")


def channel(provider: Running, wire: Wire, *, hear: Any = None, **changes: Any) -> SmppChannel:
    told = {**ACCOUNT, "port": int(provider.url.rsplit(":", 1)[1]), "opted_out": [0x041A], **changes}
    return SmppChannel(SmppOptions(host="127.0.0.1", **told), wire=wire, clock=SystemClock(), hear=hear)


def test_an_sms_arrives_whole_and_is_dropped_when_it_is_no_longer_valid(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire).send(sms, ADDRESS, None)
    (taken,) = provider.accepted()
    assert result == Accepted(taken["id"])
    assert taken["to"] == "33612345678"
    assert taken["text"] == sms.body
    assert taken["valid_for"] in ("000000004459000R", "000000004500000R")
    assert taken["receipt"] == 0
    assert provider.violations() == []


@pytest.mark.parametrize(
    ("text", "by_payload"),
    [
        ("à" * 160, False),
        ("à" * 161, True),
        ("€" * 80, False),
        ("€" * 81, True),
        ("ê" * 70, False),
        ("ê" * 71, True),
        ("😀" * 35, False),
        ("L’été à 1 € : {[~]} @£$ ÄÖÑÜ§¿ \\ ^ |", False),
        ("", False),
    ],
)
def test_every_sign_arrives_and_a_long_text_is_for_the_centre_to_divide(
    provider: Running, wire: Wire, sms: MessageRow, text: str, by_payload: bool
) -> None:
    assert isinstance(channel(provider, wire).send(replace(sms, body=text), ADDRESS, None), Accepted)
    (taken,) = provider.accepted()
    assert taken["text"] == text
    assert taken["by_payload"] == (by_payload or not text)
    assert provider.violations() == []


def test_the_alphabet_is_that_of_the_library_but_for_its_gap_and_that_of_the_campaigns() -> None:
    signs = {sign for sign in GSM_CHARACTER_TABLE if sign not in "`\x1b"}
    for sign in signs:
        assert encoded(sign) == (0, gsm_encode(sign), True)
    assert encoded("§") == (0, b"\x5f", True)
    for code in range(0x20, 0x3000):
        is_gsm = length(chr(code)).encoding == "GSM-7"
        assert (encoded(chr(code))[0] == 0) == is_gsm


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "000000000001000R"),
        (timedelta(minutes=45), "000000004500000R"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), "000002030405000R"),
        (timedelta(days=90), "000030000000000R"),
    ],
)
def test_a_span_is_written_as_the_specification_says(span: timedelta, text: str) -> None:
    assert relative(span) == text


@pytest.mark.parametrize(("sender", "kind"), [("SHOP", [5, 0]), ("36180", [3, 0]), ("+33937000001", [1, 1])])
def test_each_kind_of_sender_is_told_apart(
    tmp_path: Path, wire: Wire, sms: MessageRow, sender: str, kind: list[int]
) -> None:
    with running(
        "smpp", tmp_path, {**ACCOUNT, "sender": sender.removeprefix("+"), "scheme": "smpp"}
    ) as centre:
        assert isinstance(channel(centre, wire, sender=sender).send(sms, ADDRESS, None), Accepted)
        assert centre.accepted()[0]["sender_type"] == kind


def test_one_session_serves_many_at_once(provider: Running, wire: Wire, sms: MessageRow) -> None:
    smpp = channel(provider, wire)
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda n: smpp.send(replace(sms, body=f"n {n}"), ADDRESS, None), range(60)))
    by_id = {row["id"]: row["text"] for row in provider.accepted()}
    assert len(by_id) == 60
    for n, result in enumerate(made):
        assert isinstance(result, Accepted)
        assert by_id[result.provider_id] == f"n {n}", "each answer belongs to its own request"
    assert len({row["connection"] for row in provider.accepted()}) == 1


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+33612340610", Refused("opted_out", "status 0x041a", opted_out=True)),
        ("+33612340614", Refused("bad_number", "status 0x000b")),
    ],
)
def test_a_number_that_cannot_be_reached_is_refused(
    provider: Running, wire: Wire, sms: MessageRow, phone: str, expected: Refused
) -> None:
    assert channel(provider, wire).send(sms, replace(ADDRESS, phone=phone), None) == expected
    assert isinstance(channel(provider, wire).send(sms, replace(ADDRESS, phone=None), None), Refused)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x58, RetryLater(0.0, "status 0x0058")),
        (0x14, RetryLater(0.0, "status 0x0014")),
        (0x08, RetryLater(0.0, "status 0x0008")),
        (0x0A, Misconfigured("smpp", "status 0x000a")),
        (0x01, Refused("rejected", "status 0x0001", dead_letter=True)),
    ],
)
def test_each_status_means_what_the_specification_says(
    provider: Running, wire: Wire, sms: MessageRow, status: int, expected: SendResult
) -> None:
    provider.order({"do": "status", "status": status})
    assert channel(provider, wire).send(sms, ADDRESS, None) == expected


@pytest.mark.parametrize("changes", [{"password": "no"}, {"system_id": "no"}, {"sender": "OTHER"}])
def test_what_only_an_operator_can_mend_stops_the_channel(
    provider: Running, wire: Wire, sms: MessageRow, changes: dict[str, str]
) -> None:
    assert isinstance(channel(provider, wire, **changes).send(sms, ADDRESS, None), Misconfigured)


@pytest.mark.parametrize("order", [{"do": "cut"}, {"do": "reset"}])
def test_no_answer_is_a_doubt_and_the_next_message_has_a_new_session(
    provider: Running, wire: Wire, sms: MessageRow, order: Any
) -> None:
    smpp = channel(provider, wire)
    provider.order(order)
    assert isinstance(smpp.send(sms, ADDRESS, None), Unknown)
    assert isinstance(smpp.send(replace(sms, body="next"), ADDRESS, None), Accepted)


def test_silence_is_a_doubt_when_the_time_is_up_and_the_others_go_on(
    provider: Running, sms: MessageRow
) -> None:
    provider.order({"do": "silent"})
    impatient = Wire(loopback_only=True, limit_s=2.0)
    smpp = channel(provider, impatient)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: smpp.send(replace(sms, body=f"n {n}"), ADDRESS, None), range(4)))
    assert sorted(type(result).__name__ for result in made) == ["Accepted"] * 3 + ["Unknown"]
    impatient.close()


def test_a_kept_session_that_was_closed_is_no_doubt_and_sends_once(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    smpp = channel(provider, wire)
    provider.order({"do": "close"})
    for n in range(3):
        assert isinstance(smpp.send(replace(sms, body=f"n {n}"), ADDRESS, None), Accepted)
    sessions = [row["connection"] for row in provider.accepted()]
    assert len(sessions) == 3
    assert sessions[0] != sessions[1] == sessions[2]


def test_without_a_centre_nothing_was_sent(provider: Running, wire: Wire, sms: MessageRow) -> None:
    nobody = Running("smpp://127.0.0.1:9", provider.folder, None)
    assert isinstance(channel(nobody, wire).send(sms, ADDRESS, None), RetryLater)
    assert not channel(nobody, wire).check().well


def test_a_check_binds_and_sends_nothing(provider: Running, wire: Wire) -> None:
    assert channel(provider, wire).check().well
    assert not channel(provider, wire, password="no").check().well
    assert provider.ledger() == []


def test_receipts_are_asked_for_and_answered_only_when_somebody_has_heard_them(
    tmp_path: Path, wire: Wire, sms: MessageRow
) -> None:
    heard: list[Delivery] = []
    done = threading.Event()

    def hear(said: Delivery) -> None:
        heard.append(said)
        if len(heard) == 1:
            raise OSError("the disk is full")
        if len(heard) == 3:
            done.set()

    config = {**ACCOUNT, "scheme": "smpp", "receipts": ["ENROUTE", "DELIVRD", "DELIVRD"]}
    with running("smpp", tmp_path, config) as centre:
        result = channel(centre, wire, hear=hear).send(sms, ADDRESS, None)
        assert isinstance(result, Accepted)
        assert done.wait(5)
        wire.close()
        assert centre.accepted()[0]["receipt"] == 1
        answers = [row["answer"] for row in centre.ledger() if row["kind"] == "receipt"]
    assert {said.receipt_of for said in heard} == {result.provider_id}
    assert sorted(said.state or "" for said in heard) == ["DELIVRD", "DELIVRD", "ENROUTE"]
    assert sorted(answers) == [0, 0, 0x64]


def test_what_a_shopper_writes_is_told_from_a_receipt() -> None:
    body = b"\0\1\1" + b"33612345678\0" + b"\3\0" + b"36180\0" + bytes([0, 0, 0]) + b"\0\0"
    body += bytes([0, 0, 0, 0, 4]) + b"STOP"
    assert delivery(body) == Delivery("33612345678", "STOP")
    for end in range(len(body)):
        with pytest.raises(ValueError, match="breaks off"):
            delivery(body[:end])


def test_outside_of_production_no_centre_far_away_can_be_reached(wire: Wire) -> None:
    with pytest.raises(Invalid, match='mode = "production"'):
        SmppChannel(SmppOptions(host="smsc.example", **ACCOUNT), wire=wire, clock=SystemClock())


def test_an_expired_message_has_a_second(provider: Running, wire: Wire, sms: MessageRow) -> None:
    channel(provider, wire).send(replace(sms, valid_until=datetime.now(UTC)), ADDRESS, None)
    assert provider.accepted()[0]["valid_for"] == "000000000001000R"
