"""What has this shopper been offered that still holds? The in-app wallet."""

from datetime import datetime
from typing import Any

from m2s.app.ports import Database
from m2s.app.redeem import coupon_fields
from m2s.app.rows import CouponRow, DeviceRow, MessageRow
from m2s.core.base.instants import rfc3339
from m2s.core.delivery.message import MAY_HAVE_LEFT


def wallet(database: Database, device: DeviceRow, *, now: datetime) -> dict[str, Any]:
    """The offers of the device's shopper that have gone out and still hold, newest first, with their coupons."""
    with database.read() as records:
        # A message that is still waiting for its last checks, or failed them, is no offer.
        messages = [
            row
            for row in records.messages.of_shopper(device.shopper_id, now)
            if row.state in MAY_HAVE_LEFT and not row.is_answer
        ]
        coupons = records.coupons.coupons_of(row.decision_id for row in messages)
    return {"offers": [_offer(row, coupons.get(row.decision_id), now=now) for row in messages]}


def _offer(message: MessageRow, coupon: CouponRow | None, *, now: datetime) -> dict[str, Any]:
    return {
        "offer_id": message.offer_id,
        "campaign_id": message.campaign_id,
        "store_id": message.store_id,
        "decision_id": message.decision_id,
        "message_id": message.id,
        "title": message.title,
        "body": message.body,
        "valid_until": rfc3339(message.valid_until),
        "coupon": None if coupon is None else coupon_fields(coupon, now),
    }
