"""Which baskets are in this file of a till? One line a basket."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from m2s.adapters.importers.rows_csv import (
    PIVOTS,
    BadCell,
    Line,
    amount,
    instant,
    needed,
    pivots,
    read_lines,
    text,
)
from m2s.app.inputs import Basket

REQUIRED = ("purchase_id", "store_id", "at", "amount", "discount", "currency")
_KNOWN = (*REQUIRED, *PIVOTS, "basket_id", "coupon_code")
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_purchases(lines: Iterable[str]) -> Iterator[Line]:
    """The baskets of the lines of a CSV text; see `read_lines`."""
    return read_lines(lines, _basket, required=REQUIRED, known=_KNOWN)


def _basket(cells: Mapping[str, str]) -> Basket:
    at = instant(cells, "at")
    if at is None or "amount" not in cells:
        raise BadCell(f"{'at' if at is None else 'amount'}: the cell is empty")
    currency = needed(cells, "currency")
    if not _CURRENCY.fullmatch(currency):
        raise BadCell("currency: write three capital letters, like EUR")
    return Basket(
        purchase_id=needed(cells, "purchase_id"),
        store_id=needed(cells, "store_id"),
        at=at,
        amount=amount(cells, "amount"),
        discount=amount(cells, "discount") if "discount" in cells else Decimal(0),
        currency=currency,
        pivots=pivots(cells),
        basket_id=text(cells, "basket_id"),
        coupon_code=text(cells, "coupon_code"),
    )
