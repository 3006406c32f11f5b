"""Which messages wait, who holds them, and how did each attempt end? Leases with a fence number."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text
from m2s.adapters.storage.tables import WAITING, attempts, coupons, messages
from m2s.app.rows import MessageRow
from m2s.core.base.instants import to_ms
from m2s.core.delivery.message import State, states_before

_SET_BACK_AT_MOST = timedelta(days=1)
_NAMES = [column.name for column in columns(messages, MessageRow)]
_values = row_values(messages, MessageRow)
_ADD = insert_text(messages, [*_NAMES, "updated_at"])
_OF_DECISIONS = Query(
    sa.select(*columns(messages, MessageRow)).where(one_of(messages.c.decision_id)).order_by(messages.c.id)
)


class SqlMessages:
    """The outbox and its attempts."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[MessageRow]) -> None:
        """Appends messages."""
        if rows:
            write(self._connection, _ADD, [[*_values(row), to_ms(row.created_at)] for row in rows])

    def claim(self, *, now: datetime, leased_until_s: float, limit: int) -> list[MessageRow]:
        """Takes planned messages that are due, longest due first: they become `claimed` under a new fence number."""
        due = (
            sa.select(messages.c.id)
            .where(sa.text(WAITING), messages.c.state == "planned", messages.c.not_before <= now)
            .order_by(messages.c.not_before, messages.c.id)
            .limit(limit)
        )
        change = (
            sa.update(messages)
            .where(messages.c.id.in_(due))
            .values(
                state="claimed",
                fence=messages.c.fence + 1,
                tries=messages.c.tries + 1,
                leased_until_s=leased_until_s,
                updated_at=now,
            )
            .returning(*columns(messages, MessageRow))
        )
        claimed = [MessageRow(*row) for row in self._connection.execute(change)]
        return sorted(claimed, key=lambda row: (row.not_before, row.id))

    def settle(
        self,
        message_id: str,
        *,
        fence: int,
        state: str,
        reason: str | None,
        at: datetime,
        not_before: datetime | None = None,
    ) -> bool:
        """Moves a message on if the fence holds and its state may be followed by this one; says whether it did."""
        change = (
            sa.update(messages)
            .where(
                messages.c.id == message_id,
                messages.c.fence == fence,
                messages.c.state.in_(states_before(State(state))),
            )
            .values(state=state, reason=reason, updated_at=at)
        )
        if not_before is not None:
            change = change.values(not_before=not_before)
        if state not in ("claimed", "sending"):
            change = change.values(leased_until_s=None)
        return self._connection.execute(change).rowcount == 1

    def begin(
        self, message_id: str, *, fence: int, now_s: float, leased_until_s: float, at: datetime
    ) -> bool:
        """A claimed message becomes `sending` under a new lease; False when its lease or its fence is over."""
        change = (
            sa.update(messages)
            .where(
                messages.c.id == message_id,
                messages.c.fence == fence,
                messages.c.state == "claimed",
                messages.c.leased_until_s > now_s,
            )
            .values(state="sending", leased_until_s=leased_until_s, updated_at=at)
        )
        return self._connection.execute(change).rowcount == 1

    def add_attempt(
        self,
        message_id: str,
        *,
        channel: str,
        outcome: str,
        provider_id: str | None,
        detail: str | None,
        at: datetime,
    ) -> None:
        """Appends how one call of a channel ended."""
        row = {
            "message_id": message_id,
            "channel": channel,
            "outcome": outcome,
            "provider_id": provider_id,
            "detail": detail,
            "at": at,
        }
        self._connection.execute(sa.insert(attempts), row)

    def release_leases(
        self, *, expired_at_s: float | None, at: datetime, resend: Sequence[str] = ()
    ) -> tuple[int, int]:
        """Claimed past their lease become planned again, sending ones `unknown`; all when `expired_at_s` is None.

        On the channels in `resend` sending ones become planned again, too. All get a new fence number, so that whoever
        held them can settle nothing any more, and sending ones count a lost worker more. Returns how many of each
        there were.
        """
        after_sending = sa.case((messages.c.channel.in_(resend), "planned"), else_="unknown")
        return (
            self._release("claimed", to=sa.literal("planned"), expired_at_s=expired_at_s, at=at),
            self._release("sending", to=after_sending, expired_at_s=expired_at_s, at=at),
        )

    def expire(self, now: datetime) -> int:
        """Planned messages past `valid_until` become `expired`; returns how many."""
        change = (
            sa.update(messages)
            .where(
                sa.text(WAITING),
                # Nothing waits for longer than it is valid, so the index need not be read any further.
                messages.c.not_before <= now,
                messages.c.state == "planned",
                messages.c.valid_until <= now,
            )
            .values(state="expired", reason="valid_until", updated_at=now)
        )
        return self._connection.execute(change).rowcount

    def of_decisions(self, decision_ids: Iterable[str]) -> dict[str, MessageRow]:
        """Messages by the decision that made them; decisions without one are absent."""
        rows = [MessageRow(*row) for row in _OF_DECISIONS.of(self._connection, decision_ids)]
        return {row.decision_id: row for row in rows}

    def of_shopper(self, shopper_id: str, now: datetime) -> list[MessageRow]:
        """Messages of the shopper that are still valid or whose coupon still is, in any state, newest first."""
        good_coupon = sa.exists().where(
            coupons.c.decision_id == messages.c.decision_id,
            coupons.c.state == "issued",
            coupons.c.expires_at > now,
        )
        query = (
            sa.select(*columns(messages, MessageRow))
            .where(messages.c.shopper_id == shopper_id, sa.or_(messages.c.valid_until > now, good_coupon))
            .order_by(messages.c.created_at.desc(), messages.c.id.desc())
        )
        return [MessageRow(*row) for row in self._connection.execute(query)]

    def _release(
        self, state: str, *, to: sa.ColumnElement[str], expired_at_s: float | None, at: datetime
    ) -> int:
        change = sa.update(messages).where(sa.text(WAITING), messages.c.state == state)
        if expired_at_s is not None:
            change = change.where(
                # What is due long after need not be read; a claimed one may be, when the clock was set back.
                messages.c.not_before <= at + _SET_BACK_AT_MOST,
                messages.c.leased_until_s <= expired_at_s,
            )
        if state == "sending":
            change = change.values(lost=messages.c.lost + 1)
        change = change.values(
            state=to, fence=messages.c.fence + 1, leased_until_s=None, reason="lease ended", updated_at=at
        )
        return self._connection.execute(change).rowcount
