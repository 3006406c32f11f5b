"""What would the phone show? Messages printed to a stream instead of sent."""

import textwrap
from typing import TextIO

from m2s.app.channel import Accepted, Address, SendResult
from m2s.app.doctor import Finding
from m2s.app.rows import CouponRow, MessageRow

_WIDTH = 44
_DIGITS_SHOWN = 2


class ConsoleChannel:
    """Prints each message as a small screen and accepts it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Prints the message; always accepted."""
        lines = [message.title, message.body]
        if coupon is not None and coupon.code not in message.body:
            lines.append(f"[{coupon.code}]")
        head = f"{message.channel} {_recipient(address)}".strip()
        # One call, so that screens of several threads do not mix.
        self._out.write(_screen(head, [line for line in lines if line]))
        self._out.flush()
        return Accepted(provider_id=f"console-{message.id}")

    def check(self) -> Finding:
        """There is nothing that could fail."""
        return Finding(True, "messages are printed, and sent to nobody")


def _recipient(address: Address) -> str:
    """A phone number by its last two digits; tokens are never shown."""
    if address.phone is None:
        return address.platform or ""
    hidden = len(address.phone) - _DIGITS_SHOWN
    return "•" * hidden + address.phone[-_DIGITS_SHOWN:]


def _screen(head: str, paragraphs: list[str]) -> str:
    rows = [row for paragraph in paragraphs for row in textwrap.wrap(paragraph, _WIDTH) or [""]]
    edge = "─" * (_WIDTH + 2 - len(f"─ {head} "))
    body = [f"│ {row:<{_WIDTH}} │" for row in rows]
    return "\n".join([f"┌─ {head} {edge}┐", *body, f"└{'─' * (_WIDTH + 2)}┘", ""])
