"""Does the console show what a phone would, and nothing that it should not?"""

from __future__ import annotations

import io

from m2s.adapters.channels.console import ConsoleChannel
from m2s.app.channel import Accepted, Address
from m2s.app.rows import CouponRow, MessageRow
from tests.adapters.channels.rows import ADDRESS, COUPON, MESSAGE
from tests.changed import replace


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
