"""Does Twilio get what its specification asks for, and is each of its answers read as it is meant?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from m2s.adapters.channels.twilio import TwilioChannel, TwilioOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Finder, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.rows import MessageRow
from tests.adapters.channels.rows import ADDRESS
from tests.changed import replace
from tests.providers.running import Running, running

ACCOUNT = {"account_sid": "AC0123", "auth_token": "s3cret"}
CONFIG = {**ACCOUNT, "from": "+33644600000"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("twilio", tmp_path_factory.mktemp("twilio"), CONFIG) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


@pytest.fixture
def sms(message: MessageRow) -> MessageRow:
    return replace(message, channel="sms", title=None, created_at=datetime.now(UTC))


def channel(provider: Running, wire: Wire, **changes: Any) -> TwilioChannel:
    told = {**ACCOUNT, "sender": CONFIG["from"], "base_url": provider.url, **changes}
    return TwilioChannel(TwilioOptions(**told), wire=wire, clock=SystemClock())


def sent_to(provider: Running, wire: Wire, sms: MessageRow, phone: str) -> SendResult:
    return channel(provider, wire).send(sms, replace(ADDRESS, phone=phone), None)


def test_an_sms_arrives_whole_and_is_dropped_when_it_is_no_longer_valid(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire, status_callback="https://shop.example/cb").send(sms, ADDRESS, None)
    (taken,) = provider.accepted()
    assert result == Accepted(taken["id"])
    form = taken["form"]
    assert form["To"] == ADDRESS.phone
    assert form["From"] == CONFIG["from"]
    assert form["Body"] == sms.body
    assert form["StatusCallback"] == "https://shop.example/cb"
    assert 2690 <= int(form["ValidityPeriod"]) <= 2700
    assert provider.violations() == []


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 1), (60 * 24, 36_000)])
def test_the_validity_stays_within_what_twilio_takes(
    provider: Running, wire: Wire, sms: MessageRow, minutes: int, seconds: int
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    channel(provider, wire).send(replace(sms, valid_until=until), ADDRESS, None)
    assert provider.accepted()[0]["form"]["ValidityPeriod"] == str(seconds)
    assert provider.violations() == []


def test_a_messaging_service_can_send(provider: Running, wire: Wire, sms: MessageRow) -> None:
    channel(provider, wire, sender=None, messaging_service_sid="MG1").send(sms, ADDRESS, None)
    assert provider.accepted()[0]["form"]["MessagingServiceSid"] == "MG1"


def test_how_many_parts_there_are_is_kept(provider: Running, wire: Wire, sms: MessageRow) -> None:
    result = channel(provider, wire).send(replace(sms, body="a" * 161), ADDRESS, None)
    assert isinstance(result, Accepted)
    assert result.parts == 2


def test_an_opposition_that_twilio_knows_becomes_ours(provider: Running, wire: Wire, sms: MessageRow) -> None:
    result = sent_to(provider, wire, sms, "+33612340610")
    assert result == Refused("opted_out", "status 400: code 21610", opted_out=True)


@pytest.mark.parametrize("phone", ["+33612340614", "0612345678", "+0"])
def test_a_number_that_is_none_is_refused(provider: Running, wire: Wire, sms: MessageRow, phone: str) -> None:
    result = sent_to(provider, wire, sms, phone)
    assert isinstance(result, Refused)
    assert result.code == "bad_number"
    assert not result.dead_letter
    assert not result.opted_out
    assert phone not in result.detail


def test_a_shopper_without_a_number_is_refused(provider: Running, wire: Wire, sms: MessageRow) -> None:
    assert isinstance(channel(provider, wire).send(sms, replace(ADDRESS, phone=None), None), Refused)


@pytest.mark.parametrize("body", ["", "x" * 1_601])
def test_a_text_that_twilio_does_not_take_becomes_a_dead_letter(
    provider: Running, wire: Wire, sms: MessageRow, body: str
) -> None:
    result = channel(provider, wire).send(replace(sms, body=body), ADDRESS, None)
    assert isinstance(result, Refused)
    assert result.dead_letter


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"auth_token": "no"}, "20003"),
        ({"account_sid": "AC9"}, "20003"),
        ({"sender": "+33600000001"}, "21606"),
    ],
)
def test_what_only_an_operator_can_mend_stops_the_channel(
    provider: Running, wire: Wire, sms: MessageRow, changes: dict[str, str], code: str
) -> None:
    result = channel(provider, wire, **changes).send(sms, ADDRESS, None)
    assert isinstance(result, Misconfigured)
    assert result.code == code
    assert "s3cret" not in result.detail


def test_a_short_code_that_cannot_reach_a_country_stops_nothing(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire, sender="36180").send(sms, ADDRESS, None)
    assert isinstance(result, Refused)
    assert result.code == "bad_number"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"status": 429, "headers": {"retry-after": "3"}}, RetryLater(3.0, "status 429: code 20429")),
        ({"status": 503}, RetryLater(0.0, "status 503: code 20503")),
        ({"status": 500}, Unknown("status 500: code 20500")),
        ({"status": 504}, Unknown("status 504: code 20504")),
    ],
)
def test_only_what_cannot_have_been_taken_is_tried_again(
    provider: Running, wire: Wire, sms: MessageRow, order: Any, expected: SendResult
) -> None:
    provider.order({"do": "status", **order})
    assert channel(provider, wire).send(sms, ADDRESS, None) == expected


@pytest.mark.parametrize("order", [{"do": "cut"}, {"do": "garbage"}, {"do": "garbage", "status": 201}])
def test_no_answer_or_none_that_makes_sense_is_a_doubt(
    provider: Running, wire: Wire, sms: MessageRow, order: Any
) -> None:
    provider.order(order)
    assert isinstance(channel(provider, wire).send(sms, ADDRESS, None), Unknown)
    assert len(provider.accepted()) <= 1


def test_a_reset_before_acceptance_looks_the_same_and_is_a_doubt_too(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    provider.order({"do": "reset"})
    assert isinstance(channel(provider, wire).send(sms, ADDRESS, None), Unknown)


def test_silence_is_a_doubt_when_the_time_is_up(provider: Running, sms: MessageRow) -> None:
    provider.order({"do": "silent"})
    impatient = Wire(loopback_only=True, limit_s=2.0)
    assert isinstance(channel(provider, impatient).send(sms, ADDRESS, None), Unknown)
    impatient.close()
    assert len(provider.accepted()) == 1


def test_a_kept_connection_that_was_closed_is_no_doubt_and_sends_once(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    twilio = channel(provider, wire)
    provider.order({"do": "close"})
    for _ in range(3):
        assert isinstance(twilio.send(sms, ADDRESS, None), Accepted)
    connections = [row["connection"] for row in provider.accepted()]
    assert connections[0] != connections[1] == connections[2]


def test_without_twilio_nothing_was_sent(provider: Running, wire: Wire, sms: MessageRow) -> None:
    nobody = Running("http://127.0.0.1:9", provider.folder, None)
    assert isinstance(channel(nobody, wire).send(sms, ADDRESS, None), RetryLater)


def test_what_became_of_a_message_in_doubt_can_be_asked(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    twilio = channel(provider, wire)
    assert isinstance(twilio, Finder)
    doubted = replace(sms, body="code 1")
    assert twilio.find(doubted, ADDRESS) is None
    provider.order({"do": "cut"})
    assert isinstance(twilio.send(doubted, ADDRESS, None), Unknown)
    (taken,) = provider.accepted()
    assert twilio.find(doubted, ADDRESS) == Accepted(taken["id"])
    assert twilio.find(replace(doubted, body="code 2"), ADDRESS) is None
    later = replace(doubted, created_at=datetime.now(UTC) + timedelta(minutes=1))
    assert twilio.find(later, ADDRESS) is None, "an older message with the same text is another"


def test_a_provider_that_does_not_list_says_nothing(provider: Running, wire: Wire, sms: MessageRow) -> None:
    with pytest.raises(LookupError):
        channel(provider, wire, auth_token="no").find(sms, ADDRESS)


def test_a_message_that_twilio_took_and_never_sent_is_found_refused(
    tmp_path: Path, wire: Wire, sms: MessageRow
) -> None:
    with running("twilio", tmp_path, {**CONFIG, "became": "failed"}) as provider:
        twilio = channel(provider, wire)
        twilio.send(sms, ADDRESS, None)
        found = twilio.find(sms, ADDRESS)
    assert isinstance(found, Refused)


def test_a_check_reads_the_account(provider: Running, wire: Wire) -> None:
    assert channel(provider, wire).check().well
    found = channel(provider, wire, auth_token="no").check()
    assert not found.well
    assert "20003" in found.said
    assert provider.accepted() == []


@pytest.mark.parametrize("changes", [{}, {"sender": "a", "messaging_service_sid": "b"}])
def test_there_is_exactly_one_sender(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="one of sender and messaging_service_sid"):
        TwilioOptions(**ACCOUNT, **changes)
