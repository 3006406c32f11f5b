"""What was bought, and by whom? Baskets of a till or a file, each kept once, with the shopper of its pivot ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from campaigns.coupon import normalize
from m2s.app.inputs import Basket, PivotId, PurchaseRow, Taken
from m2s.app.pivots import Written, kept_as, write_pivots
from m2s.app.ports import Records
from m2s.app.shoppers import Ground, Moves
from m2s.app.sighting import Rejected
from m2s.core.base.errors import Problem

MOST_ITEMS = 500
"""How many baskets are kept in one transaction."""

LEFT_OUT = "this is another customer's; the rest was taken without it"
MAY_BE_AHEAD = timedelta(minutes=5)
_MAY_BE_OLD = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class _Good:
    index: int
    basket: Basket
    written: Written


class Purchases:
    """Takes baskets."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def take(self, baskets: Sequence[Basket], *, source: str, of_store: str | None = None) -> Taken:
        """Keeps baskets in one transaction, each with a verdict of its own; `of_store` is the till's.

        One that is there, by its store and purchase id, is a duplicate and changes nothing. Without pivot ids it
        belongs to whom its coupon was given, if to anybody.
        """
        catalog, now = self._ground.catalog(), self._ground.clock.now()
        good: list[_Good] = []
        rejected: list[Rejected] = []
        for index, basket in enumerate(baskets):
            store = catalog.stores.get(basket.store_id)
            written = write_pivots(basket.pivots, store.country if store else None)
            problem = _problem(basket, of_store, known=store is not None, now=now)
            for found in written.problems if problem is None else (problem,):
                rejected.append(
                    Rejected(index, basket.purchase_id, found.code, f"{found.pointer}: {found.detail}")
                )
                break
            else:
                good.append(_Good(index, basket, written))

        def keep(records: Records) -> tuple[Taken, Moves]:
            return self._keep(records, good, source=source, now=now)

        taken, _ = self._ground.database.write(keep, then=lambda done: self._ground.moved(done[1]))
        return Taken(taken.accepted, taken.duplicates, rejected, taken.left_out)

    def _keep(
        self, records: Records, good: Sequence[_Good], *, source: str, now: datetime
    ) -> tuple[Taken, Moves]:
        known = records.purchases.known((one.basket.store_id, one.basket.purchase_id) for one in good)
        key = self._ground.key(records)
        new: list[tuple[_Good, list[PivotId]]] = []
        for one in good:
            name = (one.basket.store_id, one.basket.purchase_id)
            if name not in known:
                known.add(name)
                new.append((one, kept_as(one.written, key)))
        shoppers = self._ground.shoppers(records, source=source)
        shoppers.look_up(one for _, pivots in new for one in pivots)
        rows, left_out = [], []
        for one, pivots in new:
            whose = None
            if pivots:
                found = shoppers.of_row(pivots)
                whose = found.shopper_id
                left_out += [
                    Rejected(one.index, one.basket.purchase_id, "pivot_conflict", f"/{kind}: {LEFT_OUT}")
                    for kind in found.left_out
                ]
            rows.append(self._row(records, one.basket, whose, source=source, now=now))
        moves = shoppers.close()
        records.purchases.add([_as_now(row, moves) for row in rows])
        return Taken(len(rows), len(good) - len(rows), [], left_out), moves

    def _row(
        self, records: Records, basket: Basket, whose: str | None, *, source: str, now: datetime
    ) -> PurchaseRow:
        code = _code(basket.coupon_code)
        if whose is None and code is not None and (coupon := records.coupons.coupon(code)) is not None:
            whose = coupon.shopper_id
        return PurchaseRow(
            store_id=basket.store_id,
            purchase_id=basket.purchase_id,
            shopper_id=whose,
            at=basket.at,
            amount=_text(basket.amount),
            discount=_text(basket.discount),
            currency=basket.currency,
            basket_id=basket.basket_id,
            coupon_code=code,
            source=source,
            received_at=now,
        )


def _problem(basket: Basket, of_store: str | None, *, known: bool, now: datetime) -> Problem | None:
    if of_store not in (None, basket.store_id):
        detail = f"this key belongs to a till of store {of_store!r}"
        return Problem("/store_id", "other_store", detail)
    if not known:
        return Problem("/store_id", "unknown_store", "there is no such store")
    if not now - _MAY_BE_OLD <= basket.at <= now + MAY_BE_AHEAD:
        detail = "the time lies more than 5 minutes ahead or more than ten years back"
        return Problem("/at", "time_out_of_range", detail)
    return None


def _as_now(row: PurchaseRow, moves: Moves) -> PurchaseRow:
    if row.shopper_id is None or row.shopper_id not in moves.merged:
        return row
    fields = {name: getattr(row, name) for name in row.__slots__}
    return PurchaseRow(**fields | {"shopper_id": moves.now(row.shopper_id)})


def _code(text: str | None) -> str | None:
    """A coupon's code in the form in which it is kept; one of another house as it is."""
    try:
        return None if text is None else normalize(text)
    except ValueError:
        return text


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"
