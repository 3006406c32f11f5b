"""One message and one coupon, as channels are given them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from m2s.app.channel import Address
from m2s.app.rows import CouponRow, MessageRow

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)

ADDRESS = Address(device_id="dev_1", push_token="token", platform="ios", phone="+33612345678")

MESSAGE = MessageRow(
    id="msg_1",
    decision_id="dec_1",
    shopper_id="shp_1",
    device_id="dev_1",
    campaign_id="morning",
    offer_id="warm",
    store_id="port",
    channel="push",
    title="Encore chaud !",
    body="Un croissant à -1 € chez Boulangerie du Port, ouvert jusqu'à 19:30.",
    state="sending",
    reason=None,
    not_before=NOW,
    valid_until=NOW + timedelta(minutes=45),
    created_at=NOW,
    tries=1,
    fence=1,
)

COUPON = CouponRow(
    code="UF4V-WK7F-P2QG",
    decision_id="dec_1",
    shopper_id="shp_1",
    campaign_id="morning",
    offer_id="warm",
    store_id="port",
    value="1.00",
    min_basket="5.00",
    currency="EUR",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    state="issued",
    redemption_id=None,
)
