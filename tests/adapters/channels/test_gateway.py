"""Can the settings describe a gateway that nobody knew, and is each of its answers read as they say?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from m2s.adapters.channels.gateway import GatewayChannel, GatewayOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.rows import MessageRow
from m2s.core.base.errors import Invalid
from tests.adapters.channels.rows import ADDRESS
from tests.changed import replace
from tests.providers.running import Running, running

TEXT = 'Léa & "Bob" <1 €>\n{phone} 100 % + \\ 😀'
JSON = (
    '{"to": "{phone}", "text": "{text}", "ref": "{message_id}", "from": "{sender}", '
    '"ttl": {valid_s}, "until": "{valid_until}"}'
)
WAYS: dict[str, dict[str, Any]] = {
    "json": {"url": "/json", "format": "json", "body": JSON, "id": "messages.0.id"},
    "form": {
        "url": "/form",
        "format": "form",
        "body": "to={phone}&text={text}&ref={message_id}",
        "id": "messages.0.id",
    },
    "xml": {
        "url": "/xml",
        "format": "xml",
        "body": "<sms><to>{phone}</to><text>{text}</text><ref>{message_id}</ref></sms>",
        "id": "messages.0.id",
    },
    "plain": {
        "url": "/plain?to={phone}&text={text}&ref={message_id}",
        "method": "GET",
        "id_pattern": r"^OK id=(\S+)",
    },
}
MEANINGS = {"error": "error.code", "opted_out": ["STOP"], "bad_number": ["NUMBER"], "busy": ["BUSY"]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("gateway", tmp_path_factory.mktemp("gateway"), {"key": "s3cret"}) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


@pytest.fixture
def sms(message: MessageRow) -> MessageRow:
    return replace(message, channel="sms", title=None, body=TEXT)


def channel(provider: Running, wire: Wire, way: str = "json", **changes: Any) -> GatewayChannel:
    told = {"headers": {"X-Api-Key": "s3cret"}, **WAYS[way], **MEANINGS, **changes}
    options = GatewayOptions(**{**told, "url": provider.url + told["url"]})
    return GatewayChannel(options, wire=wire, clock=SystemClock())


@pytest.mark.parametrize("way", WAYS)
def test_every_sign_of_a_text_arrives_in_every_format(
    provider: Running, wire: Wire, sms: MessageRow, way: str
) -> None:
    result = channel(provider, wire, way).send(sms, ADDRESS, None)
    (taken,) = provider.accepted()
    assert taken["asked"]["to"] == ADDRESS.phone
    assert taken["asked"]["text"] == TEXT
    assert taken["asked"]["ref"] == sms.id
    assert result == Accepted(sms.id if way == "plain" else f"gw-{sms.id}")


def test_how_long_it_is_valid_can_be_said(provider: Running, wire: Wire, sms: MessageRow) -> None:
    channel(provider, wire, sender="SHOP").send(sms, ADDRESS, None)
    (taken,) = provider.accepted()
    assert taken["asked"]["from"] == "SHOP"
    assert 2690 <= taken["asked"]["ttl"] <= 2700
    assert taken["asked"]["until"] == sms.valid_until.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    assert taken["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+33612340610", Refused("opted_out", "status 200: code STOP", opted_out=True)),
        ("+33612340614", Refused("bad_number", "status 200: code NUMBER")),
        ("+33612340500", RetryLater(0.0, "status 200: code BUSY")),
    ],
)
def test_codes_mean_what_the_settings_say_whatever_the_status(
    provider: Running, wire: Wire, sms: MessageRow, phone: str, expected: SendResult
) -> None:
    assert channel(provider, wire).send(sms, replace(ADDRESS, phone=phone), None) == expected


def test_a_code_that_is_in_no_list_is_a_refusal_for_a_person_to_look_at(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire, opted_out=[]).send(sms, replace(ADDRESS, phone="+33612340610"), None)
    assert result == Refused("rejected", "status 200: code STOP", dead_letter=True)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"status": 429, "headers": {"retry-after": "3"}}, RetryLater(3.0, "status 429: code E429")),
        ({"status": 503}, RetryLater(0.0, "status 503: code E503")),
        ({"status": 500}, Unknown("status 500: code E500")),
        ({"status": 400}, Refused("rejected", "status 400: code E400", dead_letter=True)),
        ({"status": 403}, Misconfigured("status_403", "status 403: code E403")),
    ],
)
def test_without_a_known_code_the_status_decides(
    provider: Running, wire: Wire, sms: MessageRow, order: Any, expected: SendResult
) -> None:
    provider.order({"do": "status", **order})
    assert channel(provider, wire).send(sms, ADDRESS, None) == expected


@pytest.mark.parametrize(
    "order", [{"do": "cut"}, {"do": "reset"}, {"do": "garbage"}, {"do": "garbage", "status": 502}]
)
def test_no_answer_or_none_that_makes_sense_is_a_doubt(
    provider: Running, wire: Wire, sms: MessageRow, order: Any
) -> None:
    provider.order(order)
    assert isinstance(channel(provider, wire).send(sms, ADDRESS, None), Unknown)


def test_a_gateway_without_ids_accepts_by_its_status(provider: Running, wire: Wire, sms: MessageRow) -> None:
    assert channel(provider, wire, id=None).send(sms, ADDRESS, None) == Accepted(sms.id)


def test_wrong_credentials_stop_the_channel_and_are_not_repeated(
    provider: Running, wire: Wire, sms: MessageRow
) -> None:
    result = channel(provider, wire, headers={"x-api-key": "wr0ng"}).send(sms, ADDRESS, None)
    assert result == Misconfigured("status_401", "status 401: code AUTH")


def test_without_a_gateway_nothing_was_sent(provider: Running, wire: Wire, sms: MessageRow) -> None:
    nobody = Running("http://127.0.0.1:9", provider.folder, None)
    assert isinstance(channel(nobody, wire).send(sms, ADDRESS, None), RetryLater)
    assert not channel(nobody, wire).check().well


def test_a_shopper_without_a_number_is_refused(provider: Running, wire: Wire, sms: MessageRow) -> None:
    assert isinstance(channel(provider, wire).send(sms, replace(ADDRESS, phone=None), None), Refused)


def test_a_check_only_connects(provider: Running, wire: Wire) -> None:
    assert channel(provider, wire).check().well
    assert provider.ledger() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"body": "{telephone}"}, r"no placeholder \{telephone\}; there are: sender, phone, "),
        ({"url": "https://sms.example/{who}"}, r"no placeholder \{who\}"),
        ({"id_pattern": "("}, "no regular expression"),
        ({"id_pattern": "id"}, "one pair of parentheses"),
    ],
)
def test_a_description_that_cannot_work_says_what_would(changes: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GatewayOptions(**{"url": "https://sms.example/send", **changes})


def test_a_placeholder_cannot_choose_the_host(wire: Wire) -> None:
    with pytest.raises(Invalid, match="path and query only"):
        GatewayChannel(GatewayOptions(url="http://{phone}.example/"), wire=wire, clock=SystemClock())
