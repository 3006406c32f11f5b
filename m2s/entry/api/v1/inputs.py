"""Routes of what the retailer knows: baskets of the till, and what was looked up online; each item with a verdict."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, WithJsonSchema

from campaigns.audience import TOPICS
from m2s.app.access import Role
from m2s.app.inputs import Basket, Lookup, Pivots, Taken
from m2s.app.sighting import Rejected
from m2s.core.base.errors import TooLarge
from m2s.entry.api.door import Caller, Door, Here, allowed
from m2s.entry.api.fields import Amount, Id, Instant, LenientBody, StrictBody, Text64
from m2s.entry.api.sentences import of_pydantic

router = APIRouter(route_class=Door, tags=["inputs"])

MOST_ITEMS = 500
MOST_BYTES = 1024 * 1024
_AGE_MS = 10**12
_Item = TypeVar("_Item", bound=BaseModel)
_Made = TypeVar("_Made")


class PivotFields(BaseModel):
    """Keys of the shopper in the retailer's other systems."""

    customer_id: Text64 | None = None
    loyalty_id: Text64 | None = None
    phone: Annotated[str, Field(max_length=32, description="E.164, or as in the store's country")] | None = (
        None
    )
    email: Annotated[str, Field(max_length=320)] | None = None

    def pivots(self) -> Pivots:
        """The pivot ids that are given."""
        return Pivots(self.customer_id, self.loyalty_id, self.phone, self.email)


class Purchase(StrictBody, PivotFields):
    """A basket: `amount` is what was paid, `discount` what was taken off before; unique by store and purchase id."""

    purchase_id: Text64
    store_id: Id
    at: Instant
    amount: Amount
    discount: Amount = Decimal(0)
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    basket_id: Text64 | None = None
    coupon_code: Text64 | None = None


class ResearchEvent(LenientBody, PivotFields):
    """Something looked up online; `at` or `age_ms` says when, role `server` says whose by `device_id` or pivot ids."""

    id: Text64
    topic: Literal[TOPICS]  # type: ignore[valid-type]  # the names that campaigns know
    at: Instant | None = None
    age_ms: Annotated[int, Field(ge=0, le=_AGE_MS)] | None = None
    store_id: Id | None = None
    product: Text64 | None = None
    device_id: Id | None = None


def _listed(kind: type[BaseModel]) -> Any:
    """A list of items that are judged one by one, and described as what each should be."""
    schema = {"type": "array", "items": kind.model_json_schema(), "maxItems": MOST_ITEMS}
    return Annotated[list[Any], WithJsonSchema(schema)]


class PurchaseBatch(StrictBody):
    """Baskets, up to 500."""

    purchases: _listed(Purchase)  # type: ignore[valid-type]  # made from the item's own schema


class ResearchBatch(LenientBody):
    """Research events, up to 500; `sent_at` is the sender's clock at this attempt."""

    research: _listed(ResearchEvent)  # type: ignore[valid-type]  # made from the item's own schema
    sent_at: Instant | None = None


class Verdict(BaseModel):
    """An item by its index and id, and what is wrong with it."""

    index: int
    id: str | None
    code: str
    detail: str


class Verdicts(BaseModel):
    """accepted + duplicates + len(rejected) = items sent; `left_out` were taken but for a pivot id."""

    accepted: int
    duplicates: int
    rejected: list[Verdict]
    left_out: list[Verdict]


@router.post("/v1/purchases", **allowed(Role.TILL, Role.SERVER, max_body_bytes=MOST_BYTES))
def take_purchases(engine: Here, caller: Caller, body: PurchaseBatch) -> Verdicts:
    """Takes baskets; one that is there already is a duplicate, a bad one is rejected alone. A till sends its own."""
    return _judged(
        body.purchases,
        TypeAdapter(Purchase),
        name="purchase_id",
        made=_basket,
        take=lambda baskets: engine.purchases.take(
            baskets, source=str(caller.role), of_store=caller.store_id
        ),
    )


@router.post("/v1/research", **allowed(Role.DEVICE, Role.SERVER, max_body_bytes=MOST_BYTES))
def take_research(engine: Here, caller: Caller, body: ResearchBatch) -> Verdicts:
    """Takes what was looked up online; a repeat is a duplicate, a bad item is rejected alone."""
    return _judged(
        body.research,
        TypeAdapter(ResearchEvent),
        name="id",
        made=_lookup,
        take=lambda lookups: engine.research.take(lookups, own=caller.device, sent_at=body.sent_at),
    )


def _judged(
    items: Sequence[Any],
    kind: TypeAdapter[_Item],
    *,
    name: str,
    made: Callable[[_Item], _Made],
    take: Callable[[Sequence[_Made]], Taken],
) -> Verdicts:
    """Has the items taken that are what they should be, and tells of all by their index in the request."""
    if len(items) > MOST_ITEMS:
        raise TooLarge(f"the batch has {len(items)} items; send {MOST_ITEMS} at most", code="too_many_items")
    good: list[tuple[int, _Made]] = []
    rejected: list[Rejected] = []
    for index, item in enumerate(items):
        try:
            good.append((index, made(kind.validate_python(item))))
        except ValidationError as error:
            rejected.append(Rejected(index, _named(item, name), "invalid", _told(error)))
    taken = take([one for _, one in good])
    rejected += [_at(one, good) for one in taken.rejected]
    return Verdicts(
        accepted=taken.accepted,
        duplicates=taken.duplicates,
        rejected=_verdicts(rejected),
        left_out=_verdicts([_at(one, good) for one in taken.left_out]),
    )


def _at(one: Rejected, good: Sequence[tuple[int, Any]]) -> Rejected:
    return Rejected(good[one.index][0], one.id, one.code, one.detail)


def _verdicts(items: Sequence[Rejected]) -> list[Verdict]:
    ordered = sorted(items, key=lambda one: one.index)
    return [Verdict(index=one.index, id=one.id, code=one.code, detail=one.detail) for one in ordered]


def _named(item: Any, name: str) -> str | None:
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 64 else None


def _told(error: ValidationError) -> str:
    """The first thing that is wrong, by field; nothing of what was sent is repeated."""
    found = error.errors(include_url=False, include_input=False)[0]
    path = "/".join(str(part) for part in found["loc"])
    detail = of_pydantic(found)
    return f"/{path}: {detail}" if path else detail


def _basket(item: Purchase) -> Basket:
    return Basket(
        purchase_id=item.purchase_id,
        store_id=item.store_id,
        at=item.at,
        amount=item.amount,
        discount=item.discount,
        currency=item.currency,
        pivots=item.pivots(),
        basket_id=item.basket_id,
        coupon_code=item.coupon_code,
    )


def _lookup(item: ResearchEvent) -> Lookup:
    return Lookup(
        id=item.id,
        topic=item.topic,
        at=item.at,
        age_ms=item.age_ms,
        store_id=item.store_id,
        product=item.product,
        device_id=item.device_id,
        pivots=item.pivots(),
    )
