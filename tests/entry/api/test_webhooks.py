"""Can endpoints be made, changed, tried and looked into over HTTP, and is a secret shown once and never again?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.entry.api.wiring import CAMPAIGN, Service, running
from tests.providers.running import Running
from tests.providers.running import running as provider

URL = "https://shop.example/m2s"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    with provider("receiver", tmp_path / "receiver", {}) as found:
        yield found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, webhook_networks=["127.0.0.0/8"]) as found:
        yield found


def made(service: Service, url: str = URL, *events: str) -> dict[str, Any]:
    body = {"url": url, "events": list(events) or ["*"], "description": "the till"}
    answer = service.call("POST", "/v1/webhooks", "admin", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def deliveries(service: Service, hook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = service.call("GET", f"/v1/webhooks/{hook['webhook_id']}/deliveries{query}", "admin")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def test_a_secret_is_shown_when_it_is_made_and_never_again(service: Service) -> None:
    hook = made(service)
    secret = hook.pop("secret")
    assert secret.startswith("whsec_")
    path = f"/v1/webhooks/{hook['webhook_id']}"
    rotated = service.call("POST", f"{path}/rotate", "admin").json()
    assert rotated["secret"] not in (secret, "")
    assert rotated["old_secret_until"] == "2026-11-04T09:00:00.000Z"
    for answer in (service.call("GET", "/v1/webhooks", "admin"), service.call("GET", path, "admin")):
        assert secret.removeprefix("whsec_") not in answer.text
        assert rotated["secret"].removeprefix("whsec_") not in answer.text
    listed = service.call("GET", "/v1/webhooks", "admin").json()["webhooks"]
    assert listed == [{**hook, "old_secret_until": rotated["old_secret_until"]}]


def test_an_endpoint_is_changed_disabled_and_removed(service: Service) -> None:
    path = f"/v1/webhooks/{made(service)['webhook_id']}"
    changes = {"url": "https://other.example/", "events": ["visit.*"], "description": "", "active": False}
    changed = service.call("PATCH", path, "admin", json=changes).json()
    assert {name: changed[name] for name in changes} == changes
    assert changed["reason"] == "somebody disabled it"
    assert service.call("PATCH", path, "admin", json={"active": True}).json()["reason"] is None
    assert service.call("GET", path, "admin").json()["events"] == ["visit.*"]
    assert service.call("DELETE", path, "admin").status_code == 204
    assert service.call("GET", path, "admin").status_code == 404
    assert service.call("DELETE", path, "admin").status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://shop.example/", "events": ["*"]}, "/url"),
        ({"url": "https://192.168.1.1/", "events": ["*"]}, "/url"),
        ({"url": "https://ann:s3cret@shop.example/", "events": ["*"]}, "/url"),
        ({"url": URL, "events": ["visit.begun"]}, "/events"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["*"], "secret": "mine"}, "/secret"),
        ({"events": ["*"]}, "/url"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(service: Service, body: dict[str, Any], pointer: str) -> None:
    answer = service.call("POST", "/v1/webhooks", "admin", json=body)
    assert answer.status_code == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [pointer]
    assert "s3cret" not in answer.text
    assert service.call("GET", "/v1/webhooks", "admin").json() == {"webhooks": []}


def test_a_second_endpoint_at_one_address_is_a_conflict(service: Service) -> None:
    first = made(service)
    answer = service.call("POST", "/v1/webhooks", "admin", json={"url": URL, "events": ["*"]})
    assert answer.status_code == 409
    assert first["webhook_id"] in answer.json()["detail"]


def test_from_a_sighting_to_the_retailers_back_end(service: Service, receiver: Running) -> None:
    service.engine.publish.apply_campaign(None, CAMPAIGN)
    hook = made(service, receiver.url, "visit.*", "message.*")
    _, token = service.consenting_phone()
    near = service.send(token, service.fix(latitude=48.851))
    assert [event["type"] for event in near.json()["events"]] == ["offer.decided"]
    service.clock.advance(timedelta(minutes=2))
    service.send(token, service.fix())
    service.clock.advance(timedelta(minutes=6))
    assert service.send(token, service.fix()).json()["events"][0]["type"] == "visit.started"
    waiting = deliveries(service, hook, "?state=due")
    assert [row["type"] for row in waiting] == ["visit.started"]
    assert (waiting[0]["tries"], waiting[0]["next_at"]) == ([], "2026-11-03T09:08:00.000Z")
    service.clock.advance(timedelta(seconds=1))
    service.engine.jobs.run_due(service.clock.now())
    service.clock.advance(timedelta(seconds=1))
    service.engine.jobs.run_due(service.clock.now())
    arrived = {row["headers"]["webhook-id"]: row["body"] for row in receiver.accepted()}
    log = deliveries(service, hook)
    assert {row["event_id"]: row["body"] for row in log} == arrived
    assert sorted(row["type"] for row in log) == ["message.accepted", "visit.started"]
    assert [(row["state"], row["next_at"], row["tries"][0]["status"]) for row in log] == [
        ("delivered", None, 204)
    ] * 2
    last = deliveries(service, hook, f"?before={log[0]['event_id']}")
    assert last == log[1:]
    replay = f"/v1/webhooks/{hook['webhook_id']}/deliveries/{log[0]['event_id']}/replay"
    assert service.call("POST", replay, "admin").status_code == 204
    assert service.call("POST", replay.replace("evt_", "evt_x"), "admin").status_code == 404
    service.clock.advance(timedelta(seconds=1))
    service.engine.jobs.run_due(service.clock.now())
    assert len(receiver.accepted()) == 3


def test_an_endpoint_is_tried_at_once_and_the_answer_told(service: Service, receiver: Running) -> None:
    path = f"/v1/webhooks/{made(service, receiver.url)['webhook_id']}/test"
    good = service.call("POST", path, "admin").json()
    receiver.order({"do": "status", "status": 500})
    bad = service.call("POST", path, "admin").json()
    assert (good["type"], good["state"], good["tries"][0]["status"]) == ("webhook.test", "delivered", 204)
    assert (bad["state"], bad["tries"][0]["status"], bad["tries"][0]["detail"]) == (
        "failed",
        500,
        '"as ordered"',
    )
    assert service.call("POST", path.replace("whk_", "whk_x"), "admin").status_code == 404
