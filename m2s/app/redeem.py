"""Is this coupon good, and is this its only use? Redemption at a till, taking it back, and a coupon's state."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from campaigns.coupon import normalize
from m2s.app.catalog import Catalog
from m2s.app.ports import Database, Records
from m2s.app.rows import AnswerRow, CouponRow, KeyRow, RedemptionRow
from m2s.app.telling import tell_redemption
from m2s.app.visits import refresh_visits
from m2s.core.base.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, rfc3339, to_ms

_CREATED = 201
_CONFLICT = 409


class Redeem:
    """Redeems coupons, each once."""

    def __init__(self, database: Database, clock: Clock, *, ids: Ids, catalog: Callable[[], Catalog]) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._catalog = catalog

    def redeem(
        self,
        key: KeyRow,
        code_text: str,
        *,
        store_id: str,
        basket_id: str | None,
        amount: Decimal | None,
        currency: str | None,
        idempotency_key: str | None,
        body_hash: bytes,
    ) -> dict[str, Any]:
        """Redeems a coupon for the till of `key` and returns the redemption.

        With an Idempotency-Key the first answer, redeemed or refused as used, is kept and given again. Raises Forbidden
        for another store's till; Invalid for a code, store, basket or currency that does not fit, an expired coupon,
        or a key reused with another body; NotFound; Conflict with when and where, when the coupon has been used.
        """
        _check_store(key, store_id)

        def work(records: Records) -> AnswerRow:
            if idempotency_key is not None:
                first = records.access.answer(key.id, idempotency_key)
                if first is not None:
                    return _same_body(first, body_hash)
            answer = self._redeem(
                records,
                key,
                code=_code(code_text),
                store_id=store_id,
                basket_id=basket_id,
                amount=amount,
                currency=currency,
                body_hash=body_hash,
            )
            if idempotency_key is not None:
                records.access.keep_answer(key.id, idempotency_key, answer=answer, at=self._clock.now())
            return answer

        return _told(self._database.write(work))

    def void(self, key: KeyRow, redemption_id: str) -> dict[str, Any]:
        """Takes a redemption back: the coupon can be used again, unless it has expired meanwhile.

        Taking it back twice is the same as once. Raises NotFound, and Forbidden for another store's till.
        """

        def work(records: Records) -> dict[str, Any]:
            now = self._clock.now()
            row = records.coupons.redemption(redemption_id)
            if row is None:
                raise NotFound(f"there is no redemption {redemption_id!r}")
            _check_store(key, row.store_id)
            coupon = _coupon(records, row.code)
            if row.voided_at is None:
                records.coupons.void_redemption(row.id, at=now)
                records.coupons.reopen(row.code, row.id)
                self._judge_stay(records, row, now=now)
                tell_redemption(records, row, voided_at=now, at=now)
            voided_at = row.voided_at or now
            return {**_redemption_fields(row, coupon), "voided_at": rfc3339(voided_at)}

        return self._database.write(work)

    def coupon(self, code_text: str, *, of_shopper: str | None = None) -> dict[str, Any]:
        """A coupon and its state: `issued`, `redeemed` or `expired`.

        With `of_shopper` only that shopper's own. Raises Invalid for a text that is no code, and NotFound.
        """
        code = _code(code_text)
        with self._database.read() as records:
            coupon = _coupon(records, code)
            if of_shopper not in (None, coupon.shopper_id):
                raise _no_coupon(code)
            return coupon_fields(coupon, self._clock.now())

    def _redeem(
        self,
        records: Records,
        key: KeyRow,
        *,
        code: str,
        store_id: str,
        basket_id: str | None,
        amount: Decimal | None,
        currency: str | None,
        body_hash: bytes,
    ) -> AnswerRow:
        now = self._clock.now()
        coupon = _coupon(records, code)
        _check_terms(coupon, store_id=store_id, amount=amount, currency=currency)
        row = RedemptionRow(
            id=self._ids.new("red"),
            code=code,
            shopper_id=coupon.shopper_id,
            campaign_id=coupon.campaign_id,
            offer_id=coupon.offer_id,
            store_id=store_id,
            key_id=key.id,
            basket_id=basket_id,
            amount=None if amount is None else str(amount),
            currency=currency,
            at=now,
            voided_at=None,
        )
        if not records.coupons.redeem(code, redemption_id=row.id, now=now):
            return AnswerRow(body_hash, _CONFLICT, json.dumps(_first_use(records, code, now=now)))
        records.coupons.add_redemption(row)
        self._judge_stay(records, row, now=now)
        tell_redemption(records, row, voided_at=None, at=now)
        return AnswerRow(body_hash, _CREATED, json.dumps(_redemption_fields(row, coupon)))

    def _judge_stay(self, records: Records, row: RedemptionRow, *, now: datetime) -> None:
        """A redemption proves a stay, and taking it back withdraws the proof."""
        touched = {(row.shopper_id, row.store_id): to_ms(row.at)}
        refresh_visits(records, touched, catalog=self._catalog(), now=now)


def coupon_fields(coupon: CouponRow, now: datetime) -> dict[str, Any]:
    """A coupon as its shopper and the tills see it."""
    expired = coupon.state == "issued" and now >= coupon.expires_at
    return {
        "code": coupon.code,
        "state": "expired" if expired else coupon.state,
        "value": coupon.value,
        "min_basket": coupon.min_basket,
        "currency": coupon.currency,
        "campaign_id": coupon.campaign_id,
        "offer_id": coupon.offer_id,
        "store_id": coupon.store_id,
        "issued_at": rfc3339(coupon.issued_at),
        "expires_at": rfc3339(coupon.expires_at),
        "redemption_id": coupon.redemption_id,
    }


def _redemption_fields(row: RedemptionRow, coupon: CouponRow) -> dict[str, Any]:
    return {
        "redemption_id": row.id,
        "code": row.code,
        "store_id": row.store_id,
        "campaign_id": row.campaign_id,
        "offer_id": row.offer_id,
        "value": coupon.value,
        "currency": coupon.currency,
        "basket_id": row.basket_id,
        "amount": row.amount,
        "redeemed_at": rfc3339(row.at),
        "voided_at": None,
    }


def _check_store(key: KeyRow, store_id: str) -> None:
    if key.store_id is not None and key.store_id != store_id:
        raise Forbidden(f"this key belongs to a till of store {key.store_id!r}, not of {store_id!r}")


def _check_terms(coupon: CouponRow, *, store_id: str, amount: Decimal | None, currency: str | None) -> None:
    if coupon.store_id != store_id:
        raise Invalid(
            f"coupon {coupon.code} is good at store {coupon.store_id!r} only, not at {store_id!r}",
            code="wrong_store",
        )
    if currency is not None and currency != coupon.currency:
        raise Invalid(
            f"coupon {coupon.code} is in {coupon.currency}; the basket is in {currency}",
            code="currency_mismatch",
        )
    if amount is None:
        if coupon.min_basket is not None:
            raise Invalid(
                f"coupon {coupon.code} needs a basket of at least {coupon.min_basket} {coupon.currency}: "
                "send the basket's `amount` and `currency`",
                code="amount_missing",
            )
        return
    if not amount.is_finite() or amount < 0:
        raise Invalid(f"the basket's amount is {amount}; it must be 0 or more", code="amount")
    if coupon.min_basket is not None and amount < Decimal(coupon.min_basket):
        raise Invalid(
            f"coupon {coupon.code} needs a basket of at least {coupon.min_basket} {coupon.currency}; "
            f"this one is {amount}",
            code="basket_too_small",
        )


def _first_use(records: Records, code: str, *, now: datetime) -> Mapping[str, str]:
    """Why the conditional update found nothing to redeem, once used; raises Invalid when it has expired instead."""
    coupon = _coupon(records, code)
    use = None if coupon.redemption_id is None else records.coupons.redemption(coupon.redemption_id)
    if use is None:
        raise Invalid(
            f"coupon {code} expired at {rfc3339(coupon.expires_at)}; now is {rfc3339(now)}", code="expired"
        )
    return {
        "code": "already_redeemed",
        "detail": f"coupon {code} was redeemed at {rfc3339(use.at)} in store {use.store_id!r} ({use.id})",
        "redeemed_at": rfc3339(use.at),
        "store_id": use.store_id,
    }


def _same_body(first: AnswerRow, body_hash: bytes) -> AnswerRow:
    if first.body_hash != body_hash:
        raise Invalid(
            "this Idempotency-Key came with another body before; take a new key for a new redemption",
            code="idempotency_key_reused",
        )
    return first


def _told(answer: AnswerRow) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(answer.answer)
    if answer.status == _CONFLICT:
        where = Problem(
            "/code", fields["code"], f"first used at {fields['redeemed_at']} in store {fields['store_id']!r}"
        )
        raise Conflict(fields["detail"], code=fields["code"], problems=[where])
    return fields


def _code(text: str) -> str:
    try:
        return normalize(text)
    except ValueError as error:
        raise Invalid(str(error), code="coupon_code") from error


def _coupon(records: Records, code: str) -> CouponRow:
    coupon = records.coupons.coupon(code)
    if coupon is None:
        raise _no_coupon(code)
    return coupon


def _no_coupon(code: str) -> NotFound:
    return NotFound(f"there is no coupon {code}")
