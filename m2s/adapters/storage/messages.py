"""Which messages wait, who holds them, and how did each attempt end? Leases with a fence number."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, changed, one_of, row_values, write
from m2s.adapters.storage.statements import columns, insert_text, values
from m2s.adapters.storage.tables import PLANNED, WAITING, Instant, attempts, coupons, messages
from m2s.app.outbox import AttemptRow, Wording
from m2s.app.rows import MessageRow
from m2s.core.base.instants import to_ms
from m2s.core.delivery.message import State, states_before
from m2s.core.delivery.retry import ask_again_after

_SET_BACK_AT_MOST = timedelta(days=1)
_MOST_OTHERS = 100
_NAMES = [column.name for column in columns(messages, MessageRow)]
_values = row_values(messages, MessageRow)
_ADD = insert_text(messages, [*_NAMES, "updated_at"])
_ATTEMPT_NAMES = [column.name for column in columns(attempts, AttemptRow)]
_attempt_values = row_values(attempts, AttemptRow)
_ADD_ATTEMPT = insert_text(attempts, _ATTEMPT_NAMES)
_LATER = ", not_before = coalesce(?, not_before), tries = coalesce(?, tries), doubted = max(doubted, ?)"
_BEGIN = (
    "UPDATE messages SET state = 'sending', leased_until_s = ?, updated_at = ?"
    " WHERE id = ? AND fence = ? AND state = 'claimed' AND leased_until_s > ?"
)
_DUE = Query(
    sa.select(messages.c.id)
    .where(sa.text(WAITING), messages.c.not_before <= sa.bindparam("now"), messages.c.state == "planned")
    .limit(1)
)
_CLAIMED = {
    "state": sa.literal_column("'claimed'", sa.Text).label("state"),
    "fence": (messages.c.fence + sa.literal_column("1")).label("fence"),
}
_AS_CLAIMED = [_CLAIMED.get(column.name, column) for column in columns(messages, MessageRow)]
"""Messages as they are once they are claimed."""
_FIRST_TO_EXPIRE = Query(
    sa.select(*_AS_CLAIMED)
    .where(
        sa.text(PLANNED),
        messages.c.channel == sa.bindparam("channel"),
        messages.c.provider == sa.bindparam("provider"),
        messages.c.not_before <= sa.bindparam("now"),
        sa.or_(messages.c.tries == 0, sa.bindparam("again", type_=sa.Integer) > 0),
    )
    # The index's own order: of many that expire together none is read that is not taken.
    .order_by(messages.c.valid_until, messages.c.not_before)
    .limit(sa.bindparam("most"))
)
_BETWEEN = Query(
    sa.select(*_AS_CLAIMED)
    .where(
        sa.text(PLANNED),
        messages.c.channel > sa.bindparam("after"),
        messages.c.channel < sa.bindparam("before"),
        messages.c.not_before <= sa.bindparam("now"),
    )
    .limit(sa.bindparam("most"))
)
_CLAIM = (
    "UPDATE messages SET state = 'claimed', fence = fence + 1, leased_until_s = ?, updated_at = ?"
    " WHERE state = 'planned' AND id IN (SELECT value FROM json_each(?))"
)
_OF_DECISIONS = Query(
    sa.select(*columns(messages, MessageRow)).where(one_of(messages.c.decision_id)).order_by(messages.c.id)
)


@cache
def _settle(state: str, *, later: bool) -> str:
    """What moves a message on to a state; each value to be bound costs more than a word of the text."""
    before = ", ".join(f"'{one}'" for one in states_before(State(state)))
    return (
        f"UPDATE messages SET state = '{State(state)}', reason = ?, updated_at = ?"  # noqa: S608
        f"{'' if state in (State.CLAIMED, State.SENDING) else ', leased_until_s = NULL'}"
        f"{_LATER if later else ''} WHERE id = ? AND fence = ? AND state IN ({before})"
    )


class SqlMessages:
    """The outbox and its attempts."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[MessageRow]) -> None:
        """Appends messages."""
        if rows:
            write(self._connection, _ADD, [[*_values(row), to_ms(row.created_at)] for row in rows])

    def due(self, now: datetime, *, but: Collection[str] = ()) -> bool:
        """Whether any message waits to be sent now by another channel than these."""
        if not but:
            return bool(_DUE.rows(self._connection, now=now))
        return any(self._others(but, now=now, most=1))

    def due_since(self) -> datetime | None:
        """Since when the message that is not settled and was due first has been due; it may be in the future."""
        query = sa.select(sa.func.min(messages.c.not_before)).where(sa.text(WAITING))
        since: datetime | None = self._connection.scalar(query)
        return since

    def claim(
        self,
        channel: str,
        *,
        provider: str = "",
        now: datetime,
        leased_until_s: float,
        limit: int,
        most_again: int,
    ) -> list[MessageRow]:
        """Takes planned messages of a channel that are due, those that expire first: `claimed` under a new fence.

        They are those that wait for a provider of it, without a name those that wait for any. At most `most_again` of
        them have been tried before.
        """
        if limit <= 0:
            return []
        wanted: list[MessageRow] = []
        for found in _FIRST_TO_EXPIRE.rows(
            self._connection, channel=channel, provider=provider, now=now, again=most_again, most=limit
        ):
            row = MessageRow(*found)
            most_again -= row.tries > 0
            if not row.tries or most_again >= 0:
                wanted.append(row)
        return self._claim(wanted, now, leased_until_s)

    def wait_for(self, message_id: str, provider: str) -> None:
        """Has a planned message wait for this provider of its channel."""
        change = sa.update(messages).where(messages.c.id == message_id, messages.c.state == "planned")
        self._connection.execute(change.values(provider=provider))

    def wait_for_any(self) -> None:
        """Has all planned messages wait for any provider of their channels."""
        change = sa.update(messages).where(sa.text(PLANNED), messages.c.provider != "")
        self._connection.execute(change.values(provider=""))

    def claim_others(
        self, channels: Iterable[str], *, now: datetime, leased_until_s: float
    ) -> list[MessageRow]:
        """Takes planned messages that are due on any channel but these."""
        found = [MessageRow(*row) for row in self._others(channels, now=now, most=_MOST_OTHERS)]
        return self._claim(found, now, leased_until_s)

    def _others(self, channels: Iterable[str], *, now: datetime, most: int) -> Iterator[Sequence[Any]]:
        for after, before in pairwise(["", *sorted(channels), "\U0010ffff"]):
            yield from _BETWEEN.rows(self._connection, after=after, before=before, now=now, most=most)

    def _claim(self, rows: list[MessageRow], now: datetime, leased_until_s: float) -> list[MessageRow]:
        """Claims rows that were read as claimed already, in this transaction."""
        if rows:
            ids = json.dumps([row.id for row in rows])
            write(self._connection, _CLAIM, [(leased_until_s, to_ms(now), ids)])
        return sorted(rows, key=lambda row: (row.valid_until, row.id))

    def settle(
        self,
        message_id: str,
        *,
        fence: int,
        state: str,
        reason: str | None,
        at: datetime,
        not_before: datetime | None = None,
        tries: int | None = None,
        doubted: bool = False,
    ) -> bool:
        """Moves a message on if the fence holds and its state may be followed by this one; says whether it did.

        Once `doubted`, it stays so.
        """
        later_ms = None if not_before is None else to_ms(not_before)
        later = () if later_ms is tries is None and not doubted else (later_ms, tries, doubted)
        changes = (reason, to_ms(at), *later, message_id, fence)
        return changed(self._connection, _settle(state, later=bool(later)), changes)

    def reword(self, message_id: str, wording: Wording) -> None:
        """Gives a message another channel, and its words by that."""
        change = sa.update(messages).where(messages.c.id == message_id)
        self._connection.execute(change.values(**values(wording), provider=""))

    def begin(
        self, held: Sequence[MessageRow], *, now_s: float, leased_until_s: float, at: datetime
    ) -> set[str]:
        """Claimed messages become `sending` under a new lease; not those whose lease or fence is over."""
        leased = (leased_until_s, to_ms(at))
        return {
            row.id for row in held if changed(self._connection, _BEGIN, (*leased, row.id, row.fence, now_s))
        }

    def add_attempts(self, rows: Sequence[AttemptRow]) -> None:
        """Appends how calls of channels ended."""
        write(self._connection, _ADD_ATTEMPT, [_attempt_values(row) for row in rows])

    def release_leases(
        self, *, expired_at_s: float | None, at: datetime, resend: Sequence[str] = ()
    ) -> tuple[int, Mapping[str, int]]:
        """Claimed past their lease become planned again, sending ones `unknown`; all when `expired_at_s` is None.

        On the channels in `resend` sending ones become planned again, too. All get a new fence number, so that whoever
        held them can settle nothing any more, and sending ones count a lost worker more. Returns how many were
        claimed, and how many were being sent, by channel.
        """
        after_sending = sa.case((messages.c.channel.in_(resend), "planned"), else_="unknown")
        claimed = self._release("claimed", to=sa.literal("planned"), expired_at_s=expired_at_s, at=at)
        sending = self._release("sending", to=after_sending, expired_at_s=expired_at_s, at=at)
        return len(claimed), Counter(sending)

    def expire(self, now: datetime) -> list[MessageRow]:
        """Planned messages past `valid_until` become `expired`, or `unknown_final` where they may have been sent.

        Returns each as it is now.
        """
        ended = sa.case((messages.c.doubted, "unknown_final"), else_="expired")
        change = (
            sa.update(messages)
            .where(
                sa.text(WAITING),
                # Nothing waits for longer than it is valid, so the index need not be read any further.
                messages.c.not_before <= now,
                messages.c.state == "planned",
                messages.c.valid_until <= now,
            )
            .values(state=ended, reason="valid_until", updated_at=now)
            .returning(*columns(messages, MessageRow))
        )
        return [MessageRow(*row) for row in self._connection.execute(change)]

    def in_doubt(self, now: datetime, *, limit: int) -> list[tuple[MessageRow, datetime]]:
        """Messages that are `unknown` and to be asked for now, each with the instant since when."""
        query = (
            sa.select(messages.c.updated_at, *columns(messages, MessageRow))
            .where(sa.text(WAITING), messages.c.not_before <= now, messages.c.state == "unknown")
            .order_by(messages.c.not_before, messages.c.id)
            .limit(limit)
        )
        return [(MessageRow(*row), since) for since, *row in self._connection.execute(query)]

    def ask_again(self, message_id: str, *, fence: int, not_before: datetime) -> None:
        """Says when an `unknown` message is to be asked for again."""
        change = sa.update(messages).where(
            messages.c.id == message_id, messages.c.fence == fence, messages.c.state == "unknown"
        )
        self._connection.execute(change.values(not_before=not_before))

    def was_accepted(self, message_id: str) -> str | None:
        """The provider's id where an attempt was accepted, though its worker had lost the message."""
        query = sa.select(attempts.c.provider_id).where(
            attempts.c.message_id == message_id, attempts.c.outcome == "accepted"
        )
        return self._connection.scalar(query.limit(1))

    def replay(self, message_id: str, now: datetime) -> bool:
        """A message of a dead letter that is still valid is planned again; False for any other."""
        change = (
            sa.update(messages)
            .where(
                messages.c.id == message_id,
                messages.c.state == "dead_letter",
                messages.c.valid_until > now,
            )
            .values(state="planned", reason="replayed", tries=0, lost=0, not_before=now, updated_at=now)
        )
        return self._connection.execute(change).rowcount == 1

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
    ) -> list[str]:
        """The channels of the messages that were released."""
        change = sa.update(messages).where(sa.text(WAITING), messages.c.state == state)
        if expired_at_s is not None:
            change = change.where(
                # What is due long after need not be read; a claimed one may be, when the clock was set back.
                messages.c.not_before <= at + _SET_BACK_AT_MOST,
                messages.c.leased_until_s <= expired_at_s,
            )
        if state == "sending":
            first_question = sa.literal(at + ask_again_after(timedelta(0)), Instant)
            ask_at = sa.case((to == "unknown", first_question), else_=messages.c.not_before)
            change = change.values(lost=messages.c.lost + 1, doubted=True, not_before=ask_at)
        change = change.values(
            state=to, fence=messages.c.fence + 1, leased_until_s=None, reason="lease ended", updated_at=at
        )
        return list(self._connection.scalars(change.returning(messages.c.channel)))
