"""Is a webhook signed as the standard demands, and is every answer and silence read for what it means?"""

from __future__ import annotations

import base64
import hmac
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from m2s.adapters.channels.webhook import WebhookChannel, WebhookOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, Unknown
from m2s.core.base.errors import Invalid
from tests.adapters.channels.receiver import RESET, SECRET, SILENT, TRICKLE, Receiver, receiving
from tests.adapters.channels.rows import ADDRESS, COUPON, MESSAGE
from tests.data import read_text

Opened = Callable[..., WebhookChannel]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def channel(wire: Wire) -> Opened:
    """Makes a channel to an address, with the published secret where no other is given."""

    def opened(url: str, secret: str = SECRET) -> WebhookChannel:
        return WebhookChannel(WebhookOptions(url=url, secret=secret), wire=wire, clock=SystemClock())

    return opened


def test_a_message_arrives_signed_under_its_own_id_with_its_coupon(
    receiver: Receiver, channel: Opened
) -> None:
    assert channel(receiver.url).send(MESSAGE, ADDRESS, COUPON) == Accepted("msg_1")
    assert receiver.ids == ["msg_1"]
    (sent,) = receiver.verified
    assert sent["type"] == "message.send"
    assert sent["data"] == {
        "message_id": "msg_1",
        "decision_id": "dec_1",
        "shopper_id": "shp_1",
        "device_id": "dev_1",
        "campaign_id": "morning",
        "offer_id": "warm",
        "store_id": "port",
        "title": MESSAGE.title,
        "body": MESSAGE.body,
        "valid_until": "2026-11-03T09:45:00.000Z",
        "coupon": {
            "code": "UF4V-WK7F-P2QG",
            "value": "1.00",
            "min_basket": "5.00",
            "currency": "EUR",
            "expires_at": "2026-11-03T11:00:00.000Z",
        },
    }


def test_neither_the_push_token_nor_the_phone_leaves(receiver: Receiver, channel: Opened) -> None:
    channel(receiver.url).send(MESSAGE, ADDRESS, None)
    text = json.dumps(receiver.verified)
    assert "token" not in text
    assert "612345678" not in text


def test_the_receiver_would_notice_another_secret(receiver: Receiver, channel: Opened) -> None:
    other = "whsec_" + "A" * 32
    result = channel(receiver.url, other).send(MESSAGE, ADDRESS, None)
    assert isinstance(result, Unknown), "the receiver's handler broke off"
    assert receiver.verified == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Accepted("msg_1")),
        (202, Accepted("msg_1")),
        (410, Refused("gone", "status 410")),
        (400, Refused("rejected", "status 400")),
        (404, Refused("rejected", "status 404")),
        (401, Misconfigured("webhook", "status 401: the receiver does not take our signature")),
        (403, Misconfigured("webhook", "status 403: the receiver does not take our signature")),
        (429, RetryLater(0.0, "status 429")),
        (503, RetryLater(0.0, "status 503")),
        (500, Unknown("status 500")),
        (502, Unknown("status 502")),
    ],
)
def test_each_status_means_what_it_says(
    receiver: Receiver, status: int, expected: object, channel: Opened
) -> None:
    receiver.behaviour = status
    assert channel(receiver.url).send(MESSAGE, ADDRESS, None) == expected


def test_a_redirect_is_refused_and_not_followed(receiver: Receiver, channel: Opened) -> None:
    receiver.behaviour, receiver.headers = 307, {"location": receiver.url}
    result = channel(receiver.url).send(MESSAGE, ADDRESS, None)
    assert isinstance(result, Refused)
    assert result.code == "redirect"
    assert len(receiver.ids) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_kept(receiver: Receiver, status: int, channel: Opened) -> None:
    receiver.behaviour, receiver.headers = status, {"retry-after": "120"}
    assert channel(receiver.url).send(MESSAGE, ADDRESS, None) == RetryLater(120.0, f"status {status}")


def test_retry_after_as_a_date_is_kept(receiver: Receiver, channel: Opened) -> None:
    receiver.behaviour = 503
    receiver.headers = {"retry-after": format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)}
    result = channel(receiver.url).send(MESSAGE, ADDRESS, None)
    assert isinstance(result, RetryLater)
    assert 295 <= result.after_s <= 300


@pytest.mark.parametrize("text", ["soon", "-5", "Tue, 99 Foo 2026", "Mon, 02 Nov 2026 08:00:00 GMT", ""])
def test_a_retry_after_without_sense_or_in_the_past_counts_as_none(
    receiver: Receiver, text: str, channel: Opened
) -> None:
    receiver.behaviour, receiver.headers = 429, {"retry-after": text}
    assert channel(receiver.url).send(MESSAGE, ADDRESS, None) == RetryLater(0.0, "status 429")


def test_a_connection_reset_after_sending_is_unknown(receiver: Receiver, channel: Opened) -> None:
    receiver.behaviour = RESET
    result = channel(receiver.url).send(MESSAGE, ADDRESS, None)
    assert isinstance(result, Unknown)
    assert receiver.ids == ["msg_1"]


@pytest.mark.parametrize("behaviour", [SILENT, TRICKLE])
def test_no_whole_answer_after_sending_is_unknown_when_the_time_is_up(
    receiver: Receiver, behaviour: str
) -> None:
    receiver.behaviour = behaviour
    started = time.monotonic()
    impatient = Wire(loopback_only=True, limit_s=0.2)
    options = WebhookOptions(url=receiver.url, secret=SECRET)
    result = WebhookChannel(options, wire=impatient, clock=SystemClock()).send(MESSAGE, ADDRESS, None)
    assert isinstance(result, Unknown)
    assert time.monotonic() - started < 5
    assert receiver.ids == ["msg_1"]
    impatient.close()


def test_a_refused_connection_sent_nothing_and_is_tried_later(channel: Opened) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        result = channel(f"http://127.0.0.1:{port}/").send(MESSAGE, ADDRESS, None)
    assert isinstance(result, RetryLater)


@pytest.mark.parametrize("url", ["", "shop.example/hooks", "ftp://shop.example", "http://", "http://[::1"])
def test_an_address_that_is_not_http_is_refused(url: str, channel: Opened) -> None:
    with pytest.raises(Invalid, match="webhook url"):
        channel(url)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_é"],
)
def test_a_secret_that_is_short_or_malformed_is_refused_and_not_repeated(
    secret: str, channel: Opened
) -> None:
    with pytest.raises(Invalid) as caught:
        channel("http://127.0.0.1/", secret)
    assert "24 to 64" in caught.value.detail
    assert not secret.removeprefix("whsec_") or secret not in caught.value.detail


def signature(secret: str, message_id: str, *, timestamp: str, body: bytes) -> str:
    """The signature by the letter of the specification, without the library."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def test_the_signature_is_the_one_that_the_specification_describes(
    receiver: Receiver, channel: Opened
) -> None:
    published = [json.loads(line) for line in read_text("testcases/standard_webhooks.jsonl").splitlines()]
    (case,) = [case for case in published if case["op"] == "sign"]
    stamp, payload = str(case["timestamp"]), case["payload"].encode()
    assert signature(case["secret"], case["id"], timestamp=stamp, body=payload) == case["expected_signature"]
    channel(receiver.url).send(MESSAGE, ADDRESS, COUPON)
    ((headers, body),) = receiver.raw
    expected = signature(SECRET, "msg_1", timestamp=headers["webhook-timestamp"], body=body)
    assert headers["webhook-signature"] == expected


def test_the_receiver_of_these_tests_judges_as_the_published_cases_do(subtests: pytest.Subtests) -> None:
    published = [json.loads(line) for line in read_text("testcases/standard_webhooks.jsonl").splitlines()]
    for case in (case for case in published if case["op"] == "verify"):
        headers = dict(case["headers"])
        stamp = headers.get("webhook-timestamp", "")
        if shift := re.fullmatch(r"\{now([+-]\d+)?\}", stamp):
            stamp = headers["webhook-timestamp"] = str(int(time.time()) + int(shift[1] or 0))
        body, message_id = case["payload"], headers.get("webhook-id", "")
        valid = signature(SECRET, message_id, timestamp=stamp, body=body.encode())
        if "webhook-signature" in headers:
            headers["webhook-signature"] = headers["webhook-signature"].replace("{valid}", valid)
        fails = pytest.raises((WebhookVerificationError, ValueError))
        with subtests.test(case["case"]), nullcontext() if case["expected"] == "ok" else fails:
            Webhook(case["secret"]).verify(body, headers)
