"""Who is told what, what waits to be told, and how did each try end?"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from m2s.adapters.storage.direct import read, row_values, write
from m2s.adapters.storage.statements import columns, insert_text, values
from m2s.adapters.storage.tables_webhooks import webhook_notices as notices
from m2s.adapters.storage.tables_webhooks import webhook_tries as tries
from m2s.adapters.storage.tables_webhooks import webhooks
from m2s.app.endpoints import EndpointRow, NoticeRow, Subscriber, TryRow
from m2s.core.base.ids import ulid
from m2s.core.base.instants import to_ms

_SUBSCRIBERS = "SELECT id, events FROM webhooks WHERE state = 'active' ORDER BY id"
_ADD = (
    insert_text(notices, [column.name for column in columns(notices, NoticeRow)]) + " ON CONFLICT DO NOTHING"
)
_notice_values = row_values(notices, NoticeRow)


class SqlWebhooks:
    """Endpoints, notices and tries."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def subscribers(self) -> Sequence[Subscriber]:
        """Every endpoint that is told events."""
        found = read(self._connection, _SUBSCRIBERS, ())
        return [Subscriber(webhook_id, frozenset(events.split())) for webhook_id, events in found]

    def endpoints(self) -> list[EndpointRow]:
        """Every endpoint, oldest first."""
        query = sa.select(*columns(webhooks, EndpointRow)).order_by(webhooks.c.created_at, webhooks.c.id)
        return [EndpointRow(*row) for row in self._connection.execute(query)]

    def endpoint(self, webhook_id: str) -> EndpointRow | None:
        """One endpoint."""
        query = sa.select(*columns(webhooks, EndpointRow)).where(webhooks.c.id == webhook_id)
        row = self._connection.execute(query).first()
        return None if row is None else EndpointRow(*row)

    def add_endpoint(self, row: EndpointRow) -> None:
        """Adds an endpoint."""
        self._connection.execute(sa.insert(webhooks), values(row))

    def change(self, webhook_id: str, changes: Mapping[str, Any]) -> None:
        """Sets fields of an endpoint."""
        if changes:
            change = sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**changes)
            self._connection.execute(change)

    def remove(self, webhook_id: str) -> bool:
        """Drops an endpoint with all that it was told; False when there is none."""
        for table in (notices, tries):
            self._connection.execute(sa.delete(table).where(table.c.webhook_id == webhook_id))
        return self._connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 1

    def add(self, rows: Sequence[NoticeRow]) -> None:
        """Keeps notices; one that is kept already changes nothing."""
        write(self._connection, _ADD, [_notice_values(row) for row in rows])

    def due(self, webhook_id: str, now: datetime, *, limit: int) -> list[NoticeRow]:
        """What an endpoint is to be told now, first what has been due for longest."""
        query = (
            sa.select(*columns(notices, NoticeRow))
            .where(
                # As the partial index has it: a bound value would keep SQLite from taking that.
                sa.text("state = 'due'"),
                notices.c.webhook_id == webhook_id,
                notices.c.next_at <= now,
            )
            .order_by(notices.c.next_at, notices.c.event_id)
            .limit(limit)
        )
        return [NoticeRow(*row) for row in self._connection.execute(query)]

    def settle(self, row: NoticeRow, *, tried: TryRow) -> bool:
        """Keeps a try, and the notice as it is after it; False, and nothing kept, when the notice is gone."""
        change = sa.update(notices).where(_is(notices, row.webhook_id, row.event_id))
        if self._connection.execute(change.values(**values(row))).rowcount == 0:
            return False
        self._connection.execute(sa.insert(tries), values(tried))
        return True

    def again(self, webhook_id: str, event_id: str, now: datetime) -> NoticeRow | None:
        """Makes a notice due now, with all its tries before it; None when there is none."""
        change = (
            sa.update(notices)
            .where(_is(notices, webhook_id, event_id))
            .values(state="due", tries=0, next_at=now)
            .returning(*columns(notices, NoticeRow))
        )
        row = self._connection.execute(change).first()
        return None if row is None else NoticeRow(*row)

    def notices(
        self, webhook_id: str, *, state: str | None, before: str | None, limit: int
    ) -> list[tuple[NoticeRow, Sequence[TryRow]]]:
        """What an endpoint was told, newest first, with the tries of each, oldest first.

        `before` is an event's id.
        """
        query = sa.select(*columns(notices, NoticeRow)).where(notices.c.webhook_id == webhook_id)
        if state is not None:
            query = query.where(notices.c.state == state)
        if before is not None:
            query = query.where(notices.c.event_id < before)
        found = self._connection.execute(query.order_by(notices.c.event_id.desc()).limit(limit))
        rows = [NoticeRow(*row) for row in found]
        made: dict[str, list[TryRow]] = {row.event_id: [] for row in rows}
        of_these = (tries.c.webhook_id == webhook_id, tries.c.event_id.in_(made))
        for row in self._connection.execute(
            sa.select(*columns(tries, TryRow)).where(*of_these).order_by(tries.c.seq)
        ):
            made[row.event_id].append(TryRow(*row))
        return [(row, made[row.event_id]) for row in rows]

    def drop_before(self, before: datetime) -> None:
        """Drops notices of before an instant, with their tries, whatever became of them."""
        # Ids begin with the time, so what is old stands together and nothing else is read.
        first_kept = f"evt_{ulid(to_ms(before), bytes(10))}"
        for table in (tries, notices):
            of_anybody = table.c.webhook_id.in_(sa.select(webhooks.c.id))
            self._connection.execute(sa.delete(table).where(of_anybody, table.c.event_id < first_kept))


def _is(table: sa.Table, webhook_id: str, event_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.webhook_id == webhook_id, table.c.event_id == event_id)
