"""Which coupons are out, and which were used where? A coupon is redeemed by one conditional update."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text, values
from m2s.adapters.storage.tables import coupons, redemptions
from m2s.app.rows import CouponRow, RedemptionRow

_values = row_values(coupons, CouponRow)
_ADD = insert_text(coupons, [column.name for column in columns(coupons, CouponRow)])
_COUPONS_OF = Query(sa.select(*columns(coupons, CouponRow)).where(one_of(coupons.c.decision_id)))
_REDEMPTION_TIMES = Query(
    sa.select(redemptions.c.shopper_id, redemptions.c.store_id, redemptions.c.at)
    .where(
        one_of(redemptions.c.shopper_id),
        redemptions.c.at >= sa.bindparam("since"),
        redemptions.c.voided_at.is_(None),
    )
    .order_by(redemptions.c.at)
)


class SqlCoupons:
    """Coupons and redemptions."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def issue(self, rows: Sequence[CouponRow]) -> None:
        """Adds coupons."""
        if rows:
            write(self._connection, _ADD, [_values(row) for row in rows])

    def coupon(self, code: str) -> CouponRow | None:
        """The coupon of a code."""
        query = sa.select(*columns(coupons, CouponRow)).where(coupons.c.code == code)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else CouponRow(*row)

    def coupons_of(self, decision_ids: Iterable[str]) -> dict[str, CouponRow]:
        """Coupons by the decision that issued them."""
        rows = [CouponRow(*row) for row in _COUPONS_OF.of(self._connection, decision_ids)]
        return {row.decision_id: row for row in rows}

    def redeem(self, code: str, *, redemption_id: str, now: datetime) -> bool:
        """One conditional update: True for the only redemption of an issued, unexpired coupon."""
        change = (
            sa.update(coupons)
            .where(coupons.c.code == code, coupons.c.state == "issued", coupons.c.expires_at > now)
            .values(state="redeemed", redemption_id=redemption_id)
        )
        return self._connection.execute(change).rowcount == 1

    def reopen(self, code: str, redemption_id: str) -> bool:
        """Takes a redemption back: the coupon is `issued` again; False when another redemption holds it."""
        change = (
            sa.update(coupons)
            .where(coupons.c.code == code, coupons.c.redemption_id == redemption_id)
            .values(state="issued", redemption_id=None)
        )
        return self._connection.execute(change).rowcount == 1

    def add_redemption(self, row: RedemptionRow) -> None:
        """Appends a redemption."""
        self._connection.execute(sa.insert(redemptions), values(row))

    def redemption(self, redemption_id: str) -> RedemptionRow | None:
        """One redemption, voided or not."""
        query = sa.select(*columns(redemptions, RedemptionRow)).where(redemptions.c.id == redemption_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else RedemptionRow(*row)

    def void_redemption(self, redemption_id: str, *, at: datetime) -> bool:
        """Marks a redemption as taken back; False when there is none that still stands."""
        change = (
            sa.update(redemptions)
            .where(redemptions.c.id == redemption_id, redemptions.c.voided_at.is_(None))
            .values(voided_at=at)
        )
        return self._connection.execute(change).rowcount == 1

    def redemption_times(
        self, shopper_ids: Iterable[str], since: datetime
    ) -> dict[tuple[str, str], list[datetime]]:
        """When each shopper redeemed since, by (shopper_id, store_id), oldest first, voided ones left out."""
        found: dict[tuple[str, str], list[datetime]] = {}
        for shopper_id, store_id, at in _REDEMPTION_TIMES.of(self._connection, shopper_ids, since=since):
            found.setdefault((shopper_id, store_id), []).append(at)
        return found
