"""What has become of a message, by all that its provider told of it, in whatever order and before its answer too?"""

from datetime import datetime, timedelta

from m2s.app.callbacks import WHOLE, Receipt, ReceiptRow
from m2s.app.opposition import oppose_number
from m2s.app.pivots import e164
from m2s.app.ports import Records
from m2s.app.telling import tell_messages
from m2s.core.delivery import receipts as ladder
from m2s.core.delivery.message import State

KEPT = timedelta(days=7)
"""How long receipts are kept: as long as another may come, and one of a message that nobody knows yet may be known."""


def take_receipt(
    records: Records, provider: str, receipt: Receipt, *, at: datetime
) -> tuple[str, State | None]:
    """Keeps a receipt; whether it was `new`, `repeated` or `unknown`, and the state that its message has come to."""
    state = None if receipt.state is None else str(receipt.state)
    row = ReceiptRow(
        provider, receipt.provider_id, receipt.status, state, receipt.part, max(1, receipt.parts)
    )
    is_new = records.receipts.keep(row, at=at)
    sent = records.receipts.sent_as(receipt.provider_id)
    if is_new and receipt.opposed:
        _oppose(records, receipt, None if sent is None else sent.message_id, at=at)
    if sent is None:
        return ("unknown" if is_new else "repeated"), None
    return ("new" if is_new else "repeated"), follow(records, receipt.provider_id, at=at)


def follow(records: Records, provider_id: str, *, at: datetime) -> State | None:
    """Moves the message that a provider has by an id to where all its receipts say; the state, None where it stays."""
    rows = records.receipts.of(provider_id)
    sent = records.receipts.sent_as(provider_id) if rows else None
    if sent is None:
        return None
    parts = max(sent.parts, *(row.parts for row in rows))
    told = [
        ladder.Receipt(part, None if row.state is None else State(row.state))
        for row in rows
        for part in (range(1, parts + 1) if row.part == WHOLE else (row.part,))
    ]
    state = ladder.state_of(told, parts=parts)
    if state is State.ACCEPTED:
        return None
    failed = sorted({row.status for row in rows if row.state == State.UNDELIVERED})
    reason = ", ".join(failed) if state is State.UNDELIVERED else None
    moved = records.receipts.advance(sent.message_id, state=state, reason=reason, at=at)
    if moved is None:
        return None
    tell_messages(records, [moved], at=at)
    return state


def _oppose(records: Records, receipt: Receipt, message_id: str | None, *, at: datetime) -> None:
    phone = None if receipt.phone is None else e164(receipt.phone, None)
    shopper_id = None if message_id is None else records.receipts.shopper_of(message_id)
    if phone is None and shopper_id is not None:
        row = records.devices.shoppers([shopper_id]).get(shopper_id)
        phone = None if row is None else row.phone
    if phone is not None:
        oppose_number(records, phone, "sms", at=at)
