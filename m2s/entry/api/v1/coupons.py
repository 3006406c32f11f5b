"""Routes of offers made: the shopper's wallet, coupons, and their redemption at a till."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, Field

from m2s.app.access import Role
from m2s.app.wallet import wallet
from m2s.entry.api.door import BodyBytes, Caller, Door, Here, OwnDevice, OwnKey, allowed
from m2s.entry.api.fields import Amount, Id, StrictBody, Text64
from m2s.entry.api.qr import coupon_svg

router = APIRouter(route_class=Door, tags=["coupons"])

Code = Annotated[str, Field(min_length=1, max_length=64)]
TillKey = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")]


class Coupon(BaseModel):
    """A coupon; `state` is issued, redeemed or expired, amounts are decimal text in `currency`."""

    code: str
    state: str
    value: str
    min_basket: str | None
    currency: str
    campaign_id: str
    offer_id: str
    store_id: str
    issued_at: str
    expires_at: str
    redemption_id: str | None


class Offer(BaseModel):
    """An offer in the wallet."""

    offer_id: str
    campaign_id: str
    store_id: str
    decision_id: str
    message_id: str
    title: str | None
    body: str
    valid_until: str
    coupon: Coupon | None


class Wallet(BaseModel):
    """The offers of a shopper that still hold, newest first."""

    offers: list[Offer]


class RedemptionRequest(StrictBody):
    """A coupon shown at a till, with the basket it is used for."""

    code: Code
    store_id: Id
    basket_id: Text64 | None = None
    amount: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None


class Redemption(BaseModel):
    """A validated use of a coupon."""

    redemption_id: str
    code: str
    store_id: str
    campaign_id: str
    offer_id: str
    value: str
    currency: str
    basket_id: str | None
    amount: str | None
    redeemed_at: str
    voided_at: str | None


@router.get("/v1/offers", **allowed(Role.DEVICE))
def get_offers(engine: Here, own: OwnDevice) -> Wallet:
    """The shopper's wallet."""
    return Wallet.model_validate(wallet(engine.database, own, now=engine.clock.now()))


@router.get(
    "/v1/coupons/{code}.svg",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}},
    **allowed(Role.TILL, Role.DEVICE),
)
def get_coupon_svg(engine: Here, caller: Caller, code: Code) -> Response:
    """The coupon's code as a QR symbol."""
    return Response(coupon_svg(_coupon(engine, caller, code)["code"]), media_type="image/svg+xml")


@router.get("/v1/coupons/{code}", **allowed(Role.TILL, Role.DEVICE))
def get_coupon(engine: Here, caller: Caller, code: Code) -> Coupon:
    """A coupon and its state; a device sees its own shopper's only."""
    return Coupon.model_validate(_coupon(engine, caller, code))


@router.post("/v1/redemptions", status_code=201, **allowed(Role.TILL))
def redeem_coupon(
    engine: Here,
    key: OwnKey,
    request: RedemptionRequest,
    body: BodyBytes,
    idempotency_key: Annotated[TillKey | None, Header()] = None,
) -> Redemption:
    """Redeems a coupon, once; a second use is a 409 that says when and where the first was."""
    redemption = engine.redeem.redeem(
        key,
        request.code,
        store_id=request.store_id,
        basket_id=request.basket_id,
        amount=request.amount,
        currency=request.currency,
        idempotency_key=idempotency_key,
        body_hash=hashlib.sha256(body).digest(),
    )
    return Redemption.model_validate(redemption)


@router.post("/v1/redemptions/{redemption_id}/void", **allowed(Role.TILL))
def void_redemption(engine: Here, key: OwnKey, redemption_id: Id) -> Redemption:
    """Takes a redemption back; done twice it is done once."""
    return Redemption.model_validate(engine.redeem.void(key, redemption_id))


def _coupon(engine: Here, caller: Caller, code: str) -> dict[str, Any]:
    of_shopper = None if caller.device is None else caller.device.shopper_id
    return engine.redeem.coupon(code, of_shopper=of_shopper)
