"""Who is a customer already? The retailer's own base with its pivot ids and consents, each row once and again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from m2s.app.inputs import BaseRow, PivotId, Statement, Taken
from m2s.app.opposition import heed_opposition
from m2s.app.pivots import Written, country_of, kept_as, write_pivots
from m2s.app.ports import Records
from m2s.app.purchases import LEFT_OUT, MAY_BE_AHEAD
from m2s.app.shoppers import Ground, Moves
from m2s.app.sighting import Rejected
from m2s.core.base.errors import Problem

_SOURCE = "customers"
_DAY = timedelta(days=1)


class Customers:
    """Takes rows of the retailer's own base."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def take(self, rows: Sequence[BaseRow], *, country: str | None = None) -> Taken:
        """Keeps rows in one transaction, each with a verdict of its own; `country` is that of phone numbers.

        A row that is told again changes nothing. A phone number is kept as that to which SMS go where the row grants
        them and none is known. A withdrawal for SMS counts for everybody whose SMS go to its number.
        """
        now = self._ground.clock.now()
        country = country or self._ground.country()
        good: list[tuple[int, BaseRow, Written]] = []
        rejected: list[Rejected] = []
        for index, row in enumerate(rows):
            written = write_pivots(row.pivots, country)
            problem = next(iter(_problems(row, written, now=now)), None)
            if problem is None:
                good.append((index, row, written))
            else:
                detail = f"{problem.pointer}: {problem.detail}" if problem.pointer else problem.detail
                rejected.append(Rejected(index, None, problem.code, detail))

        def keep(records: Records) -> tuple[list[Rejected], Moves]:
            return self._keep(records, good, now=now)

        left_out, _ = self._ground.database.write(keep, then=lambda done: self._ground.moved(done[1]))
        return Taken(len(good), 0, rejected, left_out)

    def _keep(
        self, records: Records, good: Sequence[tuple[int, BaseRow, Written]], *, now: datetime
    ) -> tuple[list[Rejected], Moves]:
        key = self._ground.key(records)
        pivots: list[list[PivotId]] = [kept_as(written, key) for _, _, written in good]
        shoppers = self._ground.shoppers(records, source=_SOURCE)
        shoppers.look_up(one for its in pivots for one in its)
        left_out = []
        whose: list[str] = []
        for (index, _, _), its in zip(good, pivots, strict=True):
            found = shoppers.of_row(its)
            whose.append(found.shopper_id)
            left_out += [
                Rejected(index, None, "pivot_conflict", f"/{kind}: {LEFT_OUT}") for kind in found.left_out
            ]
        moves = shoppers.close()
        for (index, row, written), shopper_id in zip(good, whose, strict=True):
            reached = moves.now(shopper_id)
            records.purchases.put_customers({reached: row}, at=now)
            said = any(one.index == index and one.detail.startswith("/phone") for one in left_out)
            _state(records, reached, row.statements, phone=None if said else written.phone, now=now)
        return left_out, moves


def _state(
    records: Records, shopper_id: str, statements: Sequence[Statement], *, phone: str | None, now: datetime
) -> None:
    records.identities.state(shopper_id, statements, now=now)
    sms = [one for one in statements if one.consent.channel == "sms"]
    if phone is None or not sms:
        return
    if any(one.consent.granted for one in sms):
        if records.devices.shoppers([shopper_id])[shopper_id].phone is None:
            records.devices.set_phone(shopper_id, phone, country=country_of(phone))
            heed_opposition(records, shopper_id, phone)
        return
    for other in records.devices.shoppers_with_phone(phone):
        if other != shopper_id:
            records.identities.state(other, sms, now=now)


def _problems(row: BaseRow, written: Written, *, now: datetime) -> list[Problem]:
    if written.problems:
        return list(written.problems)
    if not written.ids:
        detail = "give one at least of customer_id, loyalty_id, phone, email"
        return [Problem("", "missing_pivot", detail)]
    until = {"since": (row.since, now), "last_purchase_at": (row.last_purchase_at, now)}
    for one in row.statements:
        # A withdrawal of which only the day is known counts until that day is over.
        most = now if one.consent.granted else now + _DAY
        until[f"{one.consent.channel or 'location'}_consent_at"] = (one.consent.at, most)
    return [
        Problem(f"/{name}", "time_out_of_range", "the time lies more than 5 minutes ahead")
        for name, (at, most) in until.items()
        if at is not None and at > most + MAY_BE_AHEAD
    ]
