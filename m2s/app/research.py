"""What did shoppers look up online? Research events of apps and of the retailer's site, each kept once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from m2s.app.catalog import Catalog
from m2s.app.inputs import Lookup, Pivots, ResearchRow, Taken
from m2s.app.pivots import Written, kept_as, write_pivots
from m2s.app.ports import Records
from m2s.app.purchases import LEFT_OUT, MAY_BE_AHEAD
from m2s.app.rows import DeviceRow
from m2s.app.shoppers import Ground, Moves
from m2s.app.sighting import Rejected
from m2s.core.base.errors import Problem
from m2s.core.base.instants import from_ms, to_ms

SERVER = "server"
"""The sender of what the retailer's server tells by pivot ids."""

_MAY_BE_OLD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Good:
    index: int
    item: Lookup
    written: Written
    at: datetime


class Research:
    """Takes research events."""

    def __init__(self, ground: Ground, *, looked_up: Callable[[Records, Collection[str]], object]) -> None:
        """`looked_up` is told in the same transaction who looked something up: there may be an offer for her."""
        self._ground = ground
        self._looked_up = looked_up

    def take(
        self, lookups: Sequence[Lookup], *, own: DeviceRow | None, sent_at: datetime | None = None
    ) -> Taken:
        """Keeps research events in one transaction, each with a verdict of its own.

        `own` is the device that tells of itself; the retailer's server says for each whose it is. The time is told
        as that of sightings: an age beats a clock, and `sent_at` tells how wrong the sender's clock is.
        """
        ahead_ms = 0 if sent_at is None else to_ms(sent_at) - to_ms(self._ground.clock.now())

        def keep(records: Records) -> tuple[Taken, Moves]:
            return self._keep(records, lookups, own=own, ahead_ms=ahead_ms)

        taken, _ = self._ground.database.write(keep, then=lambda done: self._ground.moved(done[1]))
        return taken

    def _keep(
        self, records: Records, lookups: Sequence[Lookup], *, own: DeviceRow | None, ahead_ms: int
    ) -> tuple[Taken, Moves]:
        now = self._ground.clock.now()
        named = {item.device_id for item in lookups if item.device_id is not None}
        devices = records.devices.devices(named | ({own.id} if own else set()))
        key = self._ground.key(records)
        good, rejected = self._judged(lookups, own=own, known=devices.keys(), now=now, ahead_ms=ahead_ms)
        known = records.research.known((_sender(one.item, own), one.item.id) for one in good)
        shoppers = self._ground.shoppers(records, source="research")
        shoppers.look_up(pivot for one in good for pivot in kept_as(one.written, key))
        rows, left_out = [], []
        for one in good:
            name = (_sender(one.item, own), one.item.id)
            if name in known:
                continue
            known.add(name)
            device_id = own.id if own else one.item.device_id
            if device_id is not None:
                rows.append((one, devices[device_id].shopper_id))
                continue
            found = shoppers.of_row(kept_as(one.written, key))
            rows.append((one, found.shopper_id))
            left_out += [
                Rejected(one.index, one.item.id, "pivot_conflict", f"/{kind}: {LEFT_OUT}")
                for kind in found.left_out
            ]
        moves = shoppers.close()
        kept = [_row(one, moves.now(whose), own=own, now=now) for one, whose in rows]
        records.research.add(kept)
        self._looked_up(records, {row.shopper_id for row in kept})
        return Taken(len(rows), len(good) - len(rows), rejected, left_out), moves

    def _judged(
        self,
        lookups: Sequence[Lookup],
        *,
        own: DeviceRow | None,
        known: Collection[str],
        now: datetime,
        ahead_ms: int,
    ) -> tuple[list[_Good], list[Rejected]]:
        catalog = self._ground.catalog()
        country = self._ground.country()
        good, rejected = [], []
        for index, item in enumerate(lookups):
            at_ms = _happened(item, now=now, ahead_ms=ahead_ms)
            written = write_pivots(item.pivots, country)
            problem = _whose_problem(item, own, known=known, written=written)
            problem = problem or _problem(item, at_ms, catalog=catalog, now=now)
            if problem is not None:
                detail = f"{problem.pointer}: {problem.detail}" if problem.pointer else problem.detail
                rejected.append(Rejected(index, item.id, problem.code, detail))
            elif at_ms is not None:
                good.append(_Good(index, item, written, from_ms(at_ms)))
        return good, rejected


def _happened(item: Lookup, *, now: datetime, ahead_ms: int) -> int | None:
    if item.age_ms is not None:
        return to_ms(now) - item.age_ms
    return None if item.at is None else to_ms(item.at) - ahead_ms


def _sender(item: Lookup, own: DeviceRow | None) -> str:
    return own.id if own else item.device_id or SERVER


def _row(one: _Good, whose: str, *, own: DeviceRow | None, now: datetime) -> ResearchRow:
    return ResearchRow(
        sender=_sender(one.item, own),
        research_id=one.item.id,
        shopper_id=whose,
        topic=one.item.topic,
        store_id=one.item.store_id,
        product=one.item.product,
        at=one.at,
        received_at=now,
    )


def _whose_problem(
    item: Lookup, own: DeviceRow | None, *, known: Collection[str], written: Written
) -> Problem | None:
    told = item.pivots != Pivots()
    if own is not None:
        if item.device_id not in (None, own.id) or told:
            detail = "a device token tells of its own shopper only: leave device_id and pivot ids out"
            return Problem("", "other_device", detail)
        return None
    if (item.device_id is None) == (not told):
        detail = "role `server` says whose it is: by `device_id` or by pivot ids"
        return Problem("", "missing_device", detail)
    if item.device_id is not None and item.device_id not in known:
        return Problem("/device_id", "unknown_device", "no such device is registered")
    return next(iter(written.problems), None)


def _problem(item: Lookup, at_ms: int | None, *, catalog: Catalog, now: datetime) -> Problem | None:
    if at_ms is None:
        detail = "give `age_ms`, the age at sending, or `at`, the time with its offset"
        return Problem("", "missing_time", detail)
    if not to_ms(now - _MAY_BE_OLD) <= at_ms <= to_ms(now + MAY_BE_AHEAD):
        return Problem("/at", "time_out_of_range", "more than 30 days old or 5 minutes ahead")
    if item.store_id is not None and item.store_id not in catalog.stores:
        return Problem("/store_id", "unknown_store", "there is no such store")
    return None
