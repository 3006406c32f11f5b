"""What SMS providers send to the service, signed as each of them signs, and a service that listens to all of them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from httpx2 import Response

from m2s.settings import ChannelSettings
from tests.entry.api.wiring import Service, running
from tests.providers.twilio import signature

ADDRESS = "https://shop.example/v1/callbacks/twilio"
TOKEN = "0vh-" + "k" * 32
SECRET = "a gateway's own secret"
PHONE = "+33612345678"
CHANNELS: dict[str, Any] = {
    "sms": "console",
    "twilio": {"account_sid": "AC1", "auth_token": "t0ken", "sender": "SHOP", "status_callback": ADDRESS},
    "ovh": {
        "application_key": "a",
        "application_secret": "b",
        "consumer_key": "c",
        "service_name": "sms-1",
        "callback_token": TOKEN,
    },
    "gateway": {
        "url": "http://127.0.0.1:1/send",
        "callback": {
            "secret": SECRET,
            "id": "report.id",
            "status": "report.status",
            "part": "report.part",
            "parts": "report.parts",
            "delivered": ["DELIVRD"],
            "undelivered": ["UNDELIV", "EXPIRED"],
            "opted_out": ["STOPPED"],
            "phone": "reply.from",
            "text": "reply.text",
            "reply_id": "reply.id",
            "prefix": "sha256=",
        },
    },
}


@contextmanager
def listening(folder: Path) -> Iterator[Service]:
    """A service that listens to all providers; its own SMS are printed."""
    with running(folder, channels=ChannelSettings.model_validate(CHANNELS)) as service:
        yield service


def twilio(service: Service, *, key: str = "t0ken", url: str = ADDRESS, **form: str) -> Response:
    """A request of Twilio."""
    query = url.partition("?")[2]
    return service.call(
        "POST",
        f"/v1/callbacks/twilio{'?' if query else ''}{query}",
        content=urlencode(form),
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": signature(key, url, form),
        },
    )


def gateway(service: Service, body: Any, *, secret: str = SECRET) -> Response:
    """A request of the gateway."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"sha256={hmac.digest(secret.encode(), content, 'sha256').hex()}"
    return service.call("POST", "/v1/callbacks/gateway", content=content, headers={"x-signature": signed})


def ovh(service: Service, *, token: str = TOKEN, **told: str) -> Response:
    """A receipt of OVHcloud."""
    return service.call("GET", f"/v1/callbacks/ovh/{token}?{urlencode(told)}")


def counted(service: Service, line: str) -> float:
    """A counter of the service's metrics."""
    found = [row for row in service.call("GET", "/metrics").text.splitlines() if row.startswith(line + " ")]
    return float(found[0].split()[-1]) if found else 0.0


_replies = 0


def reply(
    service: Service, text: str, *, phone: str = PHONE, sid: str | None = None, **more: str
) -> Response:
    """What somebody writes to us, by Twilio; every reply has an id of its own unless one is given."""
    return twilio(service, MessageSid=sid or new_id(), From=phone, To="+33937000000", Body=text, **more)


def new_id() -> str:
    """An id that no reply has had."""
    global _replies
    _replies += 1
    return f"SMreply{_replies}"
