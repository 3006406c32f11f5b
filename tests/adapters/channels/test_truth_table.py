"""What does each fault of each provider lead to? The table of `docs/delivery.md`, made anew and compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from m2s.adapters.channels.webhook import WebhookChannel, WebhookOptions
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import (
    Accepted,
    Address,
    ChannelAdapter,
    Misconfigured,
    Refused,
    RetryLater,
    SendResult,
    Unknown,
)
from tests.adapters.channels import test_apns, test_fcm, test_gateway, test_ovh, test_smpp, test_twilio
from tests.adapters.channels.receiver import SECRET
from tests.adapters.channels.rows import ADDRESS, MESSAGE
from tests.changed import replace
from tests.data import ROOT
from tests.providers.keys import p256, pem, rsa_2048
from tests.providers.running import Running, running

TABLE = re.compile(r"<!-- provider × fault × outcome -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)
FAULTS: dict[str, list[dict[str, Any]]] = {
    "takes it, after 0.3 s": [{"do": "slow", "s": 0.3}],
    "429, `Retry-After: 5`": [{"do": "status", "status": 429, "headers": {"retry-after": "5"}}],
    "429": [{"do": "status", "status": 429}],
    "500": [{"do": "status", "status": 500}],
    "503": [{"do": "status", "status": 503}],
    "502 with nonsense": [{"do": "garbage", "status": 502}],
    "takes it, breaks off": [{"do": "cut"}],
    "breaks off": [{"do": "reset"}],
    "takes it, never answers": [{"do": "silent"}],
}
BY_SMPP: dict[str, list[dict[str, Any]] | None] = {
    "429, `Retry-After: 5`": None,
    "429": [{"do": "status", "status": 0x58}],
    "500": [{"do": "status", "status": 0x08}],
    "503": [{"do": "status", "status": 0x14}],
    "502 with nonsense": None,
}
"""What SMPP has in the place of HTTP's statuses: throttled, system error, queue full."""
Opened = Callable[..., ChannelAdapter]


@dataclass(frozen=True)
class Shelf:
    """A provider that runs, how its channel is opened, and what it refuses."""

    name: str
    provider: Running
    opened: Opened
    good: Address
    dead: Address | None
    opted_out: Address | None
    wrong: dict[str, Any]
    orders: Mapping[str, list[dict[str, Any]] | None] = field(default_factory=dict)


def shelves(folder: Path, held: ExitStack) -> Iterator[Shelf]:
    """Every provider, with channels whose files lie in `folder`."""

    def run(name: str, config: dict[str, Any]) -> Running:
        return held.enter_context(running(name, folder / name, config))

    fcm = held.enter_context(test_fcm.started(folder / "fcm"))
    apns = run("apns", test_apns.CONFIG)
    push = test_apns.PHONE
    yield Shelf(
        "FCM",
        fcm,
        lambda p, w, **changes: test_fcm.channel(p, w, folder, **changes),
        good=ADDRESS,
        dead=replace(ADDRESS, push_token="gone-1"),
        opted_out=None,
        wrong={"private_key": pem(rsa_2048())},
    )
    yield Shelf(
        "APNs",
        apns,
        lambda p, w, **changes: test_apns.channel(p, w, folder, **changes),
        good=push,
        dead=replace(push, push_token="deadbeef" * 8),
        opted_out=None,
        wrong={"key": pem(p256())},
    )
    by_sms = [
        ("Twilio", run("twilio", test_twilio.CONFIG), test_twilio.channel, {"auth_token": "no"}),
        ("OVHcloud", run("ovh", test_ovh.CONFIG), test_ovh.channel, {"consumer_key": "no"}),
        ("gateway", run("gateway", {"key": "s3cret"}), test_gateway.channel, {"headers": {}}),
    ]
    for name, provider, opened, wrong in by_sms:
        dead = replace(ADDRESS, phone="+33612340614")
        known = None if name == "OVHcloud" else replace(ADDRESS, phone="+33612340610")
        yield Shelf(name, provider, opened, good=ADDRESS, dead=dead, opted_out=known, wrong=wrong)
    yield Shelf(
        "SMPP",
        run("smpp", {**test_smpp.ACCOUNT, "scheme": "smpp"}),
        test_smpp.channel,
        good=ADDRESS,
        dead=replace(ADDRESS, phone="+33612340614"),
        opted_out=replace(ADDRESS, phone="+33612340610"),
        wrong={"password": "no"},
        orders=BY_SMPP,
    )
    yield Shelf(
        "webhook",
        run("receiver", {"secret": SECRET}),
        by_webhook,
        good=ADDRESS,
        dead=None,
        opted_out=None,
        wrong={"secret": SECRET.replace("MfK", "AAA")},
    )


def by_webhook(provider: Running, wire: Wire, *, secret: str = SECRET) -> WebhookChannel:
    """A channel to a retailer's own system."""
    return WebhookChannel(
        WebhookOptions(url=f"{provider.url}/m2s", secret=secret), wire=wire, clock=SystemClock()
    )


def told(result: SendResult) -> str:
    """A result in the words of the table."""
    match result:
        case Accepted():
            return "accepted"
        case RetryLater(after_s, _, least_s, of_address):
            wait = f", after {after_s:g} s" if after_s else f", from {least_s:g} s on" if least_s else ""
            return f"again{wait}{' (this phone)' if of_address else ''}"
        case Refused(dead_letter=True):
            return "dead letter"
        case Refused(opted_out=True):
            return "refused, opposition kept"
        case Refused(token_invalid_before=datetime()):
            return "refused, token given up"
        case Refused():
            return "refused"
        case Misconfigured():
            return "channel stops"
        case Unknown():
            return "in doubt"


def sent(shelf: Shelf, wire: Wire, address: Address, *, adapter: ChannelAdapter | None = None) -> str:
    """What comes of one message; whatever comes, an SMS was taken once at most."""
    before = len(shelf.provider.accepted())
    message = replace(MESSAGE, valid_until=datetime.now(UTC) + timedelta(minutes=45))
    result = (adapter or shelf.opened(shelf.provider, wire)).send(message, address, None)
    taken = shelf.provider.accepted()[before:]
    push = shelf.name in ("FCM", "APNs")
    assert len(taken) <= (2 if push else 1)
    return told(result)


def column(shelf: Shelf) -> dict[str, str]:
    """Each fault of one provider with what it leads to."""
    wire = Wire(loopback_only=True, limit_s=2.0)
    nobody = replace(shelf.provider, url=re.sub(r":\d+", ":9", shelf.provider.url))
    rows = {"nobody listens": sent(shelf, wire, shelf.good, adapter=shelf.opened(nobody, wire))}
    for fault, usual in FAULTS.items():
        orders = shelf.orders.get(fault, usual)
        shelf.provider.order(*(orders or []))
        rows[fault] = sent(shelf, wire, shelf.good) if orders else "–"
    kept = shelf.opened(shelf.provider, wire)
    shelf.provider.order({"do": "close"})
    assert sent(shelf, wire, shelf.good, adapter=kept) == "accepted"
    rows["had closed the kept connection"] = sent(shelf, wire, shelf.good, adapter=kept)
    rows["does not know the address"] = sent(shelf, wire, shelf.dead) if shelf.dead else "–"
    rows["knows an opposition"] = sent(shelf, wire, shelf.opted_out) if shelf.opted_out else "–"
    wrong = shelf.opened(shelf.provider, wire, **shelf.wrong)
    rows["does not know us"] = sent(shelf, wire, shelf.good, adapter=wrong)
    wire.close()
    return rows


def test_the_table_of_the_documents_is_what_happens(tmp_path: Path) -> None:
    with ExitStack() as held:
        opened = list(shelves(tmp_path, held))
        with ThreadPoolExecutor(len(opened)) as threads:
            columns = dict(zip([shelf.name for shelf in opened], threads.map(column, opened), strict=True))
    faults = list(next(iter(columns.values())))
    lines = [
        f"| The provider … | {' | '.join(columns)} |",
        f"|{'---|' * (len(columns) + 1)}",
        *(f"| {fault} | {' | '.join(rows[fault] for rows in columns.values())} |" for fault in faults),
    ]
    made = "\n".join(lines) + "\n"
    document = ROOT / "docs/delivery.md"
    found = TABLE.search(document.read_text(encoding="utf-8")) if document.exists() else None
    kept = found["table"] if found else ""
    if kept != made:
        pytest.fail(f"docs/delivery.md does not have the table that was made now:\n{made}", pytrace=False)
