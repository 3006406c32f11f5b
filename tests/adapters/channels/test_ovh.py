"""Does OVHcloud get what its specification asks for, and is each of its answers read as it is meant?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.channels.ovh import OvhChannel, OvhOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.app.channel import Accepted, Finder, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.rows import MessageRow
from m2s.core.base.instants import Clock
from tests.adapters.channels.rows import ADDRESS
from tests.changed import replace
from tests.providers.running import Running, running

KEYS = {
    "application_key": "ak",
    "application_secret": "as3cret",
    "consumer_key": "ck",
    "service_name": "sms-x1-1",
}
CONFIG = {**KEYS, "senders": ["SHOP"]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("ovh", tmp_path_factory.mktemp("ovh"), CONFIG) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


@pytest.fixture
def sms(message: MessageRow) -> MessageRow:
    return replace(message, channel="sms", title=None)


def channel(provider: Running, wire: Wire, *, clock: Clock | None = None, **changes: Any) -> OvhChannel:
    told = {**KEYS, "sender": "SHOP", "base_url": f"{provider.url}/1.0", **changes}
    return OvhChannel(OvhOptions(**told), wire=wire, clock=clock or SystemClock())


def test_an_sms_arrives_whole_signed_and_is_dropped_when_it_is_no_longer_valid(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire).send(sms, ADDRESS, None)
    (taken,) = provider.accepted()
    assert result == Accepted(taken["id"])
    assert taken["job"] == {
        "message": sms.body,
        "receivers": [ADDRESS.phone],
        "tag": sms.id,
        "validityPeriod": 45,
        "noStopClause": False,
        "priority": "high",
        "charset": "UTF-8",
        "sender": "SHOP",
    }
    assert provider.violations() == []


@pytest.mark.parametrize(
    ("span", "minutes"), [(timedelta(0), 1), (timedelta(seconds=61), 2), (timedelta(days=9), 2880)]
)
def test_the_validity_stays_within_what_ovh_takes(
    provider: Running, wire: Wire, sms: MessageRow, span: timedelta, minutes: int
) -> None:
    channel(provider, wire).send(replace(sms, valid_until=datetime.now(UTC) + span), ADDRESS, None)
    assert provider.accepted()[0]["job"]["validityPeriod"] in (minutes, max(1, minutes - 1))
    assert provider.violations() == []


def test_without_a_sender_shoppers_can_answer(provider: Running, wire: Wire, sms: MessageRow) -> None:
    assert isinstance(channel(provider, wire, sender=None).send(sms, ADDRESS, None), Accepted)
    assert provider.accepted()[0]["job"]["senderForResponse"] is True


def test_signatures_are_of_the_providers_time_and_it_is_asked_once(
    tmp_path: Path, wire: Wire, sms: MessageRow
) -> None:
    with running("ovh", tmp_path, {**CONFIG, "clock_ahead_s": 7_200}) as ahead:
        ovh = channel(ahead, wire)
        for _ in range(3):
            assert isinstance(ovh.send(sms, ADDRESS, None), Accepted)
        assert [row["kind"] for row in ahead.ledger()] == ["time", *["accepted"] * 3]


def test_a_clock_that_was_set_is_noticed_and_the_message_leaves_once(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    clock = SteppedClock(datetime.now(UTC))
    ovh = channel(provider, wire, clock=clock)
    ovh.send(sms, ADDRESS, None)
    clock.advance(timedelta(minutes=10))
    assert isinstance(ovh.send(sms, ADDRESS, None), Accepted)
    assert provider.violations() == ["out of time"]
    assert len(provider.accepted()) == 2


@pytest.mark.parametrize("phone", ["+33612340614", "0612345678"])
def test_a_number_that_is_none_is_refused(provider: Running, wire: Wire, sms: MessageRow, phone: str) -> None:
    result = channel(provider, wire).send(sms, replace(ADDRESS, phone=phone), None)
    assert result == Refused("bad_number", "status 200: invalid receiver")


def test_a_shopper_without_a_number_is_refused(provider: Running, wire: Wire, sms: MessageRow) -> None:
    assert isinstance(channel(provider, wire).send(sms, replace(ADDRESS, phone=None), None), Refused)


def test_a_message_that_ovh_does_not_take_becomes_a_dead_letter(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire).send(replace(sms, body=""), ADDRESS, None)
    assert isinstance(result, Refused)
    assert result.dead_letter


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"application_key": "no"}, "invalid_key"),
        ({"consumer_key": "no"}, "invalid_credential"),
        ({"service_name": "no"}, "status_404"),
        ({"sender": "OTHER"}, "status_403"),
    ],
)
def test_what_only_an_operator_can_mend_stops_the_channel(
    provider: Running, wire: Wire, sms: MessageRow, changes: dict[str, str], code: str
) -> None:
    result = channel(provider, wire, **changes).send(sms, ADDRESS, None)
    assert isinstance(result, Misconfigured)
    assert result.code == code
    assert provider.accepted() == []


def test_a_wrong_secret_stops_the_channel(provider: Running, wire: Wire, sms: MessageRow) -> None:
    result = channel(provider, wire, application_secret="no").send(sms, ADDRESS, None)
    assert result == Misconfigured("invalid_signature", "status 400: INVALID_SIGNATURE")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (
            {"status": 429, "headers": {"retry-after": "3"}},
            RetryLater(3.0, "status 429: Client::TooManyRequests"),
        ),
        ({"status": 503}, RetryLater(0.0, "status 503: Server::InternalServerError")),
        ({"status": 500}, Unknown("status 500: Server::InternalServerError")),
        (
            {"status": 402, "body": {"message": "Not enough credits"}},
            Misconfigured("status_402", "status 402: no code"),
        ),
    ],
)
def test_only_what_cannot_have_been_taken_is_tried_again(
    provider: Running, wire: Wire, sms: MessageRow, order: Any, expected: SendResult
) -> None:
    provider.order({"do": "status", **order})
    assert channel(provider, wire).send(sms, ADDRESS, None) == expected


@pytest.mark.parametrize("order", [{"do": "cut"}, {"do": "reset"}, {"do": "garbage"}])
def test_no_answer_or_none_that_makes_sense_is_a_doubt(
    provider: Running, wire: Wire, sms: MessageRow, order: Any
) -> None:
    provider.order(order)
    assert isinstance(channel(provider, wire).send(sms, ADDRESS, None), Unknown)


def test_without_ovh_nothing_was_sent(provider: Running, wire: Wire, sms: MessageRow) -> None:
    nobody = Running("http://127.0.0.1:9", provider.folder, None)
    assert isinstance(channel(nobody, wire).send(sms, ADDRESS, None), RetryLater)


def test_what_became_of_a_message_in_doubt_can_be_asked(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    ovh = channel(provider, wire)
    assert isinstance(ovh, Finder)
    doubted = replace(sms, id="msg_doubt")
    assert ovh.find(doubted, ADDRESS) is None
    provider.order({"do": "cut"})
    assert isinstance(ovh.send(doubted, ADDRESS, None), Unknown)
    assert ovh.find(doubted, ADDRESS) == Accepted(provider.accepted()[0]["id"])
    with pytest.raises(LookupError):
        channel(provider, wire, consumer_key="no").find(doubted, ADDRESS)


def test_a_check_reads_the_account(provider: Running, wire: Wire) -> None:
    found = channel(provider, wire).check()
    assert found.well
    assert found.said == "98.5 credits are left"
    broken = channel(provider, wire, application_secret="no").check()
    assert not broken.well
    assert "INVALID_SIGNATURE" in broken.said


def test_a_check_says_that_nothing_is_left_to_send_with(tmp_path: Path, wire: Wire) -> None:
    with running("ovh", tmp_path, {**CONFIG, "credits": 0}) as empty:
        found = channel(empty, wire).check()
    assert not found.well
    assert found.advice == "buy credits"
