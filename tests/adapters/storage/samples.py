"""Rows with every field filled, for storage tests; change what matters with `dataclasses.replace`."""

from datetime import UTC, datetime, timedelta

from m2s.app.rows import (
    CouponRow,
    DecisionRow,
    DeviceRow,
    MessageRow,
    RedemptionRow,
    VisitRow,
)
from m2s.core.presence.evidence import Evidence, Kind, Transition

NOW = datetime(2026, 11, 2, 8, 30, 0, 123_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

DEVICE = DeviceRow(
    id="dev_1",
    shopper_id="shp_1",
    platform="ios",
    push_token="token",
    language="fr",
    timezone="Europe/Monaco",
    os_permissions={"location": "always"},
    registered_at=NOW,
    push_token_at=NOW,
)
DECISION = DecisionRow(
    id="dec_1",
    occasion_key="shp_1:bakery/vicinity@1",
    campaign_id="november",
    offer_id="croissant",
    offer_version="v1",
    shopper_id="shp_1",
    device_id="dev_1",
    store_id="bakery",
    trigger="near",
    outcome="send",
    reason=None,
    channel="push",
    trace=[{"check": "fresh", "passed": True, "seen": "12 s", "limit": "5m"}, {"check": "été"}],
    at=NOW - timedelta(seconds=12),
    decided_at=NOW,
    valid_until=NOW + HOUR,
)
MESSAGE = MessageRow(
    id="msg_1",
    decision_id="dec_1",
    shopper_id="shp_1",
    device_id="dev_1",
    campaign_id="november",
    offer_id="croissant",
    store_id="bakery",
    channel="push",
    title="Encore chaud !",
    body="Un croissant à -1 €",
    state="planned",
    reason=None,
    not_before=NOW,
    valid_until=NOW + HOUR,
    created_at=NOW,
    tries=0,
    fence=0,
)
COUPON = CouponRow(
    code="ABCD-EFGH-JKMN",
    decision_id="dec_1",
    shopper_id="shp_1",
    campaign_id="november",
    offer_id="croissant",
    store_id="bakery",
    value="1.00",
    min_basket="5.00",
    currency="EUR",
    issued_at=NOW,
    expires_at=NOW + HOUR,
    state="issued",
    redemption_id=None,
)
REDEMPTION = RedemptionRow(
    id="red_1",
    code=COUPON.code,
    shopper_id="shp_1",
    campaign_id="november",
    offer_id="croissant",
    store_id="bakery",
    key_id="key_1",
    basket_id="b-77",
    amount="12.30",
    currency="EUR",
    at=NOW,
    voided_at=None,
)
VISIT = VisitRow(
    id="vis_1",
    shopper_id="shp_1",
    store_id="bakery",
    start_at=NOW - HOUR,
    end_at=NOW,
    dwell_s=3600,
    kind="visit",
    confidence="high",
    status="open",
    sources="location,beacon",
    replaces=None,
    rule_version="1",
)
FENCE = Evidence(
    shopper_id="shp_1",
    store_id="bakery",
    zone_id="premises",
    device_id="dev_1",
    sighting_id="s-1",
    kind=Kind.GEOFENCE,
    at_ms=1_000,
    inside_probability=1.0,
    transition=Transition.ENTER,
)
POSITION = Evidence(
    shopper_id="shp_1",
    store_id="bakery",
    zone_id="premises",
    device_id="dev_1",
    sighting_id="s-2",
    kind=Kind.LOCATION,
    at_ms=2_000,
    inside_probability=0.875,
    boundary_distance_m=-3.5,
    accuracy_m=12.0,
    speed_mps=0.5,
    mocked=True,
)
SIGNAL = Evidence(
    shopper_id="shp_1",
    store_id="bakery",
    zone_id="premises",
    device_id="dev_1",
    sighting_id="s-3",
    kind=Kind.BEACON,
    at_ms=3_000,
    inside_probability=1.0,
    beacon="f7826da6/1/2",
    place="shoes",
    measured_power_dbm=-59,
    samples=((2000, -60), (900, -71), (0, -65)),
)
