"""What have providers told, and which numbers want no more messages? Receipts, replies heard, oppositions."""

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.devices import COUNTS_FROM
from m2s.adapters.storage.direct import Query, one_of
from m2s.adapters.storage.statements import columns, upsert, values
from m2s.adapters.storage.tables import SENT_AS, attempts, messages
from m2s.adapters.storage.tables_callbacks import oppositions, receipts, replies
from m2s.adapters.storage.tables_people import consents
from m2s.app.callbacks import ReceiptRow, SentAs
from m2s.app.rows import ConsentRow, MessageRow
from m2s.core.delivery.message import MAY_HAVE_LEFT, State, states_before

_SENT_AS = Query(
    sa.select(attempts.c.message_id, sa.func.max(attempts.c.parts))
    .where(
        sa.text(SENT_AS),
        attempts.c.provider_id == sa.bindparam("provider_id"),
        attempts.c.outcome == "accepted",
    )
    .group_by(attempts.c.message_id)
    .order_by(sa.func.max(attempts.c.seq).desc())
    .limit(1)
)
_TOLD_OF = Query(sa.select(receipts.c.provider_id).distinct().where(one_of(receipts.c.provider_id)))
_CONSENTS = Query(
    sa.select(consents.c.shopper_id, *columns(consents, ConsentRow))
    .where(
        one_of(consents.c.shopper_id),
        consents.c.purpose == "marketing",
        consents.c.channel == sa.bindparam("channel"),
    )
    .order_by(COUNTS_FROM, consents.c.granted.desc(), consents.c.seq)
)


class SqlReceipts:
    """What providers told by callbacks."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, row: ReceiptRow, *, at: datetime) -> bool:
        """Keeps a receipt; False when it is there already."""
        add = insert(receipts).on_conflict_do_nothing()
        return self._connection.execute(add, values(row) | {"received_at": at}).rowcount == 1

    def of(self, provider_id: str) -> list[ReceiptRow]:
        """All receipts for what a provider calls so."""
        query = sa.select(*columns(receipts, ReceiptRow)).where(receipts.c.provider_id == provider_id)
        return [ReceiptRow(*row) for row in self._connection.execute(query)]

    def told_of(self, provider_ids: Iterable[str]) -> set[str]:
        """Which of these ids have a receipt."""
        return {provider_id for (provider_id,) in _TOLD_OF.of(self._connection, provider_ids)}

    def sent_as(self, provider_id: str) -> SentAs | None:
        """The message that a provider calls so, or whose own id that is; None where there is none."""
        for message_id, parts in _SENT_AS.rows(self._connection, provider_id=provider_id):
            return SentAs(message_id, parts or 1)
        own = sa.select(messages.c.id).where(messages.c.id == provider_id)
        return None if self._connection.scalar(own) is None else SentAs(provider_id, 1)

    def shopper_of(self, message_id: str) -> str | None:
        """Whose a message is."""
        return self._connection.scalar(sa.select(messages.c.shopper_id).where(messages.c.id == message_id))

    def advance(
        self, message_id: str, *, state: State, reason: str | None, at: datetime
    ) -> MessageRow | None:
        """Moves a message to a state that may follow the one that it is in; None where this may not."""
        change = (
            sa.update(messages)
            .where(messages.c.id == message_id, messages.c.state.in_(states_before(state)))
            .values(state=state, reason=reason, leased_until_s=None, updated_at=at)
            .returning(*columns(messages, MessageRow))
        )
        row = self._connection.execute(change).one_or_none()
        return None if row is None else MessageRow(*row)

    def hear(self, provider: str, reply_id: str, *, at: datetime, since: datetime | None = None) -> bool:
        """Notes that a reply was heard; False when it was before, or was `since` then."""
        row = {"provider": provider, "reply_id": reply_id, "received_at": at}
        add = insert(replies).values(row)
        if since is None:
            add = add.on_conflict_do_nothing()
        else:
            add = add.on_conflict_do_update(set_={"received_at": at}, where=replies.c.received_at < since)
        return self._connection.execute(add).rowcount == 1

    def last_store(self, shopper_ids: Collection[str], *, channel: str) -> str | None:
        """The store of the last message of an offer that shoppers may have got by a channel."""
        query = (
            sa.select(messages.c.store_id)
            .where(
                messages.c.shopper_id.in_(sorted(shopper_ids)),
                messages.c.channel == channel,
                messages.c.campaign_id != "",
                messages.c.state.in_(sorted(MAY_HAVE_LEFT)),
            )
            .order_by(messages.c.updated_at.desc(), messages.c.id.desc())
        )
        return self._connection.scalar(query.limit(1))

    def drop_before(self, before: datetime) -> int:
        """Drops receipts and replies that came before an instant; returns how many receipts."""
        self._connection.execute(sa.delete(replies).where(replies.c.received_at < before))
        return self._connection.execute(sa.delete(receipts).where(receipts.c.received_at < before)).rowcount


class SqlOppositions:
    """Numbers that want no more messages, by their digests."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, channel: str, digest: str, *, at: datetime) -> None:
        """Keeps that nobody at a number wants messages by a channel."""
        upsert(self._connection, oppositions, values={"channel": channel, "digest": digest, "at": at})

    def since(self, channel: str, digest: str) -> datetime | None:
        """Since when nobody at a number wants messages by a channel; None where that is not so."""
        query = sa.select(oppositions.c.at).where(*_is(channel, digest))
        return self._connection.scalar(query)

    def drop(self, channel: str, digest: str) -> bool:
        """Takes an opposition back; False where there is none."""
        return self._connection.execute(sa.delete(oppositions).where(*_is(channel, digest))).rowcount == 1

    def said(self, shopper_ids: Collection[str], channel: str) -> dict[str, list[ConsentRow]]:
        """All statements of shoppers on marketing by a channel, that which counts last."""
        found: dict[str, list[ConsentRow]] = {}
        for shopper_id, *row in _CONSENTS.of(self._connection, shopper_ids, channel=channel):
            found.setdefault(shopper_id, []).append(ConsentRow(*row))
        return found

    def take_back_claims(self, shopper_ids: Collection[str], channel: str, *, at: datetime) -> int:
        """Plans claimed messages of shoppers again under a new fence: none of them begins without a new look."""
        change = (
            sa.update(messages)
            .where(
                messages.c.shopper_id.in_(sorted(shopper_ids)),
                messages.c.channel == channel,
                messages.c.state == "claimed",
            )
            .values(state="planned", fence=messages.c.fence + 1, leased_until_s=None, updated_at=at)
        )
        return self._connection.execute(change).rowcount


def _is(channel: str, digest: str) -> tuple[sa.ColumnElement[bool], ...]:
    return oppositions.c.channel == channel, oppositions.c.digest == digest
