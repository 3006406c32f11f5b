"""What does an SMS centre tell? Receipts and shoppers' messages that it delivers on the session that we bound."""

from collections.abc import Callable

from m2s.adapters.channels.smpp_pdu import Delivery
from m2s.adapters.channels.surroundings import Surroundings
from m2s.app.callbacks import Heard, Receipt, Reply
from m2s.core.delivery.message import State

_STATES = {
    "DELIVRD": State.DELIVERED,
    "EXPIRED": State.UNDELIVERED,
    "DELETED": State.UNDELIVERED,
    "UNDELIV": State.UNDELIVERED,
    "REJECTD": State.UNDELIVERED,
}


def heard(delivery: Delivery) -> Heard:
    """What a delivery tells; nothing where it is a receipt for no message.

    SMPP 3.4 gives what shoppers write no id; what a centre adds of its own accord is the same when it delivers again.
    """
    if delivery.receipt_of:
        status = delivery.state or "UNKNOWN"
        return Heard((Receipt(delivery.receipt_of, status, _STATES.get(status)),))
    if delivery.state is not None:
        return Heard()
    marks = " ".join(f"{tag:04x}={value.hex()}" for tag, value in sorted(delivery.tags.items()))
    return Heard(replies=(Reply(None, f"+{delivery.sender.removeprefix('+')}", delivery.text, marks=marks),))


def hear(given: Surroundings) -> Callable[[Delivery], None] | None:
    """What takes the deliveries of a centre; None where nobody hears them."""
    told = given.hear
    if told is None:
        return None

    def take(delivery: Delivery) -> None:
        told("smpp", heard(delivery))

    return take
