"""What are the retailer's own systems told, and in which words? Notices in the transaction of what they tell.

Where nobody wants to be told, this costs one look at a table that is empty, and only where there is something to tell.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec

from m2s.app.endpoints import DUE, NoticeRow
from m2s.app.ports import Records
from m2s.app.rows import MessageRow, RedemptionRow, VisitRow
from m2s.app.visit_events import VisitEvent
from m2s.core.base.ids import ulid
from m2s.core.base.instants import rfc3339, to_ms
from m2s.core.delivery.message import TERMINAL
from m2s.core.delivery.webhook import TEST

ENDED = "visit.ended"
REDEEMED, VOIDED = "coupon.redeemed", "coupon.voided"
_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, and what makes the words for it."""

    type: str
    data: Callable[[], Mapping[str, Any]]


def tell(records: Records, events: Iterable[Event], *, at: datetime) -> None:
    """Keeps for every endpoint what it wants to be told."""
    waiting = iter(events)
    first = next(waiting, None)
    subscribers = records.webhooks.subscribers() if first is not None else ()
    if first is None or not subscribers:
        return
    rows = []
    for event in chain([first], waiting):
        wanting = [one.webhook_id for one in subscribers if one.wants(event.type)]
        if wanting:
            event_id, body = written(event, at=at)
            rows += [NoticeRow(one, event_id, event.type, body, DUE, 0, at, at) for one in wanting]
    records.webhooks.add(rows)


def written(event: Event, *, at: datetime) -> tuple[str, str]:
    """An event's id and body. The id is made of the body, so that the same event is never two."""
    fields = {"type": event.type, "timestamp": rfc3339(at), "data": event.data()}
    body = msgspec.json.encode(fields)
    name = ulid(to_ms(at), hashlib.blake2b(body, digest_size=_ID_BYTES).digest())
    return f"evt_{name}", body.decode()


def test_event(webhook_id: str) -> Event:
    """What is sent to try an endpoint."""
    return Event(TEST, lambda: {"webhook_id": webhook_id})


def tell_visits(
    records: Records, told: Iterable[VisitEvent], ended: Iterable[VisitRow], *, at: datetime
) -> None:
    """Tells what became of visits, and which of them are over."""
    events = [_of_visit(event.type, event.visit, event.replaces) for event in told]
    tell(records, [*events, *(_of_visit(ENDED, row, ()) for row in ended)], at=at)


def tell_messages(records: Records, rows: Iterable[MessageRow], *, at: datetime) -> None:
    """Tells of messages of offers, as they are now, that have come to an end, or of which their provider said more."""
    tell(records, (_of_message(row) for row in rows if row.state in TERMINAL and not row.is_answer), at=at)


def tell_redemption(
    records: Records, row: RedemptionRow, *, voided_at: datetime | None, at: datetime
) -> None:
    """Tells that a coupon was redeemed, or that its redemption was taken back."""
    kind = REDEEMED if voided_at is None else VOIDED
    tell(records, [Event(kind, lambda: _redemption(row, voided_at))], at=at)


def _of_visit(kind: str, row: VisitRow, replaces: Iterable[str]) -> Event:
    return Event(
        kind,
        lambda: {
            "visit_id": row.id,
            "shopper_id": row.shopper_id,
            "store_id": row.store_id,
            "start": rfc3339(row.start_at),
            "end": rfc3339(row.end_at),
            "status": row.status,
            "confidence": row.confidence,
            "replaces": list(replaces),
        },
    )


def _of_message(row: MessageRow) -> Event:
    return Event(
        f"message.{row.state}",
        lambda: {
            "message_id": row.id,
            "decision_id": row.decision_id,
            "shopper_id": row.shopper_id,
            "campaign_id": row.campaign_id,
            "offer_id": row.offer_id,
            "store_id": row.store_id,
            "channel": row.channel,
            "state": str(row.state),
            "reason": row.reason,
            "valid_until": rfc3339(row.valid_until),
        },
    )


def _redemption(row: RedemptionRow, voided_at: datetime | None) -> Mapping[str, Any]:
    return {
        "redemption_id": row.id,
        "code": row.code,
        "shopper_id": row.shopper_id,
        "campaign_id": row.campaign_id,
        "offer_id": row.offer_id,
        "store_id": row.store_id,
        "basket_id": row.basket_id,
        "amount": row.amount,
        "currency": row.currency,
        "redeemed_at": rfc3339(row.at),
        "voided_at": None if voided_at is None else rfc3339(voided_at),
    }
