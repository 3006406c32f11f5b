"""Does FCM get what its specification asks for, and is each of its answers read as it is meant?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.channels.fcm import FcmChannel, FcmOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, Unknown
from m2s.app.rows import MessageRow
from m2s.core.base.errors import Invalid
from tests.adapters.channels.rows import ADDRESS, COUPON
from tests.changed import replace
from tests.providers.keys import p256, pem, public_pem, rsa_2048
from tests.providers.running import Running, running

EMAIL = "m2s@shop.iam.gserviceaccount.com"
KEY = rsa_2048()


def account(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": "k1",
        "private_key": pem(KEY),
        "client_email": EMAIL,
        "token_uri": f"{url}/token",
        **changes,
    }


def started(folder: Path, **config: Any) -> Any:
    told = {
        "tls": True,
        "project_id": "shop",
        "key_id": "k1",
        "client_email": EMAIL,
        "public_key": public_pem(KEY),
        **config,
    }
    return running("fcm", folder, told)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("fcm")) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


def channel(provider: Running, wire: Wire, tmp_path: Path, **changes: Any) -> FcmChannel:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account(provider.url, **changes)))
    options = FcmOptions(service_account_file=file, base_url=provider.url, ca_file=provider.ca_file)
    return FcmChannel(options, wire=wire, clock=SystemClock())


def test_a_push_arrives_whole_with_its_expiry_and_replaces_itself(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(message, ADDRESS, COUPON)
    (taken,) = provider.accepted()
    assert result == Accepted(taken["id"])
    sent = taken["message"]
    assert sent["token"] == "token"
    assert sent["notification"] == {"title": message.title, "body": message.body}
    assert sent["data"]["message_id"] == message.id
    assert sent["data"]["coupon_code"] == COUPON.code
    assert sent["android"]["collapse_key"] == sent["android"]["notification"]["tag"] == message.id
    assert sent["apns"]["headers"]["apns-collapse-id"] == message.id
    assert 2690 <= int(sent["android"]["ttl"][:-1]) <= 2700
    assert 0 <= int(sent["apns"]["headers"]["apns-expiration"]) - message.valid_until.timestamp() < 1
    assert provider.violations() == []


def test_one_token_and_one_connection_serve_many_pushes(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    fcm = channel(provider, wire, tmp_path)
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(lambda n: fcm.send(replace(message, id=f"msg_{n}"), ADDRESS, None), range(40))
        assert all(isinstance(result, Accepted) for result in made)
    assert [row["kind"] for row in provider.ledger()].count("token") == 1
    assert len({row["connection"] for row in provider.accepted()}) == 1
    assert len(provider.accepted()) == 40


@pytest.mark.parametrize(("days", "fresh"), [(29.9, True), (30.1, False)])
def test_a_token_that_its_phone_has_not_registered_for_a_month_is_not_used(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, days: float, fresh: bool
) -> None:
    address = replace(ADDRESS, push_token_at=datetime.now(UTC) - timedelta(days=days))
    result = channel(provider, wire, tmp_path).send(message, address, None)
    if fresh:
        assert isinstance(result, Accepted)
        return
    assert isinstance(result, Refused)
    assert (result.code, result.asked, result.token_invalid_before) == ("stale_token", False, None)
    assert provider.ledger() == []


def test_a_message_without_a_title_or_with_an_end_far_away_is_taken(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    far = replace(message, title=None, valid_until=datetime.now(UTC) + timedelta(days=60))
    assert isinstance(channel(provider, wire, tmp_path).send(far, ADDRESS, None), Accepted)
    (taken,) = provider.accepted()
    assert taken["message"]["android"]["ttl"] == "2419200s"
    assert taken["message"]["notification"] == {"body": message.body}


@pytest.mark.parametrize(
    ("token", "code"),
    [("gone-1", "unregistered"), ("bad-1", "bad_token"), ("bad-named", "bad_token")],
)
def test_a_dead_token_is_given_up_if_it_was_registered_before_the_call(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, token: str, code: str
) -> None:
    before = datetime.now(UTC)
    result = channel(provider, wire, tmp_path).send(message, replace(ADDRESS, push_token=token), None)
    assert isinstance(result, Refused)
    assert result.code == code
    assert result.token_invalid_before is not None
    assert before <= result.token_invalid_before <= datetime.now(UTC)
    assert not result.dead_letter
    assert token not in result.detail


def test_a_message_that_is_wrong_itself_becomes_a_dead_letter_and_the_token_stays(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(replace(message, body="é" * 3_000), ADDRESS, None)
    assert isinstance(result, Refused)
    assert result.dead_letter
    assert result.token_invalid_before is None
    assert provider.violations() == ["the message is too big"]


@pytest.mark.parametrize(
    ("token", "code"), [("foreign-1", "sender_id_mismatch"), ("apple-1", "third_party_auth_error")]
)
def test_what_only_an_operator_can_mend_stops_the_channel(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, token: str, code: str
) -> None:
    result = channel(provider, wire, tmp_path).send(message, replace(ADDRESS, push_token=token), None)
    assert isinstance(result, Misconfigured)
    assert result.code == code


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"status": 429}, RetryLater(0.0, "status 429: QUOTA_EXCEEDED", least_s=60.0)),
        (
            {"status": 429, "headers": {"retry-after": "90"}},
            RetryLater(90.0, "status 429: QUOTA_EXCEEDED", least_s=60.0),
        ),
        ({"status": 500}, RetryLater(0.0, "status 500: INTERNAL", least_s=1.0)),
        (
            {"status": 503, "headers": {"retry-after": "7"}},
            RetryLater(7.0, "status 503: UNAVAILABLE", least_s=1.0),
        ),
    ],
)
def test_a_provider_that_cannot_now_is_asked_later(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any, expected: RetryLater
) -> None:
    provider.order({"do": "status", **order})
    assert channel(provider, wire, tmp_path).send(message, ADDRESS, None) == expected


@pytest.mark.parametrize("order", [{"do": "garbage"}, {"do": "garbage", "status": 502}])
def test_an_answer_that_makes_no_sense_is_a_doubt(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any
) -> None:
    provider.order(order)
    assert isinstance(channel(provider, wire, tmp_path).send(message, ADDRESS, None), Unknown)


def test_a_push_that_was_taken_and_never_answered_is_a_doubt(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    provider.order({"do": "cut"})
    assert isinstance(channel(provider, wire, tmp_path).send(message, ADDRESS, None), Unknown)
    assert len(provider.accepted()) == 1


def test_silence_is_a_doubt_when_the_time_is_up_and_the_next_push_has_a_new_connection(
    provider: Running, tmp_path: Path, message: MessageRow
) -> None:
    provider.order({"do": "silent"})
    impatient = Wire(loopback_only=True, limit_s=2.0)
    fcm = channel(provider, impatient, tmp_path)
    started_at = time.monotonic()
    assert isinstance(fcm.send(message, ADDRESS, None), Unknown)
    assert time.monotonic() - started_at < 20
    assert isinstance(fcm.send(replace(message, id="msg_2"), ADDRESS, None), Accepted)
    first, second = provider.accepted()
    assert first["connection"] != second["connection"]
    impatient.close()


@pytest.mark.parametrize("order", [{"do": "close"}, {"do": "goaway"}])
def test_a_kept_connection_that_was_closed_is_no_doubt(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any
) -> None:
    fcm = channel(provider, wire, tmp_path)
    provider.order(order)
    assert isinstance(fcm.send(message, ADDRESS, None), Accepted)
    assert isinstance(fcm.send(replace(message, id="msg_2"), ADDRESS, None), Accepted)
    first, second = provider.accepted()
    assert first["connection"] != second["connection"]


def test_a_token_that_google_no_longer_takes_is_renewed_once(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    fcm = channel(provider, wire, tmp_path)
    provider.order({"do": "status", "status": 401})
    assert isinstance(fcm.send(message, ADDRESS, None), Accepted)
    assert [row["kind"] for row in provider.ledger()] == ["token", "token", "accepted"]
    provider.order({"do": "status", "status": 401}, {"do": "status", "status": 401})
    result = fcm.send(message, ADDRESS, None)
    assert isinstance(result, Misconfigured)
    assert result.code == "unauthenticated"


def test_a_token_is_renewed_before_its_end(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account(provider.url)))
    clock = SteppedClock(datetime.now(UTC) - timedelta(minutes=56))
    options = FcmOptions(service_account_file=file, base_url=provider.url, ca_file=provider.ca_file)
    fcm = FcmChannel(options, wire=wire, clock=clock)
    for minutes, tokens in [(0, 1), (50, 1), (6, 2)]:
        clock.advance(timedelta(minutes=minutes))
        fcm.send(message, ADDRESS, None)
        assert [row["kind"] for row in provider.ledger()].count("token") == tokens


@pytest.mark.parametrize(
    "changes", [{"private_key": pem(rsa_2048())}, {"client_email": "who@else"}, {"private_key_id": "k2"}]
)
def test_an_account_that_google_refuses_stops_the_channel_and_nothing_is_sent(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, changes: dict[str, str]
) -> None:
    result = channel(provider, wire, tmp_path, **changes).send(message, ADDRESS, None)
    assert isinstance(result, Misconfigured)
    assert result.code == "invalid_grant"
    assert provider.accepted() == []


def test_without_a_provider_nothing_was_sent(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    nobody = Running("https://127.0.0.1:9", provider.folder, provider.ca_file)
    assert isinstance(channel(nobody, wire, tmp_path).send(message, ADDRESS, None), RetryLater)


def test_a_server_with_another_certificate_gets_nothing(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    untrusted = Running(provider.url, provider.folder, None)
    assert isinstance(channel(untrusted, wire, tmp_path).send(message, ADDRESS, None), RetryLater)
    assert provider.ledger() == []


def test_a_shopper_without_a_token_is_refused(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(message, replace(ADDRESS, push_token=None), None)
    assert isinstance(result, Refused)
    assert result.code == "no_token"


def test_a_check_sends_nothing_and_says_what_is_wrong(provider: Running, wire: Wire, tmp_path: Path) -> None:
    assert channel(provider, wire, tmp_path).check().well
    assert provider.accepted() == []
    found = channel(provider, wire, tmp_path, private_key=pem(rsa_2048())).check()
    assert not found.well
    assert "invalid_grant" in found.said
    assert found.advice


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "has no project_id, private_key_id"),
        (json.dumps(account("https://127.0.0.1:9", private_key="none")), "holds no private key"),
        (json.dumps(account("https://127.0.0.1:9", private_key=pem(p256()))), "a key of another kind"),
    ],
)
def test_a_key_file_that_is_none_is_refused_by_name(
    wire: Wire, tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "account.json"
    if text is not None:
        file.write_text(text)
    options = FcmOptions(service_account_file=file, base_url="https://127.0.0.1:9")
    with pytest.raises(Invalid, match=said):
        FcmChannel(options, wire=wire, clock=SystemClock())
