"""Does Apple get what its specification asks for, and is each of its answers read as it is meant?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from m2s.adapters.channels.apns import ApnsChannel, ApnsOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.app.channel import Accepted, Address, Misconfigured, Refused, RetryLater, Unknown
from m2s.app.rows import MessageRow
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import Clock, from_ms
from tests.adapters.channels.rows import ADDRESS, COUPON
from tests.changed import replace
from tests.providers.apns import GONE_SINCE_MS
from tests.providers.keys import p256, pem, public_pem, rsa_2048
from tests.providers.running import Running, running

KEY = p256()
PHONE = replace(ADDRESS, push_token="ab" * 32)
CONFIG = {
    "tls": True,
    "key_id": "ABC123DEFG",
    "team_id": "DEF123GHIJ",
    "topic": "example.shop",
    "public_key": public_pem(KEY),
    "most_tokens": 1_000,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("apns", tmp_path_factory.mktemp("apns"), CONFIG) as provider:
        yield provider


@pytest.fixture
def provider(shared: Running) -> Running:
    (shared.folder / "ledger.jsonl").unlink(missing_ok=True)
    return shared


def channel(
    provider: Running, wire: Wire, tmp_path: Path, *, clock: Clock | None = None, **changes: Any
) -> ApnsChannel:
    file = tmp_path / "AuthKey.p8"
    file.write_text(changes.pop("key", pem(KEY)))
    told = {"key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "topic": "example.shop", **changes}
    options = ApnsOptions(key_file=file, base_url=provider.url, ca_file=provider.ca_file, **told)
    return ApnsChannel(options, wire=wire, clock=clock or SystemClock())


def test_a_push_arrives_whole_with_its_expiry_and_replaces_itself(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(message, PHONE, COUPON)
    (taken,) = provider.accepted()
    assert result == Accepted(taken["id"])
    assert UUID(taken["id"])
    headers = taken["headers"]
    assert taken["token"] == PHONE.push_token
    assert headers["apns-topic"] == "example.shop"
    assert headers["apns-push-type"] == "alert"
    assert headers["apns-collapse-id"] == message.id
    assert 0 <= int(headers["apns-expiration"]) - message.valid_until.timestamp() < 1
    assert taken["payload"]["aps"]["alert"] == {"title": message.title, "body": message.body}
    assert taken["payload"]["m2s"]["message_id"] == message.id
    assert taken["payload"]["m2s"]["coupon_code"] == COUPON.code
    assert provider.violations() == []


def test_the_same_message_has_the_same_id_whenever_it_is_sent(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    apns = channel(provider, wire, tmp_path)
    for sent in (message, message, replace(message, id="msg_2")):
        apns.send(sent, PHONE, None)
    first, second, other = (row["id"] for row in provider.accepted())
    assert first == second != other


def test_one_connection_and_one_token_serve_many_pushes(
    tmp_path: Path, wire: Wire, message: MessageRow
) -> None:
    with running("apns", tmp_path / "strict", {**CONFIG, "most_tokens": 1}) as strict:
        apns = channel(strict, wire, tmp_path)
        with ThreadPoolExecutor(8) as threads:
            made = threads.map(lambda n: apns.send(replace(message, id=f"msg_{n}"), PHONE, None), range(60))
            assert all(isinstance(result, Accepted) for result in made)
        assert {row["connection"] for row in strict.accepted()} == {1}
        assert len(strict.accepted()) == 60


def test_a_token_that_is_gone_is_given_up_if_it_was_registered_before_apple_noticed(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    gone = replace(PHONE, push_token="deadbeef" * 8)
    result = channel(provider, wire, tmp_path).send(message, gone, None)
    assert isinstance(result, Refused)
    assert result.code == "unregistered"
    assert result.token_invalid_before == from_ms(GONE_SINCE_MS)
    assert not result.dead_letter


def test_a_bad_token_is_given_up_only_where_the_environment_is_known_to_be_right(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    bad = replace(PHONE, push_token="bad0" * 16)
    apns = channel(provider, wire, tmp_path)
    first = apns.send(message, bad, None)
    assert isinstance(first, Refused)
    assert first.token_invalid_before is None
    assert "environment = 'production'" in first.detail
    apns.send(message, PHONE, None)
    before = datetime.now(UTC)
    second = apns.send(message, bad, None)
    assert isinstance(second, Refused)
    assert second.token_invalid_before is not None
    assert before <= second.token_invalid_before


@pytest.mark.parametrize("token", ["../../etc", "ab cd", "", "é" * 64])
def test_a_token_that_could_be_another_path_never_leaves(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, token: str
) -> None:
    result = channel(provider, wire, tmp_path).send(message, replace(PHONE, push_token=token), None)
    assert isinstance(result, Refused)
    assert provider.ledger() == []


def test_a_message_that_is_too_large_becomes_a_dead_letter(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(replace(message, body="x" * 4_096), PHONE, None)
    assert isinstance(result, Refused)
    assert result.dead_letter
    assert result.code == "PayloadTooLarge"


def test_any_other_400_becomes_a_dead_letter_and_the_token_stays(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path).send(replace(message, id="m" * 65), PHONE, None)
    assert result == Refused("BadCollapseId", "status 400: BadCollapseId", dead_letter=True)


@pytest.mark.parametrize("changes", [{"key_id": "OTHER"}, {"team_id": "OTHER"}, {"key": pem(p256())}])
def test_a_key_that_apple_refuses_stops_the_channel_after_one_more_try(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, changes: dict[str, str]
) -> None:
    result = channel(provider, wire, tmp_path, **changes).send(message, PHONE, None)
    assert result == Misconfigured("InvalidProviderToken", "status 403: InvalidProviderToken")
    assert provider.violations() == ["InvalidProviderToken"] * 2


def test_a_topic_that_is_not_ours_stops_the_channel(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    result = channel(provider, wire, tmp_path, topic="example.other").send(message, PHONE, None)
    assert isinstance(result, Misconfigured)


def test_a_token_that_apple_calls_expired_is_made_anew_and_tried_once(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    expired = {"do": "status", "status": 403, "body": {"reason": "ExpiredProviderToken"}}
    apns = channel(provider, wire, tmp_path)
    provider.order(expired)
    assert isinstance(apns.send(message, PHONE, None), Accepted)
    provider.order(expired)
    result = apns.send(message, PHONE, None)
    assert isinstance(result, Misconfigured), "a new token every minute would be refused for that"


def test_a_token_is_made_anew_between_20_and_60_minutes(
    tmp_path: Path, wire: Wire, message: MessageRow
) -> None:
    clock = SteppedClock(datetime.now(UTC) - timedelta(minutes=59))
    with running("apns", tmp_path / "strict", {**CONFIG, "most_tokens": 1}) as strict:
        apns = channel(strict, wire, tmp_path, clock=clock)
        assert isinstance(apns.send(message, PHONE, None), Accepted)
        clock.advance(timedelta(minutes=49))
        assert isinstance(apns.send(message, PHONE, None), Accepted)
        clock.advance(timedelta(minutes=2))
        result = apns.send(message, PHONE, None)
    assert result == Misconfigured("TooManyProviderTokenUpdates", "status 429: TooManyProviderTokenUpdates")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"status": 429}, RetryLater(900.0, "status 429: TooManyRequests", of_address=True)),
        ({"status": 500}, RetryLater(0.0, "status 500: InternalServerError")),
        ({"status": 503}, RetryLater(0.0, "status 503: ServiceUnavailable")),
        (
            {
                "status": 503,
                "headers": {"retry-after": "5"},
                "body": {"reason": "Shutdown"},
                "then": "goaway",
            },
            RetryLater(5.0, "status 503: Shutdown"),
        ),
    ],
)
def test_an_apple_that_cannot_now_is_asked_later_over_a_new_connection(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any, expected: RetryLater
) -> None:
    apns = channel(provider, wire, tmp_path)
    apns.send(message, PHONE, None)
    provider.order({"do": "status", **order})
    assert apns.send(message, PHONE, None) == expected
    assert isinstance(apns.send(message, PHONE, None), Accepted)
    first, second = provider.accepted()
    assert (first["connection"] == second["connection"]) == (order["status"] == 429)


@pytest.mark.parametrize("order", [{"do": "garbage", "status": 502}, {"do": "cut"}])
def test_no_answer_or_none_that_makes_sense_is_a_doubt(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any
) -> None:
    provider.order(order)
    assert isinstance(channel(provider, wire, tmp_path).send(message, PHONE, None), Unknown)


def test_silence_is_a_doubt_when_the_time_is_up_and_the_others_go_on(
    provider: Running, tmp_path: Path, message: MessageRow
) -> None:
    impatient = Wire(loopback_only=True, limit_s=2.0)
    apns = channel(provider, impatient, tmp_path)
    apns.send(message, PHONE, None)
    provider.order({"do": "silent"})
    started_at = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: apns.send(replace(message, id=f"m{n}"), PHONE, None), range(4)))
    assert time.monotonic() - started_at < 20
    assert sorted(type(result).__name__ for result in made) == ["Accepted"] * 3 + ["Unknown"]
    impatient.close()


@pytest.mark.parametrize("order", [{"do": "close"}, {"do": "goaway"}])
def test_a_kept_connection_that_was_closed_is_no_doubt(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow, order: Any
) -> None:
    apns = channel(provider, wire, tmp_path)
    provider.order(order)
    assert isinstance(apns.send(message, PHONE, None), Accepted)
    assert isinstance(apns.send(replace(message, id="msg_2"), PHONE, None), Accepted)
    assert len(provider.accepted()) == 2


def test_without_apple_nothing_was_sent(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    nobody = Running("https://127.0.0.1:9", provider.folder, provider.ca_file)
    assert isinstance(channel(nobody, wire, tmp_path).send(message, PHONE, None), RetryLater)


def test_a_shopper_without_a_token_is_refused(
    provider: Running, wire: Wire, tmp_path: Path, message: MessageRow
) -> None:
    nobody = Address(device_id=None, push_token=None, platform=None, phone=None)
    assert isinstance(channel(provider, wire, tmp_path).send(message, nobody, None), Refused)


def test_a_check_reaches_nobody_and_says_what_is_wrong(provider: Running, wire: Wire, tmp_path: Path) -> None:
    assert channel(provider, wire, tmp_path).check().well
    assert provider.accepted() == []
    for changes in ({"team_id": "OTHER"}, {"topic": "example.other"}):
        found = channel(provider, wire, tmp_path, **changes).check()
        assert not found.well
        assert found.advice


@pytest.mark.parametrize("key", ["", "none", pem(rsa_2048())])
def test_a_key_file_that_is_none_is_refused_by_name(
    provider: Running, wire: Wire, tmp_path: Path, key: str
) -> None:
    with pytest.raises(Invalid, match=r"channels\.apns\.key_file"):
        channel(provider, wire, tmp_path, key=key)
