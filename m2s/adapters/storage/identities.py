"""Whose is which pivot id, and how do two shoppers become one? What is kept of them is given from one to the other."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from datetime import datetime

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, read, write
from m2s.adapters.storage.statements import insert_text
from m2s.adapters.storage.tables_inputs import crossings, merges, pivots
from m2s.adapters.storage.tables_people import consents, shoppers
from m2s.app.inputs import Held, Join, PivotId, Statement
from m2s.core.base.instants import to_ms

_HOLDERS = Query(
    sa.select(pivots.c.value, pivots.c.shopper_id, pivots.c.vouched).where(
        pivots.c.kind == sa.bindparam("kind"), one_of(pivots.c.value)
    )
)
_HELD_BY = Query(
    sa.select(pivots.c.kind, pivots.c.value, pivots.c.shopper_id, pivots.c.vouched)
    .where(one_of(pivots.c.shopper_id))
    .order_by(pivots.c.kind, pivots.c.value)
)
_CROSSED = Query(sa.select(crossings.c.shopper_id).where(one_of(crossings.c.experiment)).distinct())
_ADD_SHOPPERS = insert_text(shoppers, ["id", "created_at"])
_HOLD = insert_text(pivots, ["kind", "value", "shopper_id", "vouched", "source", "at"])
_TAKE_OVER = (
    " ON CONFLICT (kind, value) DO UPDATE SET shopper_id = excluded.shopper_id,"
    " vouched = excluded.vouched, source = excluded.source, at = excluded.at"
)
_MOVED = (
    *("devices", "consents", "evidence", "visits", "regulars", "decisions", "messages", "coupons"),
    *("redemptions", "purchases", "research", "pivots", "crossings", "assignments", "presence", "customers"),
)
"""What belongs to a shopper. Where both have a row with the same key, the other statements leave the one that rules."""
_STATE = ["shopper_id", "source", "purpose", "channel", "granted", "text_version", "at", "received_at"]


class SqlIdentities:
    """Pivot ids, and shoppers that became one."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_shoppers(self, shopper_ids: Iterable[str], *, at: datetime) -> None:
        """Adds shoppers without a device."""
        write(self._connection, _ADD_SHOPPERS, [(shopper_id, to_ms(at)) for shopper_id in shopper_ids])

    def holders(self, pivots: Iterable[PivotId]) -> dict[PivotId, Held]:
        """Whose each pivot id is; those of nobody are absent."""
        of_kind: dict[str, list[str]] = {}
        for kind, value in pivots:
            of_kind.setdefault(kind, []).append(value)
        return {
            (kind, value): Held((kind, value), shopper_id, vouched)
            for kind, values in of_kind.items()
            for value, shopper_id, vouched in _HOLDERS.of(self._connection, values, kind=kind)
        }

    def held_by(self, shopper_ids: Iterable[str]) -> dict[str, list[Held]]:
        """The pivot ids of each shopper that has any."""
        found: dict[str, list[Held]] = {}
        for kind, value, shopper_id, vouched in _HELD_BY.of(self._connection, shopper_ids):
            found.setdefault(shopper_id, []).append(Held((kind, value), shopper_id, vouched))
        return found

    def hold(self, rows: Sequence[Held], *, source: str, at: datetime) -> None:
        """Gives pivot ids to shoppers, also those that others have."""
        kept = [(*row.pivot, row.shopper_id, row.vouched, source, to_ms(at)) for row in rows]
        write(self._connection, _HOLD + _TAKE_OVER, kept)

    def elder(self, shopper_ids: Collection[str]) -> str:
        """The one of the shoppers that is known longest."""
        query = sa.select(shoppers.c.id).where(shoppers.c.id.in_(list(shopper_ids)))
        found: str = (
            self._connection.scalars(query.order_by(shoppers.c.created_at, shoppers.c.id)).first() or ""
        )
        return found

    def earliest_evidence(self, shopper_id: str) -> dict[str, int]:
        """When (ms) the earliest evidence that is kept of a shopper happened, by store."""
        text = "SELECT store_id, min(at_ms) FROM evidence WHERE shopper_id = ? GROUP BY store_id"
        return dict(read(self._connection, text, (shopper_id,)))

    def merge(self, shopper_id: str, *, into: str, source: str, at: datetime) -> None:
        """Makes everything that is kept of a shopper another shopper's; visits are to be folded again after it.

        Of two recorded arms the earlier rules, and where they differ the pair is kept as crossed.
        """
        names = {"old": shopper_id, "new": into, "at": to_ms(at), "source": source}
        with closing(self._connection.connection.cursor()) as cursor:
            for text in _MERGE:
                cursor.execute(text, names)

    def joined(self, shopper_id: str) -> list[Join]:
        """How this shopper became another one, or else others this one, by time."""
        either = (merges.c.shopper_id == shopper_id) | (merges.c.into_id == shopper_id)
        query = sa.select(merges.c.shopper_id, merges.c.into_id, merges.c.at).where(either)
        return [
            Join(*row) for row in self._connection.execute(query.order_by(merges.c.at, merges.c.shopper_id))
        ]

    def crossed(self, experiments: Collection[str]) -> set[str]:
        """Shoppers with both arms of one of the experiments."""
        return {shopper_id for (shopper_id,) in _CROSSED.of(self._connection, experiments)}

    def state(self, shopper_id: str, rows: Sequence[Statement], *, now: datetime) -> None:
        """Adds consent statements of the base but those that are there; each counts from its own time, or from now."""
        for row in rows:
            said = row.consent
            known = sa.select(consents.c.seq).where(
                consents.c.shopper_id == shopper_id,
                consents.c.purpose == said.purpose,
                consents.c.channel.is_(None) if said.channel is None else consents.c.channel == said.channel,
                consents.c.granted == said.granted,
                consents.c.text_version == said.text_version,
                consents.c.at == said.at,
                consents.c.device_id.is_(None),
            )
            if self._connection.scalar(known) is None:
                received_at = min(said.at, now)
                values = (said.purpose, said.channel, said.granted, said.text_version, said.at, received_at)
                kept = dict(zip(_STATE, (shopper_id, row.source, *values), strict=True))
                self._connection.execute(sa.insert(consents), kept)

    def oppose(self, shopper_id: str, *, to: str) -> None:
        """Copies the withdrawals for SMS of a shopper to another, who has the number from now on."""
        self._connection.execute(_OPPOSE, {"old": shopper_id, "new": to})


_MERGE = (
    # Two arms of one experiment: who has both is compared with nobody.
    "INSERT OR IGNORE INTO crossings (shopper_id, experiment, at)"
    " SELECT :new, mine.experiment, :at FROM assignments AS mine JOIN assignments AS other"
    " ON other.experiment = mine.experiment AND other.shopper_id = :old"
    " WHERE mine.shopper_id = :new AND mine.arm <> other.arm",
    "DELETE FROM assignments WHERE shopper_id = :new AND EXISTS (SELECT 1 FROM assignments AS other"
    " WHERE other.shopper_id = :old AND other.experiment = assignments.experiment"
    " AND other.at < assignments.at)",
    "DELETE FROM presence WHERE shopper_id = :new AND EXISTS (SELECT 1 FROM presence AS other"
    " WHERE other.shopper_id = :old AND other.store_id = presence.store_id"
    " AND other.zone_id = presence.zone_id AND other.last_at_ms > presence.last_at_ms)",
    "UPDATE customers SET"
    " since = min(coalesce(customers.since, other.since), coalesce(other.since, customers.since)),"
    " last_purchase_at = max(coalesce(customers.last_purchase_at, other.last_purchase_at),"
    " coalesce(other.last_purchase_at, customers.last_purchase_at)),"
    " imported_at = min(customers.imported_at, other.imported_at)"
    " FROM customers AS other WHERE other.shopper_id = :old AND customers.shopper_id = :new",
    "UPDATE shoppers SET phone = other.phone, country = other.country"
    " FROM shoppers AS other WHERE other.id = :old AND other.phone IS NOT NULL"
    " AND shoppers.id = :new AND shoppers.phone IS NULL",
    *(
        text
        for table in _MOVED
        for text in (
            f"UPDATE OR IGNORE {table} SET shopper_id = :new WHERE shopper_id = :old",  # noqa: S608
            f"DELETE FROM {table} WHERE shopper_id = :old",  # noqa: S608
        )
    ),
    "UPDATE merges SET into_id = :new WHERE into_id = :old",
    "INSERT INTO merges (shopper_id, into_id, source, at) VALUES (:old, :new, :source, :at)",
    "DELETE FROM shoppers WHERE id = :old",
)
_OPPOSE = sa.text(
    "INSERT INTO consents"
    " (shopper_id, device_id, source, purpose, channel, granted, text_version, at, received_at)"
    " SELECT :new, device_id, source, purpose, channel, granted, text_version, at, received_at FROM consents"
    " WHERE shopper_id = :old AND purpose = 'marketing' AND channel = 'sms' AND NOT granted ORDER BY seq"
)
