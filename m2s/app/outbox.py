"""What must storage do for messages? The outbox, its leases and its attempts, as a protocol."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from m2s.app.rows import MessageRow


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """How one call of a channel ended: the outcome, the provider's id for it, in how many parts, and what it said."""

    message_id: str
    channel: str
    outcome: str
    provider_id: str | None
    detail: str | None
    at: datetime
    parts: int | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """A message's words by one channel, and those by the channels after it (JSON)."""

    channel: str
    title: str | None
    body: str
    fallbacks: str | None


class MessageRecords(Protocol):
    """The outbox and its attempts."""

    def add(self, rows: Sequence[MessageRow]) -> None: ...

    def due(self, now: datetime, *, but: Collection[str] = ()) -> bool:
        """Whether any message waits to be sent now by another channel than these."""
        ...

    def due_since(self) -> datetime | None:
        """Since when the message that is not settled and was due first has been due; it may be in the future."""
        ...

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
        """Takes planned messages of a channel that are due, those that expire first.

        They are those that wait for a provider of it, without a name those that wait for any. They become `claimed`
        under a new fence number. At most `most_again` of them have been tried before.
        """
        ...

    def wait_for(self, message_id: str, provider: str) -> None:
        """Has a planned message wait for this provider of its channel."""
        ...

    def wait_for_any(self) -> None:
        """Has all planned messages wait for any provider of their channels."""
        ...

    def claim_others(
        self, channels: Iterable[str], *, now: datetime, leased_until_s: float
    ) -> list[MessageRow]:
        """Takes planned messages that are due on any channel but these."""
        ...

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
        ...

    def reword(self, message_id: str, wording: Wording) -> None:
        """Gives a message another channel, and its words by that."""
        ...

    def begin(
        self, held: Sequence[MessageRow], *, now_s: float, leased_until_s: float, at: datetime
    ) -> set[str]:
        """Claimed messages become `sending` under a new lease.

        Returns the ids of those that did: not those whose lease or fence is over.
        """
        ...

    def add_attempts(self, rows: Sequence[AttemptRow]) -> None: ...

    def release_leases(
        self, *, expired_at_s: float | None, at: datetime, resend: Sequence[str] = ()
    ) -> tuple[int, Mapping[str, int]]:
        """Claimed past their lease become planned again, sending ones `unknown`; all when `expired_at_s` is None.

        On the channels in `resend` sending ones become planned again, too. Returns how many were claimed, and how
        many were being sent, by channel.
        """
        ...

    def expire(self, now: datetime) -> list[MessageRow]:
        """Planned messages past `valid_until` become `expired`, or `unknown_final` where they may have been sent.

        Returns each as it is now.
        """
        ...

    def in_doubt(self, now: datetime, *, limit: int) -> list[tuple[MessageRow, datetime]]:
        """Messages that are `unknown` and to be asked for now, each with the instant since when."""
        ...

    def ask_again(self, message_id: str, *, fence: int, not_before: datetime) -> None:
        """Says when an `unknown` message is to be asked for again."""
        ...

    def was_accepted(self, message_id: str) -> str | None:
        """The provider's id where an attempt was accepted, though its worker had lost the message."""
        ...

    def replay(self, message_id: str, now: datetime) -> bool:
        """A message of a dead letter that is still valid is planned again; False for any other."""
        ...

    def of_decisions(self, decision_ids: Iterable[str]) -> dict[str, MessageRow]:
        """Messages by the decision that made them; decisions without one are absent."""
        ...

    def of_shopper(self, shopper_id: str, now: datetime) -> list[MessageRow]:
        """Messages of the shopper that are still valid, or whose coupon is, newest first (the wallet)."""
        ...
