"""Is an event posted whole, signed, and nowhere but where it may go? Against a receiver in another process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from m2s.adapters.channels.outward import LookUp, OutwardPost
from m2s.adapters.runtime.clock import SystemClock
from m2s.core.delivery.outward import Outward
from tests.data import read_text
from tests.providers.running import Running, running

LOOPBACK = Outward((ip_network("127.0.0.0/8"),))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
BODY = '{"type":"visit.started","data":{"name":"Épicerie"}}'


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("receiver", tmp_path_factory.mktemp("receiver"), {}) as found:
        yield found


@pytest.fixture
def post() -> Iterator[OutwardPost]:
    made = OutwardPost(LOOPBACK, clock=SystemClock())
    yield made
    made.stop()


def leads_to(*answers: Sequence[str]) -> LookUp:
    """A name that leads elsewhere with each look; the last answer stays."""
    waiting = list(answers)

    async def look_up(host: str, port: int) -> Sequence[str]:
        del host, port
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return look_up


def sent(post: OutwardPost, url: str, *, event_id: str = "evt_1", secrets: Sequence[str] = (SECRET,)) -> Any:
    return post.post(url, secrets=secrets, event_id=event_id, body=BODY)


def verified(secret: str, row: dict[str, Any]) -> Any:
    return Webhook(secret).verify(row["body"], row["headers"])


def test_an_event_arrives_as_it_was_written_and_its_signature_is_good(
    receiver: Running, post: OutwardPost
) -> None:
    said = sent(post, f"{receiver.url}/hooks?shop=1")
    assert (said.status, said.taken, said.detail) == (204, True, None)
    row = receiver.accepted()[-1]
    assert row["path"] == "/hooks?shop=1"
    assert row["headers"]["webhook-id"] == "evt_1"
    assert row["headers"]["content-type"] == "application/json"
    assert row["headers"]["host"] == receiver.url.removeprefix("http://")
    assert verified(SECRET, row) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        verified(OTHER, row)


def test_while_a_secret_is_rotated_both_are_good(receiver: Running, post: OutwardPost) -> None:
    sent(post, receiver.url, secrets=(OTHER, SECRET))
    row = receiver.accepted()[-1]
    assert verified(SECRET, row) == verified(OTHER, row) == json.loads(BODY)


def test_the_published_signature_is_made() -> None:
    cases = [json.loads(line) for line in read_text("testcases/standard_webhooks.jsonl").splitlines()]
    (case,) = (case for case in cases if case["op"] == "sign")
    at = datetime.fromtimestamp(case["timestamp"], UTC)
    assert Webhook(case["secret"]).sign(case["id"], at, case["payload"]) == case["expected_signature"]


def test_the_published_cases_of_verification_hold_for_what_is_sent(
    receiver: Running, post: OutwardPost
) -> None:
    cases = [json.loads(line) for line in read_text("testcases/standard_webhooks.jsonl").splitlines()]
    checked = 0
    for case in (case for case in cases if case["op"] == "verify"):
        secret, event_id = case["secret"], case["headers"].get("webhook-id", "evt_1")
        post.post(receiver.url, secrets=(secret,), event_id=event_id, body=case["payload"])
        ours = receiver.accepted()[-1]["headers"]
        now = datetime.fromtimestamp(int(ours["webhook-timestamp"]), UTC)
        known = {"{now}": ours["webhook-timestamp"], "{valid}": ours["webhook-signature"]}
        headers = dict(case["headers"])
        for name, value in headers.items():
            for mark, real in known.items():
                value = value.replace(mark, real)
            for seconds in (-301, 301):
                moved = now + timedelta(seconds=seconds)
                if value == f"{{now{seconds:+d}}}":
                    value = str(int(moved.timestamp()))
                    headers["webhook-signature"] = Webhook(secret).sign(event_id, moved, case["payload"])
            if name != "webhook-signature" or headers[name] == case["headers"][name]:
                headers[name] = value
        try:
            Webhook(secret).verify(case["payload"], headers)
            outcome = "ok"
        except (WebhookVerificationError, ValueError):
            outcome = "error"
        assert outcome == case["expected"], case["case"]
        checked += 1
    assert checked == 11


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Running, post: OutwardPost, status: int) -> None:
    before = len(receiver.accepted())
    receiver.order({"do": "status", "status": status, "headers": {"location": f"{receiver.url}/elsewhere"}})
    said = sent(post, receiver.url)
    assert (said.status, said.taken) == (status, False)
    assert "redirects are not followed" in said.detail
    assert len(receiver.accepted()) == before


def test_what_a_receiver_says_is_told_and_how_long_it_asks_to_wait(
    receiver: Running, post: OutwardPost
) -> None:
    receiver.order({"do": "status", "status": 503, "headers": {"retry-after": "120"}})
    said = sent(post, receiver.url)
    assert (said.status, said.detail, said.wait_s) == (503, '"as ordered"', 120.0)
    receiver.order({"do": "status", "status": 500, "headers": {"retry-after": "120"}})
    assert sent(post, receiver.url).wait_s == 0


@pytest.mark.parametrize("order", ["reset", "cut"])
def test_a_connection_that_breaks_is_no_success(receiver: Running, post: OutwardPost, order: str) -> None:
    receiver.order({"do": order})
    said = sent(post, receiver.url)
    assert said.status is None
    assert said.detail


def test_a_receiver_that_is_silent_is_not_waited_for(receiver: Running) -> None:
    post = OutwardPost(LOOPBACK, clock=SystemClock(), limit_s=0.5)
    try:
        receiver.order({"do": "silent"})
        began_s = time.monotonic()
        said = sent(post, receiver.url)
        assert (said.status, said.detail) == (None, "no whole answer in time")
        assert time.monotonic() - began_s < 5
    finally:
        post.stop()


def test_an_address_that_nobody_listens_at_is_no_success(post: OutwardPost) -> None:
    said = sent(post, "http://127.0.0.1:9")
    assert said.status is None
    assert "ConnectError" in said.detail


def test_a_name_that_leads_into_the_house_is_not_called(receiver: Running) -> None:
    before = len(receiver.ledger())
    for addresses in (
        ["127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
    ):
        post = OutwardPost(Outward(), clock=SystemClock(), look_up=leads_to(addresses))
        try:
            said = sent(post, "https://shop.example/hooks")
        finally:
            post.stop()
        assert said.status is None
        assert "not an address of the public internet" in said.detail
    assert len(receiver.ledger()) == before


def test_a_name_that_leads_elsewhere_with_every_look_is_looked_up_once_a_call(receiver: Running) -> None:
    port = int(receiver.url.rpartition(":")[2])
    # Were the name looked up again to connect, the second look would lead to the receiver.
    looks: list[str] = []

    async def alternating(host: str, port: int) -> Sequence[str]:
        del port
        looks.append(host)
        return ["127.0.0.2"] if len(looks) % 2 else ["127.0.0.1"]

    only = Outward((ip_network("127.0.0.1/32"),))
    post = OutwardPost(only, clock=SystemClock(), look_up=alternating)
    before = len(receiver.accepted())
    try:
        url = f"http://localhost:{port}/"
        assert sent(post, url).status is None
        assert len(receiver.accepted()) == before
        assert sent(post, url).status == 204
        assert sent(post, url).status is None, "a kept connection is no way around the look"
    finally:
        post.stop()
    assert looks == ["localhost"] * 3
    assert len(receiver.accepted()) == before + 1


def test_the_connection_goes_to_the_address_that_was_judged(receiver: Running) -> None:
    # The name leads to the receiver, the look to where nobody listens.
    post = OutwardPost(LOOPBACK, clock=SystemClock(), look_up=leads_to(["127.0.0.2"]))
    try:
        said = sent(post, f"http://localhost:{receiver.url.rpartition(':')[2]}/")
    finally:
        post.stop()
    assert said.status is None
    assert "ConnectError" in said.detail


def test_certificates_are_held_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running("receiver", tmp_path / "tls", {"tls": True}) as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(receiver.ca_file))
        port = int(receiver.url.rpartition(":")[2])
        own = Outward((ip_network("127.0.0.0/8"),), frozenset({port}))
        post = OutwardPost(own, clock=SystemClock(), look_up=leads_to(["127.0.0.1"]))
        try:
            assert sent(post, f"https://127.0.0.1:{port}/").status == 204
            wrong = sent(post, f"https://shop.example:{port}/")
        finally:
            post.stop()
        assert wrong.status is None
        assert "certificate" in wrong.detail.lower()
        assert len(receiver.accepted()) == 1
