"""Which of the retailer's own systems are told what? Endpoints: made, changed, given new secrets, looked into."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from m2s.app.endpoints import ACTIVE, DISABLED, EndpointRow, NoticeRow, TryRow
from m2s.app.notify import MOST_ENDPOINTS, no_endpoint
from m2s.app.ports import Database, Records
from m2s.core.base.errors import Conflict, Invalid, NotFound, Problem
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock
from m2s.core.delivery.outward import Outward
from m2s.core.delivery.webhook import PATTERNS

OLD_SECRET_LASTS = timedelta(days=1)
"""For how long after a rotation the secret of before signs as well."""

_SECRET_BYTES = 32


class Webhooks:
    """The endpoints of an installation. `outward` says which addresses may be called."""

    def __init__(self, database: Database, ids: Ids, *, clock: Clock, outward: Outward) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._outward = outward

    def add(self, url: str, events: Sequence[str], *, description: str = "") -> EndpointRow:
        """Makes an endpoint with a new secret.

        Raises Invalid for an address that may not be called and for events that there are not, Conflict when the
        address has an endpoint already or there are too many.
        """
        row = EndpointRow(
            id=self._ids.new("whk"),
            url=self._url(url),
            events=_patterns(events),
            description=description,
            state=ACTIVE,
            reason=None,
            secret=self._secret(),
            old_secret=None,
            old_secret_until=None,
            created_at=self._clock.now(),
            failing_since=None,
        )

        def work(records: Records) -> None:
            others = records.webhooks.endpoints()
            _refuse_twice(others, row)
            if len(others) >= MOST_ENDPOINTS:
                raise Conflict(f"there are {MOST_ENDPOINTS} webhooks, and no more can be: remove one first")
            records.webhooks.add_endpoint(row)

        self._database.write(work)
        return row

    def every(self) -> list[EndpointRow]:
        """Every endpoint, oldest first."""
        with self._database.read() as records:
            return records.webhooks.endpoints()

    def get(self, webhook_id: str) -> EndpointRow:
        """One endpoint. Raises NotFound."""
        with self._database.read() as records:
            return _endpoint(records, webhook_id)

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        active: bool | None = None,
    ) -> EndpointRow:
        """Changes what is given; one that becomes active again is told what waited for it.

        Raises as `add` does, and NotFound.
        """
        checked = None if url is None else self._url(url)
        patterns = None if events is None else _patterns(events)

        def work(records: Records) -> EndpointRow:
            was = _endpoint(records, webhook_id)
            row = replace(
                was,
                url=checked or was.url,
                events=patterns or was.events,
                description=was.description if description is None else description,
            )
            if active is not None and active != (was.state == ACTIVE):
                state, reason = (ACTIVE, None) if active else (DISABLED, "somebody disabled it")
                row = replace(row, state=state, reason=reason, failing_since=None)
            _refuse_twice(records.webhooks.endpoints(), row)
            names = ("url", "events", "description", "state", "reason", "failing_since")
            records.webhooks.change(row.id, {name: getattr(row, name) for name in names})
            return row

        return self._database.write(work)

    def remove(self, webhook_id: str) -> None:
        """Drops an endpoint and its log. Raises NotFound."""

        def work(records: Records) -> None:
            if not records.webhooks.remove(webhook_id):
                raise no_endpoint(webhook_id)

        self._database.write(work)

    def rotate(self, webhook_id: str) -> EndpointRow:
        """Gives an endpoint a new secret; for a day the one of before signs as well. Raises NotFound."""
        secret, until = self._secret(), self._clock.now() + OLD_SECRET_LASTS

        def work(records: Records) -> EndpointRow:
            was = _endpoint(records, webhook_id)
            changes = {"secret": secret, "old_secret": was.secret, "old_secret_until": until}
            records.webhooks.change(webhook_id, changes)
            return replace(was, secret=secret, old_secret=was.secret, old_secret_until=until)

        return self._database.write(work)

    def notices(
        self, webhook_id: str, *, state: str | None, before: str | None, limit: int
    ) -> list[tuple[NoticeRow, Sequence[TryRow]]]:
        """What an endpoint was told and is to be told, newest first, with every try. Raises NotFound."""
        with self._database.read() as records:
            _endpoint(records, webhook_id)
            return records.webhooks.notices(webhook_id, state=state, before=before, limit=limit)

    def replay(self, webhook_id: str, event_id: str) -> NoticeRow:
        """Has an event told again, under its id and with all its tries before it.

        Raises NotFound, and Conflict while the endpoint is disabled.
        """
        now = self._clock.now()

        def work(records: Records) -> NoticeRow:
            if _endpoint(records, webhook_id).state != ACTIVE:
                raise Conflict(f"the webhook {webhook_id!r} is disabled; make it active first")
            row = records.webhooks.again(webhook_id, event_id, now)
            if row is None:
                raise NotFound(f"the webhook {webhook_id!r} was told no event {event_id!r}, or not lately")
            return row

        return self._database.write(work)

    def _url(self, url: str) -> str:
        try:
            self._outward.target(url)
        except Invalid as error:
            raise Invalid(error.detail, code="url", problems=[Problem("/url", "url", error.detail)]) from None
        return url

    def _secret(self) -> str:
        return f"whsec_{b64encode(self._ids.secret(_SECRET_BYTES)).decode()}"


def _patterns(events: Sequence[str]) -> str:
    unknown = [event for event in events if event not in PATTERNS]
    if unknown or not events:
        detail = f"{'there is no event ' + repr(unknown[0]) if unknown else 'no event is named'}; there are"
        detail = f"{detail}: {', '.join(PATTERNS)}"
        raise Invalid(detail, code="events", problems=[Problem("/events", "events", detail)])
    return " ".join(dict.fromkeys(events))


def _endpoint(records: Records, webhook_id: str) -> EndpointRow:
    row = records.webhooks.endpoint(webhook_id)
    if row is None:
        raise no_endpoint(webhook_id)
    return row


def _refuse_twice(others: Sequence[EndpointRow], row: EndpointRow) -> None:
    for other in others:
        if other.url == row.url and other.id != row.id:
            raise Conflict(f"the webhook {other.id} has this address already: change that one")
