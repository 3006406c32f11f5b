"""What must storage do for webhooks? Endpoints, what they are to be told, and every try, as a protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from m2s.core.delivery.webhook import wants

DUE, DELIVERED, FAILED = "due", "delivered", "failed"
"""States of a delivery: to be tried (again), taken by the endpoint, given up."""

ACTIVE, DISABLED = "active", "disabled"
"""States of an endpoint; a disabled one is told nothing, and what happens meanwhile is not kept for it."""


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An address of the retailer's own systems. `events` are patterns, separated by spaces.

    `old_secret` signs beside `secret` until an instant; `reason` says why it is disabled; `failing_since` is when it
    first failed since it last took something.
    """

    id: str
    url: str
    events: str
    description: str
    state: str
    reason: str | None
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    created_at: datetime
    failing_since: datetime | None

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """Those that sign now, the newest first."""
        rotating = self.old_secret_until is not None and now < self.old_secret_until
        return (self.secret, self.old_secret) if rotating and self.old_secret else (self.secret,)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An endpoint that is told events, and the patterns of those that it wants."""

    webhook_id: str
    patterns: frozenset[str]

    def wants(self, event: str) -> bool:
        """Whether it is told an event."""
        return wants(self.patterns, event)


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """What one endpoint is told of one event: `body` as it is sent, and how the last try ended."""

    webhook_id: str
    event_id: str
    type: str
    body: str
    state: str
    tries: int
    next_at: datetime
    created_at: datetime
    status: int | None = None
    detail: str | None = None
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TryRow:
    """How one call ended: the status that was answered, or None, and why it was no success."""

    webhook_id: str
    event_id: str
    at: datetime
    status: int | None
    detail: str | None
    took_ms: int


class WebhookRecords(Protocol):
    """Endpoints, notices and tries."""

    def subscribers(self) -> Sequence[Subscriber]:
        """Every endpoint that is told events."""
        ...

    def endpoints(self) -> list[EndpointRow]:
        """Every endpoint, oldest first."""
        ...

    def endpoint(self, webhook_id: str) -> EndpointRow | None: ...

    def add_endpoint(self, row: EndpointRow) -> None: ...

    def change(self, webhook_id: str, changes: Mapping[str, Any]) -> None:
        """Sets fields of an endpoint."""
        ...

    def remove(self, webhook_id: str) -> bool:
        """Drops an endpoint with all that it was told; False when there is none."""
        ...

    def add(self, rows: Sequence[NoticeRow]) -> None:
        """Keeps notices; one that is kept already changes nothing."""
        ...

    def due(self, webhook_id: str, now: datetime, *, limit: int) -> list[NoticeRow]:
        """What an endpoint is to be told now, first what has been due for longest."""
        ...

    def settle(self, row: NoticeRow, *, tried: TryRow) -> bool:
        """Keeps a try, and the notice as it is after it; False, and nothing kept, when the notice is gone."""
        ...

    def again(self, webhook_id: str, event_id: str, now: datetime) -> NoticeRow | None:
        """Makes a notice due now, with all its tries before it; None when there is none."""
        ...

    def notices(
        self, webhook_id: str, *, state: str | None, before: str | None, limit: int
    ) -> list[tuple[NoticeRow, Sequence[TryRow]]]:
        """What an endpoint was told, newest first, with the tries of each, oldest first.

        `before` is an event's id.
        """
        ...

    def drop_before(self, before: datetime) -> None:
        """Drops notices of before an instant, with their tries, whatever became of them."""
        ...
