"""What does a decision leave behind? Its row and arms for ever; for a send also the coupon and the message."""

import json
from collections.abc import Sequence
from datetime import datetime

from campaigns.coupon import make_code
from campaigns.facts import Decision, Outcome
from campaigns.texts import coupon_expires_at
from m2s.app.fallback import wordings
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, DecisionRow, MessageRow
from m2s.core.base.ids import Ids


def settle(
    records: Records,
    decisions: Sequence[Decision],
    *,
    ids: Ids,
    stop_number: str,
    not_before: datetime | None = None,
) -> list[DecisionRow]:
    """Writes decisions, the arms they fix, and the coupons and planned messages of the sends; returns the rows.

    All of it joins the current transaction. `not_before` holds messages back until the law's next opening.
    """
    rows = [_decision_row(decision, ids.new("dec")) for decision in decisions]
    records.decisions.add(rows)
    for decision in decisions:
        if decision.arms:
            fixed = [
                (experiment, decision.candidate.occasion.shopper_id, arm)
                for experiment, arm in decision.arms.items()
            ]
            records.decisions.record_arms(fixed, at=decision.decided_at)
    sends = [
        (decision, row)
        for decision, row in zip(decisions, rows, strict=True)
        if decision.outcome is Outcome.SEND
    ]
    coupons = {
        row.id: coupon for decision, row in sends if (coupon := _coupon_row(decision, row, ids)) is not None
    }
    records.coupons.issue(list(coupons.values()))
    records.messages.add(
        [
            _message_row(
                decision, row, coupons.get(row.id), ids=ids, stop_number=stop_number, not_before=not_before
            )
            for decision, row in sends
        ]
    )
    return rows


def _decision_row(decision: Decision, decision_id: str) -> DecisionRow:
    candidate = decision.candidate
    return DecisionRow(
        id=decision_id,
        occasion_key=candidate.occasion.key,
        campaign_id=candidate.campaign.id,
        offer_id=candidate.offer.id,
        offer_version=candidate.offer_version,
        shopper_id=candidate.occasion.shopper_id,
        device_id=candidate.occasion.device_id,
        store_id=candidate.store.store_id,
        trigger=candidate.occasion.trigger,
        outcome=decision.outcome.value,
        reason=decision.reason,
        channel=decision.channel.value if decision.channel else None,
        trace=[
            {"name": check.name, "passed": check.passed, "value": check.value, "limit": check.limit}
            for check in decision.trace
        ],
        at=candidate.occasion.at,
        decided_at=decision.decided_at,
        valid_until=decision.valid_until,
        tags=json.dumps(sorted(candidate.campaign.tags)) if candidate.campaign.tags else None,
    )


def _coupon_row(decision: Decision, row: DecisionRow, ids: Ids) -> CouponRow | None:
    terms, expires_at = decision.candidate.offer.coupon, coupon_expires_at(decision)
    if terms is None or expires_at is None:
        return None
    return CouponRow(
        code=make_code(ids.secret(16)),
        decision_id=row.id,
        shopper_id=row.shopper_id,
        campaign_id=row.campaign_id,
        offer_id=row.offer_id,
        store_id=row.store_id,
        value=str(terms.value.amount),
        min_basket=str(terms.min_basket.amount) if terms.min_basket else None,
        currency=terms.value.currency,
        issued_at=decision.decided_at,
        expires_at=expires_at,
        state="issued",
        redemption_id=None,
    )


def _message_row(
    decision: Decision,
    row: DecisionRow,
    coupon: CouponRow | None,
    *,
    ids: Ids,
    stop_number: str,
    not_before: datetime | None,
) -> MessageRow:
    words = wordings(decision, code=coupon.code if coupon else None, stop_number=stop_number)[0]
    return MessageRow(
        id=ids.new("msg"),
        decision_id=row.id,
        shopper_id=row.shopper_id,
        device_id=row.device_id,
        campaign_id=row.campaign_id,
        offer_id=row.offer_id,
        store_id=row.store_id,
        channel=words.channel,
        title=words.title,
        body=words.body,
        state="planned",
        reason=None,
        not_before=not_before or decision.decided_at,
        valid_until=decision.valid_until,
        created_at=decision.decided_at,
        tries=0,
        fence=0,
        fallbacks=words.fallbacks,
    )
