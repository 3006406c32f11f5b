"""Does every event arrive, however a receiver behaves? Against a receiver in another process, on a stepped clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from m2s.adapters.channels.outward import OutwardPost
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.endpoints import EndpointRow, NoticeRow, TryRow
from m2s.app.notify import MOST_ENDPOINTS, Notify
from m2s.app.telling import Event, tell
from m2s.app.webhooks import OLD_SECRET_LASTS, Webhooks
from m2s.core.base.errors import Conflict, Invalid, NotFound
from m2s.core.delivery.outward import Outward
from m2s.core.delivery.webhook import MOST_TRIES, TRIED_FOR, next_try
from tests.app.world import World
from tests.providers.running import Running, running

LOOPBACK = Outward((ip_network("127.0.0.0/8"),))
SECOND = timedelta(seconds=1)


@dataclass
class Back:
    """The retailer's back end, and what tells it."""

    world: World
    receiver: Running
    webhooks: Webhooks
    notify: Notify
    metrics: Metrics

    def hook(self, path: str = "/", *events: str) -> EndpointRow:
        return self.webhooks.add(f"{self.receiver.url}{path}", events or ["*"])

    def happen(self, *names: str) -> None:
        events = [Event("visit.started", lambda name=name: {"visit_id": name}) for name in names]
        self.world.database.write(lambda records: tell(records, events, at=self.world.clock.now()))

    def run(self) -> int:
        return self.notify.run(self.world.clock.now())

    def arrived(self, path: str = "/") -> list[str]:
        rows = [row for row in self.receiver.accepted() if row["path"] == path]
        return [json.loads(row["body"])["data"]["visit_id"] for row in rows]

    def log(self, hook: EndpointRow) -> list[tuple[NoticeRow, list[TryRow]]]:
        found = self.webhooks.notices(hook.id, state=None, before=None, limit=100)
        return [(row, list(tries)) for row, tries in found]

    def state(self, hook: EndpointRow) -> EndpointRow:
        return self.webhooks.get(hook.id)


@pytest.fixture
def back(world: World, tmp_path: Path) -> Iterator[Back]:
    metrics = Metrics()
    post = OutwardPost(LOOPBACK, clock=world.clock, limit_s=2)
    notify = Notify(world.database, post, clock=world.clock, observer=metrics.delivery)
    webhooks = Webhooks(world.database, world.ids, clock=world.clock, outward=LOOPBACK)
    with running("receiver", tmp_path / "receiver", {}) as receiver:
        yield Back(world, receiver, webhooks, notify, metrics)
    post.stop()


def is_signed(row: dict[str, Any], secret: str) -> bool:
    at = datetime.fromtimestamp(int(row["headers"]["webhook-timestamp"]), UTC)
    made = Webhook(secret).sign(row["headers"]["webhook-id"], at, row["body"])
    return made in row["headers"]["webhook-signature"].split(" ")


def test_what_happened_arrives_once_signed_and_is_logged(back: Back) -> None:
    hook = back.hook()
    back.happen("a", "b", "c")
    assert back.run() == 3
    assert back.run() == 0
    assert sorted(back.arrived()) == ["a", "b", "c"]
    assert all(is_signed(row, hook.secret) for row in back.receiver.accepted())
    log = back.log(hook)
    assert [(row.state, row.tries, row.status) for row, _ in log] == [("delivered", 1, 204)] * 3
    assert [[(one.status, one.detail) for one in tries] for _, tries in log] == [[(204, None)]] * 3
    ids = {row["headers"]["webhook-id"] for row in back.receiver.accepted()}
    assert ids == {row.event_id for row, _ in log}
    counted = back.metrics.registry.get_sample_value("m2s_webhook_calls_total", {"result": "delivered"})
    assert counted == 3


def test_many_events_arrive_each_once(back: Back) -> None:
    back.hook()
    names = [f"v{number}" for number in range(60)]
    back.happen(*names)
    assert back.run() == 60
    assert Counter(back.arrived()) == Counter(names)


def test_an_event_that_fails_is_tried_again_by_the_schedule_under_the_same_id(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    back.receiver.order({"do": "status", "status": 500}, {"do": "reset"}, {"do": "status", "status": 404})
    for tries in (1, 2, 3):
        assert back.run() == 1
        wait = next_try(tries)
        assert wait is not None
        back.world.clock.advance(wait - SECOND)
        assert back.run() == 0
        back.world.clock.advance(SECOND)
    failing = back.state(hook)
    assert failing.failing_since is not None
    assert back.run() == 1
    assert back.arrived() == ["a"]
    ((row, tries_made),) = back.log(hook)
    assert (row.state, row.tries) == ("delivered", 4)
    assert [one.status for one in tries_made] == [500, None, 404, 204]
    assert tries_made[0].detail == '"as ordered"'
    assert back.state(hook).failing_since is None
    assert back.receiver.accepted()[0]["headers"]["webhook-id"] == row.event_id


def test_what_was_taken_before_the_answer_was_lost_comes_again_under_the_same_id(back: Back) -> None:
    back.hook()
    back.happen("a")
    back.receiver.order({"do": "cut"})
    back.run()
    back.world.clock.advance(timedelta(seconds=5))
    back.run()
    assert back.arrived() == ["a", "a"]
    assert len({row["headers"]["webhook-id"] for row in back.receiver.accepted()}) == 1


def test_a_receiver_that_asks_for_time_gets_it(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    back.receiver.order({"do": "status", "status": 429, "headers": {"retry-after": "90"}})
    back.run()
    ((row, _),) = back.log(hook)
    assert row.next_at == back.world.clock.now() + timedelta(seconds=90)


def test_an_endpoint_that_takes_nothing_for_days_is_disabled_and_what_waits_is_told_when_it_is_back(
    back: Back,
) -> None:
    hook = back.hook()
    back.happen("a")
    back.receiver.order(*[{"do": "status", "status": 500}] * MOST_TRIES)
    began = back.world.clock.now()
    for tries in range(1, MOST_TRIES + 1):
        assert back.state(hook).state == "active"
        if tries == MOST_TRIES:
            back.happen("b")
        assert back.run() == 1
        back.world.clock.advance(next_try(tries) or timedelta())
    assert back.world.clock.now() - began == TRIED_FOR
    disabled = back.state(hook)
    assert disabled.state == "disabled"
    assert disabled.reason is not None
    assert "taken nothing since 2026-11-03T09:00" in disabled.reason
    states = {json.loads(row.body)["data"]["visit_id"]: (row.state, row.tries) for row, _ in back.log(hook)}
    assert states["a"] == ("failed", 10)
    assert states["b"] == ("due", 0)
    back.happen("while it is disabled")
    assert back.run() == 0
    assert len(back.log(hook)) == 2
    with pytest.raises(Conflict, match="make it active"):
        back.webhooks.replay(hook.id, back.log(hook)[0][0].event_id)
    back.webhooks.change(hook.id, active=True)
    assert back.state(hook).failing_since is None
    assert back.run() == 1
    assert {row.state for row, _ in back.log(hook)} == {"delivered", "failed"}


def test_one_event_that_is_never_taken_does_not_end_an_endpoint_that_takes_others(back: Back) -> None:
    hook = back.hook()
    back.happen("poison")
    for tries in range(1, MOST_TRIES + 1):
        back.receiver.order({"do": "status", "status": 400})
        assert back.run() == 1
        back.world.clock.advance(SECOND)
        back.happen(f"good {tries}")
        assert back.run() == 1
        back.world.clock.advance((next_try(tries) or SECOND) - SECOND)
    assert back.state(hook).state == "active"
    assert Counter(row.state for row, _ in back.log(hook)) == {"delivered": MOST_TRIES, "failed": 1}


def test_an_endpoint_that_says_it_is_gone_is_asked_no_more(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    back.receiver.order({"do": "status", "status": 410})
    back.run()
    assert "410" in str(back.state(hook).reason)
    ((row, _),) = back.log(hook)
    assert row.state == "failed"


def test_a_slow_endpoint_holds_up_no_other(back: Back, tmp_path: Path) -> None:
    with running("receiver", tmp_path / "slow", {}) as slow:
        slow.order({"do": "silent", "always": True})
        stuck = back.webhooks.add(slow.url, ["*"])
        back.hook("/fast")
        back.happen(*"abcdefghij")
        back.run()
        assert sorted(back.arrived("/fast")) == list("abcdefghij")
        tries = [len(made) for _, made in back.log(stuck)]
        assert sum(tries) >= 1
        assert back.state(stuck).failing_since is not None


def test_for_a_day_after_a_rotation_both_secrets_sign(back: Back) -> None:
    hook = back.hook()
    new = back.webhooks.rotate(hook.id)
    assert new.secret != hook.secret
    back.happen("a")
    back.run()
    back.world.clock.advance(OLD_SECRET_LASTS)
    back.happen("b")
    back.run()
    during, after = back.receiver.accepted()
    assert (is_signed(during, hook.secret), is_signed(during, new.secret)) == (True, True)
    assert (is_signed(after, hook.secret), is_signed(after, new.secret)) == (False, True)
    with back.world.database.read() as records:
        assert records.webhooks.endpoint(hook.id) == back.state(hook)


def test_an_event_is_told_again_on_request_under_its_id(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    back.run()
    ((row, _),) = back.log(hook)
    back.webhooks.replay(hook.id, row.event_id)
    assert back.run() == 1
    assert back.arrived() == ["a", "a"]
    ((again, tries),) = back.log(hook)
    assert (again.state, len(tries)) == ("delivered", 2)
    with pytest.raises(NotFound):
        back.webhooks.replay(hook.id, "evt_nothing")


def test_a_test_is_posted_once_whether_or_not_the_endpoint_is_active(back: Back) -> None:
    hook = back.hook()
    back.webhooks.change(hook.id, active=False)
    notice, tried = back.notify.test(hook.id)
    assert (notice.type, notice.state, tried.status) == ("webhook.test", "delivered", 204)
    back.receiver.order({"do": "status", "status": 500})
    notice, tried = back.notify.test(hook.id)
    assert (notice.state, tried.status) == ("failed", 500)
    back.world.clock.advance(timedelta(days=1))
    assert back.run() == 0
    assert len(back.receiver.accepted()) == 1
    with pytest.raises(NotFound):
        back.notify.test("whk_nothing")


def test_a_worker_told_to_stop_begins_nothing(back: Back) -> None:
    back.hook()
    back.happen("a")
    back.notify.stop()
    assert back.run() == 0
    assert back.arrived() == []


def test_an_endpoint_that_was_removed_is_told_nothing_and_forgotten(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    back.webhooks.remove(hook.id)
    assert back.run() == 0
    assert back.world.rows("SELECT count(*) FROM webhook_notices") == [(0,)]
    with pytest.raises(NotFound):
        back.webhooks.get(hook.id)
    with pytest.raises(NotFound):
        back.webhooks.remove(hook.id)


def test_what_is_old_is_forgotten_with_its_tries(back: Back) -> None:
    hook = back.hook()
    back.happen("old")
    back.run()
    back.world.clock.advance(timedelta(days=1))
    back.happen("new")
    back.run()
    limit = back.world.clock.now()
    back.world.database.write(lambda records: records.webhooks.drop_before(limit))
    assert [json.loads(row.body)["data"]["visit_id"] for row, _ in back.log(hook)] == ["new"]
    assert back.world.rows("SELECT count(*) FROM webhook_tries") == [(1,)]


def test_an_address_has_one_endpoint_and_there_are_not_too_many(back: Back) -> None:
    first = back.hook("/0")
    with pytest.raises(Conflict, match=first.id):
        back.hook("/0")
    for number in range(1, MOST_ENDPOINTS):
        back.hook(f"/{number}")
    with pytest.raises(Conflict, match="remove one"):
        back.hook("/more")
    other = back.webhooks.every()[1]
    with pytest.raises(Conflict, match=first.id):
        back.webhooks.change(other.id, url=first.url)


@pytest.mark.parametrize(
    ("url", "events"),
    [("http://shop.example/", ["*"]), ("https://10.0.0.1/", ["*"]), ("https://shop.example/", ["visits"])],
)
def test_what_cannot_be_told_is_refused_and_nothing_kept(back: Back, url: str, events: list[str]) -> None:
    with pytest.raises(Invalid):
        back.webhooks.add(url, events)
    assert back.webhooks.every() == []


def test_an_address_that_may_no_longer_be_called_is_not(back: Back) -> None:
    hook = back.hook()
    back.happen("a")
    post = OutwardPost(Outward(), clock=back.world.clock)
    Notify(back.world.database, post, clock=back.world.clock, observer=Metrics().delivery).run(
        back.world.clock.now()
    )
    post.stop()
    ((_, tries),) = back.log(hook)
    assert tries[0].status is None
    assert "only https" in str(tries[0].detail)
    assert back.arrived() == []
