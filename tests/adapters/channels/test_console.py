"""Does the console show what a phone would, and nothing that it should not?"""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from m2s.adapters.channels.console import ConsoleChannel
from m2s.adapters.channels.registry import ADAPTERS, build
from m2s.adapters.channels.webhook import WebhookChannel
from m2s.adapters.runtime.clock import SystemClock
from m2s.app.channel import Accepted, Address
from m2s.app.rows import CouponRow, MessageRow
from m2s.core.base.errors import Invalid
from tests.adapters.channels.receiver import SECRET
from tests.adapters.channels.rows import ADDRESS, COUPON, MESSAGE


def shown(message: MessageRow, address: Address = ADDRESS, coupon: CouponRow | None = None) -> str:
    out = io.StringIO()
    assert ConsoleChannel(out).send(message, address, coupon) == Accepted("console-msg_1")
    return out.getvalue()


def test_a_push_shows_title_body_and_code_in_a_box_of_even_width() -> None:
    text = shown(MESSAGE, replace(ADDRESS, phone=None), COUPON)
    assert "push ios" in text
    assert "Encore chaud !" in text
    assert "Un croissant à -1 €" in text
    assert "UF4V-WK7F-P2QG" in text
    assert len({len(line) for line in text.splitlines()}) == 1


def test_a_code_that_the_text_holds_already_is_not_repeated() -> None:
    text = shown(replace(MESSAGE, body=f"Code {COUPON.code}"), ADDRESS, COUPON)
    assert text.count(COUPON.code) == 1


def test_an_sms_shows_only_the_last_two_digits_of_the_number() -> None:
    text = shown(replace(MESSAGE, channel="sms", title=None))
    assert "•78" in text
    assert "5678" not in text


def test_the_push_token_is_never_shown() -> None:
    assert "token" not in shown(MESSAGE)


def test_settings_choose_the_adapter_of_each_channel() -> None:
    built = build(
        {"push": "console", "sms": "console", "webhook": "webhook"},
        {"webhook": {"url": "http://127.0.0.1:9/", "secret": SECRET}},
        clock=SystemClock(),
        out=io.StringIO(),
    )
    assert isinstance(built["push"], ConsoleChannel)
    assert isinstance(built["sms"], ConsoleChannel)
    assert isinstance(built["webhook"], WebhookChannel)


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ({"push": "consol"}, "there is no adapter 'consol'; there are: console, webhook"),
        ({"webhook": "webhook"}, "needs 'url'"),
    ],
)
def test_settings_that_cannot_work_say_what_would(channels: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        build(channels, {}, clock=SystemClock(), out=io.StringIO())


def test_every_adapter_is_named_in_lower_case() -> None:
    assert all(name == name.lower() for name in ADAPTERS)
