"""What do SMS providers tell us, and what must storage do to keep it? Requests of theirs, as values and protocols."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from m2s.app.rows import ConsentRow, MessageRow
from m2s.core.delivery.message import State

WHOLE = 0
"""The part of a receipt that is for all parts of its message."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A request of a provider as it came: header names in small letters, `token` the last part of its path."""

    token: str | None
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is told of a message that was sent, or of one of its `parts` (from 1).

    `status` is the provider's word, `state` what it means: delivered, undelivered, or still on its way (None).
    `opposed` says that it was not delivered because its recipient wants no more; at `phone`, where that is told.
    """

    provider_id: str
    status: str
    state: State | None
    part: int = WHOLE
    parts: int = 1
    opposed: bool = False
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wrote to us; `answered` says that the provider has told her what she asked for.

    `reply_id` tells a repeat of the same from the same words again; None where a provider gives none. Then `marks` are
    what else the provider tells of it.
    """

    reply_id: str | None
    phone: str
    text: str
    answered: bool = False
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """All that one request tells."""

    receipts: tuple[Receipt, ...] = ()
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider is answered: it sends the text in it to who wrote."""

    content_type: str
    body: bytes


class Listener(Protocol):
    """Understands the requests of one provider."""

    def hear(self, callback: Callback) -> Heard:
        """What a request tells.

        Raises Forbidden unless the provider proves that it is its own, and Invalid for what cannot be understood.
        """
        ...

    def answer(self, text: str | None) -> Answer | None:
        """The answer to a request with a reply; None where a provider takes no text in it."""
        ...


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A receipt as it is kept."""

    provider: str
    provider_id: str
    status: str
    state: str | None
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class SentAs:
    """The message that a provider has by an id, and in how many parts it went."""

    message_id: str
    parts: int


class ReceiptRecords(Protocol):
    """What providers told by callbacks."""

    def keep(self, row: ReceiptRow, *, at: datetime) -> bool:
        """Keeps a receipt; False when it is there already."""
        ...

    def of(self, provider_id: str) -> list[ReceiptRow]:
        """All receipts for what a provider calls so."""
        ...

    def told_of(self, provider_ids: Iterable[str]) -> set[str]:
        """Which of these ids have a receipt."""
        ...

    def sent_as(self, provider_id: str) -> SentAs | None:
        """The message that a provider calls so, or whose own id that is; None where there is none."""
        ...

    def shopper_of(self, message_id: str) -> str | None:
        """Whose a message is."""
        ...

    def advance(
        self, message_id: str, *, state: State, reason: str | None, at: datetime
    ) -> MessageRow | None:
        """Moves a message to a state that may follow the one that it is in; None where this may not."""
        ...

    def hear(self, provider: str, reply_id: str, *, at: datetime, since: datetime | None = None) -> bool:
        """Notes that a reply was heard; False when it was before, or was `since` then."""
        ...

    def last_store(self, shopper_ids: Collection[str], *, channel: str) -> str | None:
        """The store of the last message of an offer that shoppers may have got by a channel."""
        ...

    def drop_before(self, before: datetime) -> int:
        """Drops receipts and replies that came before an instant; returns how many receipts."""
        ...


class OppositionRecords(Protocol):
    """Numbers that want no more messages, by their digests."""

    def put(self, channel: str, digest: str, *, at: datetime) -> None:
        """Keeps that nobody at a number wants messages by a channel."""
        ...

    def since(self, channel: str, digest: str) -> datetime | None:
        """Since when nobody at a number wants messages by a channel; None where that is not so."""
        ...

    def drop(self, channel: str, digest: str) -> bool:
        """Takes an opposition back; False where there is none."""
        ...

    def said(self, shopper_ids: Collection[str], channel: str) -> dict[str, list[ConsentRow]]:
        """All statements of shoppers on marketing by a channel, that which counts last."""
        ...

    def take_back_claims(self, shopper_ids: Collection[str], channel: str, *, at: datetime) -> int:
        """Plans claimed messages of shoppers again under a new fence: none of them begins without a new look."""
        ...


class CallbackRecords(Protocol):
    """What providers tell, seen in one transaction."""

    @property
    def receipts(self) -> ReceiptRecords: ...
    @property
    def oppositions(self) -> OppositionRecords: ...
