"""Do settings choose the adapters, and does what cannot work say what would?"""

from __future__ import annotations

import io
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from m2s.adapters.channels.console import ConsoleChannel
from m2s.adapters.channels.registry import ADAPTERS, build, check
from m2s.adapters.channels.surroundings import Surroundings
from m2s.adapters.channels.webhook import WebhookChannel
from m2s.adapters.channels.wire import Wire
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Refused
from m2s.core.base.errors import Invalid
from tests.adapters.channels.receiver import SECRET
from tests.adapters.channels.rows import ADDRESS, MESSAGE
from tests.data import ROOT
from tests.house.documents import FENCE

LOOPBACK = {"webhook": {"url": "http://127.0.0.1:9/", "secret": SECRET}}


@pytest.fixture
def given(wire: Wire) -> Surroundings:
    return Surroundings(wire, SystemClock(), io.StringIO())


def test_settings_choose_the_adapter_of_each_channel(given: Surroundings) -> None:
    built = build({"push": "console", "sms": "console", "webhook": "webhook"}, LOOPBACK, given)
    assert isinstance(built["push"], ConsoleChannel)
    assert built["push"] is built["sms"]
    assert isinstance(built["webhook"], WebhookChannel)


def test_each_platform_can_have_an_adapter_of_its_own(given: Surroundings) -> None:
    push = build({"push": {"ios": "console"}}, {}, given)["push"]
    assert isinstance(push.send(MESSAGE, ADDRESS, None), Accepted)
    refused = push.send(MESSAGE, replace(ADDRESS, platform="android"), None)
    assert isinstance(refused, Refused)
    assert "android" in refused.detail


@pytest.mark.parametrize(
    ("channels", "options", "said"),
    [
        (
            {"push": "consol"},
            {},
            "channel 'push': there is no adapter 'consol'; there are: apns, console, fcm, ",
        ),
        (
            {"push": "webhook"},
            {},
            "channel 'push': the adapter 'webhook' cannot carry it; these can: apns, con",
        ),
        (
            {"sms": "fcm"},
            {},
            "channel 'sms': the adapter 'fcm' cannot carry it; these can: console, gateway, ovh, smp",
        ),
        ({"webhook": "webhook"}, {}, "channels.webhook.url: it is missing; channels.webhook.secret: it is m"),
        (
            {"push": "fcm"},
            {"fcm": {"file": "x"}},
            "channels.fcm.file: there is no such option; there are: ca_",
        ),
        (
            {"push": "apns"},
            {"apns": {"environment": "prod"}},
            "channels.apns.environment: Input should be 'pro",
        ),
        ({}, {"fmc": {}}, "channels.fmc: there is no adapter 'fmc'"),
    ],
)
def test_settings_that_cannot_work_say_what_would(
    given: Surroundings, channels: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid) as caught:
        build(channels, options, given)
    assert said in caught.value.detail


def test_a_value_that_is_wrong_is_never_repeated(given: Surroundings) -> None:
    with pytest.raises(Invalid) as caught:
        build({"webhook": "webhook"}, {"webhook": {"url": 1, "secret": ["s3cret"]}}, given)
    assert "s3cret" not in caught.value.detail


@pytest.mark.parametrize("url", ["https://shop.example/m2s", "http://10.0.0.1/", "http://[2001:db8::1]/"])
def test_outside_of_production_nothing_can_leave_this_machine(given: Surroundings, url: str) -> None:
    with pytest.raises(Invalid, match='mode = "production"'):
        build({"webhook": "webhook"}, {"webhook": {"url": url, "secret": SECRET}}, given)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost/", "http://[::1]:9/"])
def test_this_machine_is_always_allowed(given: Surroundings, url: str) -> None:
    build({"webhook": "webhook"}, {"webhook": {"url": url, "secret": SECRET}}, given)


def test_in_production_any_address_is_allowed() -> None:
    given = Surroundings(Wire(loopback_only=False), SystemClock(), io.StringIO())
    options = {"webhook": {"url": "https://shop.example/m2s", "secret": SECRET}}
    build({"webhook": "webhook"}, options, given)


def test_a_check_goes_through_all_sections_whatever_is_wrong_with_one(given: Surroundings) -> None:
    found = dict(check({"push": "fcm"}, {"fcm": {}, **LOOPBACK, "console": {}}, given))
    assert [name for name, finding in found.items() if finding.well] == ["console"]
    assert found["channels"].said == found["fcm"].said
    assert "service_account_file: it is missing" in found["fcm"].said
    assert "takes no connection" in found["webhook"].said
    assert all(finding.advice for finding in found.values() if not finding.well)


def test_every_adapter_is_named_in_lower_case() -> None:
    assert all(name == name.lower() for name in ADAPTERS)


def test_every_section_of_the_documents_has_only_options_that_exist() -> None:
    text = (ROOT / "docs/delivery.md").read_text(encoding="utf-8")
    shown = set()
    for fence in FENCE.finditer(text):
        if fence["language"] == "toml":
            for name, options in tomllib.loads(fence["body"]).get("channels", {}).items():
                if isinstance(options, dict) and name in ADAPTERS:
                    ADAPTERS[name].options.model_validate(options)
                    shown.add(name)
    assert shown == {"fcm", "apns", "twilio", "ovh", "smpp", "gateway"}
