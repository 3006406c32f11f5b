"""Does the retailer's own system know? Posts what is due to each endpoint, again and again by the schedule.

An event may arrive twice (the process may die before it has kept the answer) and in another order; its id is the same
every time. Every endpoint has calls of its own, so a slow one holds up no other.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event
from typing import Protocol

import structlog

from m2s.app.endpoints import ACTIVE, DELIVERED, DISABLED, DUE, FAILED, EndpointRow, NoticeRow, TryRow
from m2s.app.ports import Database, Records
from m2s.app.telling import test_event, written
from m2s.core.base.errors import NotFound
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.delivery.webhook import GONE, TEST, is_given_up, next_try

AT_ONCE = 4
"""Calls of one endpoint that may run at once; of one that failed last, one."""

MOST_ENDPOINTS = 16
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Said:
    """How a call ended: the status that was answered, or None; why it is no success, and how long to wait at least."""

    status: int | None
    detail: str | None = None
    wait_s: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the endpoint has the event now."""
        return self.status is not None and 200 <= self.status < 300


class Post(Protocol):
    """Calls an address of the retailer's."""

    def post(self, url: str, *, secrets: Sequence[str], event_id: str, body: str) -> Said:
        """Posts an event, signed with every secret; nothing that an address can do raises."""
        ...


class NoticeObserver(Protocol):
    """Counts what becomes of notices."""

    def notice(self, result: str) -> None:
        """One call of an endpoint has ended: delivered, failed (it is tried again), given_up."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that has ended."""

    endpoint: EndpointRow
    notice: NoticeRow
    said: Said
    at: datetime
    took_s: float


class Notify:
    """Posts notices. One thread at a time runs it."""

    def __init__(self, database: Database, post: Post, *, clock: Clock, observer: NoticeObserver) -> None:
        self._database = database
        self._post = post
        self._clock = clock
        self._observer = observer
        self._stopping = Event()

    def run(self, _now: datetime) -> int:
        """Posts until nothing is due, or `stop`; returns how many calls it made."""
        with self._database.read() as records:
            waiting = self._due(records, {})
        if not waiting:
            return 0
        calls = 0
        running: dict[Future[_Call], NoticeRow] = {}
        with ThreadPoolExecutor(AT_ONCE * MOST_ENDPOINTS, thread_name_prefix="m2s-webhook") as pool:
            while waiting or running:
                for endpoint, notice in waiting:
                    running[pool.submit(self._call, endpoint, notice)] = notice
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                self._settle([future.result() for future in done])
                calls += len(done)
                for future in done:
                    del running[future]
                with self._database.read() as records:
                    waiting = self._due(records, running)
        return calls

    def stop(self) -> None:
        """Starts no further call; those that run are brought to their end."""
        self._stopping.set()

    def test(self, webhook_id: str) -> tuple[NoticeRow, TryRow]:
        """Posts a test event now and once, to a disabled endpoint as well. Raises NotFound."""
        now = self._clock.now()
        with self._database.read() as records:
            endpoint = records.webhooks.endpoint(webhook_id)
        if endpoint is None:
            raise no_endpoint(webhook_id)
        event_id, body = written(test_event(webhook_id), at=now)
        call = self._call(endpoint, NoticeRow(webhook_id, event_id, TEST, body, DUE, 0, now, now))
        notice = replace(_after(call), state=DELIVERED if call.said.taken else FAILED)
        tried = _try_of(call)

        def work(records: Records) -> None:
            records.webhooks.add([notice])
            records.webhooks.settle(notice, tried=tried)

        self._database.write(work)
        return notice, tried

    def _due(
        self, records: Records, running: dict[Future[_Call], NoticeRow]
    ) -> list[tuple[EndpointRow, NoticeRow]]:
        """What may be posted beside the calls that run."""
        if self._stopping.is_set() or not records.webhooks.subscribers():
            return []
        now, due = self._clock.now(), []
        for endpoint in records.webhooks.endpoints():
            if endpoint.state != ACTIVE:
                continue
            under_way = {row.event_id for row in running.values() if row.webhook_id == endpoint.id}
            room = (1 if endpoint.failing_since else AT_ONCE) - len(under_way)
            if room > 0:
                rows = records.webhooks.due(endpoint.id, now, limit=room + len(under_way))
                due += [(endpoint, row) for row in rows if row.event_id not in under_way][:room]
        return due

    def _call(self, endpoint: EndpointRow, notice: NoticeRow) -> _Call:
        began_s = time.perf_counter()
        try:
            said = self._post.post(
                endpoint.url,
                secrets=endpoint.secrets(self._clock.now()),
                event_id=notice.event_id,
                body=notice.body,
            )
        except Exception as error:
            _log.exception("webhook.failed", webhook_id=endpoint.id)
            said = Said(None, type(error).__name__)
        return _Call(endpoint, notice, said, self._clock.now(), time.perf_counter() - began_s)

    def _settle(self, calls: Sequence[_Call]) -> None:
        def work(records: Records) -> tuple[list[str], list[tuple[str, str]]]:
            results, disabled = [], []
            for call in calls:
                notice = _after(call)
                if not records.webhooks.settle(notice, tried=_try_of(call)):
                    continue
                results.append({DUE: "failed", FAILED: "given_up"}.get(notice.state, notice.state))
                reason = _keep_health(records, call)
                if reason is not None:
                    disabled.append((call.endpoint.id, reason))
            return results, disabled

        results, disabled = self._database.write(work)
        self._count(results)
        for webhook_id, reason in disabled:
            _log.error("webhook.disabled", webhook_id=webhook_id, reason=reason)

    def _count(self, results: Iterable[str]) -> None:
        for result in results:
            self._observer.notice(result)


def no_endpoint(webhook_id: str) -> NotFound:
    """What is raised for an endpoint that is not there."""
    return NotFound(f"there is no webhook {webhook_id!r}")


def _after(call: _Call) -> NoticeRow:
    """The notice as it is after a call."""
    said = call.said
    row = replace(
        call.notice, tries=call.notice.tries + 1, status=said.status, detail=said.detail, tried_at=call.at
    )
    if said.taken:
        return replace(row, state=DELIVERED)
    wait_for = None if said.status == GONE else next_try(row.tries, at_least_s=said.wait_s)
    return replace(row, state=FAILED) if wait_for is None else replace(row, next_at=call.at + wait_for)


def _try_of(call: _Call) -> TryRow:
    return TryRow(
        call.notice.webhook_id,
        call.notice.event_id,
        call.at,
        call.said.status,
        call.said.detail,
        round(call.took_s * 1000),
    )


def _keep_health(records: Records, call: _Call) -> str | None:
    """Keeps how an endpoint is after a call; why it was disabled, where it was."""
    endpoint = records.webhooks.endpoint(call.endpoint.id)
    if endpoint is None or endpoint.state != ACTIVE:
        return None
    if call.said.taken:
        if endpoint.failing_since is not None:
            records.webhooks.change(endpoint.id, {"failing_since": None})
        return None
    since = endpoint.failing_since or call.at
    reason = None
    if call.said.status == GONE:
        reason = "it answered 410: it wants nothing any more"
    elif is_given_up(since, call.at):
        reason = f"it has taken nothing since {rfc3339(since)}"
    changes = {} if reason is None else {"state": DISABLED, "reason": reason}
    records.webhooks.change(endpoint.id, {"failing_since": since, **changes})
    return reason
