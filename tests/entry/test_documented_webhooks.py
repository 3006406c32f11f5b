"""Does the page for the retailer's back end say what is told, and does its code take it?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from m2s.adapters.channels.outward import OutwardPost
from m2s.adapters.runtime.clock import SystemClock
from m2s.core.delivery.webhook import EVENTS
from m2s.settings import Settings
from tests.data import ROOT
from tests.entry.api.wiring import running as service_of
from tests.house.documents import FENCE
from tests.providers.running import running

PAGE = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
LOOPBACK = Settings(webhook_networks=["127.0.0.0/8"]).outward


def block(head: str) -> str:
    (body,) = (fence["body"] for fence in FENCE.finditer(PAGE) if fence[0].startswith(f"```{head}\n"))
    found: str = body
    return found


def test_every_event_is_told_of() -> None:
    table = PAGE.split("## What is told")[1].split("```")[0]
    assert set(re.findall(r"`((?:visit|message|coupon)\.[a-z_]+)`", table)) == set(EVENTS)


def test_the_request_that_is_shown_makes_an_endpoint(tmp_path: Path) -> None:
    (body,) = re.findall(r"--data '(.*)'", block("sh webhooks"))
    with service_of(tmp_path) as service:
        answer = service.call("POST", "/v1/webhooks", "admin", json=json.loads(body))
        assert answer.status_code == 201, answer.text


def test_the_code_that_is_shown_takes_an_event_once_and_nothing_that_is_forged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: dict[str, Any] = {}
    exec(block("python"), shown)  # noqa: S102  it is our own page's
    event, secret = block("json event"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    with running("receiver", tmp_path / "receiver", {}) as receiver:
        post = OutwardPost(LOOPBACK, clock=SystemClock())
        for _ in range(2):
            assert post.post(receiver.url, secrets=(secret,), event_id="evt_1", body=event).taken
        post.stop()
        for row in receiver.accepted():
            shown["take"](secret, row["headers"], row["body"])
        assert capsys.readouterr().out.count("visit.started") == 1
        with pytest.raises(WebhookVerificationError):
            shown["take"](secret, row["headers"], row["body"].replace("vis_", "vis_x"))
