"""Is every scheduled send made once, to the right people, at the nearest store, and at a lawful hour?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from campaigns.decision import SPREAD
from campaigns.facts import Policy, PressureRule
from campaigns.model import At, Moment, Rate
from campaigns.recurrence import cron, rrule
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.deciding import House
from m2s.app.devices import Devices
from m2s.app.inputs import Pivots
from m2s.app.plan import PlanSends
from m2s.app.ports import Database, Records
from m2s.app.rows import ConsentRow, DeviceRow
from tests.app.delivering import worker
from tests.app.people import identify
from tests.app.world import CHURCH, FAR, MORNING, PORT, Phone, World, catalog_of, paused
from tests.changed import replace

T = TypeVar("T")
SATURDAY = datetime(2026, 11, 7, 9, 0, tzinfo=UTC)
"""Saturday 2026-11-07, 10:00 in Paris: the send of the offer `saturday` is due."""
SUNDAY = datetime(2026, 11, 8, 11, 0, tzinfo=UTC)
"""Sunday 2026-11-08, 12:00 in Paris: the send of the offer `sunday` is due, and the law says not today."""
MINUTE = timedelta(minutes=1)


def plan(world: World, database: Database | None = None) -> PlanSends:
    return PlanSends(
        database or world.database,
        lambda: world.catalog,
        house=House(world.policy, "36111", world.ids),
        observer=Metrics(),
    )


class Counted:
    """A database that counts its transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.read = database.read
        self.writes = 0

    def write(self, work: Callable[[Records], T], *, then: Callable[[T], object] | None = None) -> T:
        self.writes += 1
        return self._database.write(work, then=then)


class Stopping(Counted):
    """A database at whose first transaction the plan is told to stop."""

    stopped: PlanSends

    def write(self, work: Callable[[Records], T], *, then: Callable[[T], object] | None = None) -> T:
        self.stopped.stop()
        return super().write(work, then=then)


def at(world: World, instant: datetime) -> datetime:
    world.clock.set(instant)
    return instant


def made(world: World, shopper_id: str) -> list[tuple[str, str, str]]:
    return [(row.offer_id, row.store_id, row.outcome) for row in world.decisions_of(shopper_id)]


@pytest.fixture
def ann(world: World) -> str:
    shopper_id = world.shopper("ann")
    world.seen(shopper_id, PORT, SATURDAY - timedelta(days=3))
    return shopper_id


def test_a_send_is_made_when_due_and_only_once(world: World, ann: str) -> None:
    now = at(world, SATURDAY)
    assert plan(world).run(now - 2 * MINUTE, now - MINUTE) == 0
    assert plan(world).run(now - MINUTE, now) == 1
    assert plan(world).run(now - MINUTE, now) == 0
    assert plan(world).run(now, now + MINUTE) == 0
    assert made(world, ann) == [("saturday", PORT, "send")]
    (message,) = world.messages_of(ann)
    assert (message.state, message.body, message.not_before) == ("planned", f"Saturday at Bakery {PORT}", now)
    assert message.valid_until == SATURDAY + timedelta(hours=4)


@pytest.mark.parametrize(
    "moment", [cron("0 10 * * sat"), rrule("FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0")]
)
def test_a_send_by_cron_line_or_recurrence_rule_is_made_when_due_and_only_once(
    world: World, ann: str, moment: Moment
) -> None:
    scheduled = tuple(
        (
            replace(entry, offer=replace(entry.offer, trigger=replace(entry.offer.trigger, moment=moment))),
            stores,
        )
        for entry, stores in world.catalog.scheduled
        if entry.offer.id == "saturday" and isinstance(entry.offer.trigger, At)
    )
    world = replace(world, catalog=replace(world.catalog, scheduled=scheduled))
    assert plan(world).run(SATURDAY - timedelta(days=5), at(world, SATURDAY - MINUTE)) == 0
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 1
    assert plan(world).run(SATURDAY - MINUTE, SATURDAY) == 0
    assert made(world, ann) == [("saturday", PORT, "send")]


@pytest.mark.parametrize(
    ("store_id", "seen_at", "reached"),
    [
        (PORT, SATURDAY - timedelta(days=30) + MINUTE, True),
        (PORT, SATURDAY - timedelta(days=30) - MINUTE, False),
        (FAR, SATURDAY - timedelta(days=1), True),
    ],
)
def test_the_audience_was_seen_lately_at_a_store_within_reach(
    world: World, store_id: str, seen_at: datetime, reached: bool
) -> None:
    shopper = world.shopper("ann")
    world.seen(shopper, store_id, seen_at)
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == int(reached)
    assert [store for _, store, _ in made(world, shopper)] == [store_id] * reached


def test_who_was_seen_only_where_no_store_takes_part_within_reach_is_not_asked(world: World) -> None:
    shopper = world.shopper("ann")
    world.seen(shopper, FAR, SATURDAY - timedelta(days=1))
    scheduled = tuple(
        (entry, tuple(store for store in stores if store.id != FAR))
        for entry, stores in world.catalog.scheduled
    )
    world = replace(world, catalog=replace(world.catalog, scheduled=scheduled))
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 0


def test_a_shopper_near_two_stores_gets_one_occasion_at_the_nearest(world: World) -> None:
    ann, bea = world.shopper("ann"), world.shopper("bea")
    for store_id in (PORT, CHURCH):
        world.seen(ann, store_id, SATURDAY - timedelta(days=1))
    world.seen(bea, PORT, SATURDAY - timedelta(days=1))
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 2
    assert made(world, ann) == [("saturday", CHURCH, "send")], "both are 0 m away: the ids decide"
    assert made(world, bea) == [("saturday", PORT, "send")]


def test_the_same_wall_clock_time_in_another_zone_is_still_one_occasion(world: World, ann: str) -> None:
    world = replace(world, catalog=catalog_of(timezones={CHURCH: "Europe/London"}))
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 1
    london = SATURDAY + timedelta(hours=1)
    assert plan(world).run(SATURDAY, at(world, london)) == 0
    assert made(world, ann) == [("saturday", PORT, "send")]


def test_without_consent_the_decision_is_kept_as_suppressed_and_no_message_is_written(world: World) -> None:
    shopper = world.shopper("ann", consents=())
    world.seen(shopper, PORT, SATURDAY - timedelta(days=1))
    plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY))
    assert made(world, shopper) == [("saturday", PORT, "suppressed")]
    assert world.messages_of(shopper) == []


def test_a_paused_campaign_makes_no_sends(world: World, ann: str) -> None:
    assert plan(paused(world)).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 0
    assert made(world, ann) == []


def test_a_process_that_was_down_makes_up_for_what_is_still_valid(world: World, ann: str) -> None:
    plan(world).catch_up(SATURDAY - timedelta(hours=3))
    late = at(world, SATURDAY + timedelta(hours=3, minutes=59))
    assert plan(world).catch_up(late) == 1
    (message,) = world.messages_of(ann)
    assert message.valid_until == SATURDAY + timedelta(hours=4), "late does not make it valid for longer"
    assert plan(world).catch_up(late + MINUTE) == 0


def test_what_is_no_longer_valid_is_claimed_and_skipped(world: World, ann: str) -> None:
    plan(world).catch_up(SATURDAY - timedelta(hours=3))
    late = at(world, SATURDAY + timedelta(hours=4))
    assert plan(world).catch_up(late) == 0
    assert plan(world).run(SATURDAY - MINUTE, SATURDAY) == 0
    assert made(world, ann) == []
    assert world.rows("SELECT count(*) FROM occurrences") == [(3,)]


def test_the_first_start_ever_makes_nothing_of_the_past(world: World, ann: str) -> None:
    assert plan(world).catch_up(at(world, SATURDAY + MINUTE)) == 0
    assert made(world, ann) == []


@pytest.mark.usefixtures("ann")
def test_a_clock_that_was_set_back_makes_nothing_twice(world: World) -> None:
    plan(world).catch_up(SATURDAY - MINUTE)
    assert plan(world).catch_up(SATURDAY) == 1
    assert plan(world).catch_up(SATURDAY - MINUTE) == 0
    assert plan(world).catch_up(SATURDAY + MINUTE) == 0


def test_a_send_that_the_law_forbids_now_waits_for_the_opening(world: World, ann: str) -> None:
    now = at(world, SUNDAY)
    assert plan(world).run(now - MINUTE, now) == 1
    monday = datetime(2026, 11, 9, 7, 30, tzinfo=UTC)
    (message,) = world.messages_of(ann)
    assert monday <= message.not_before < monday + SPREAD
    assert message.valid_until == SUNDAY + timedelta(days=2)
    with world.database.read() as records:
        decision = records.decisions.get(message.decision_id)
    assert decision is not None
    assert decision.trace[0] == {
        "name": "deferred",
        "passed": True,
        "value": "sun 2026-11-08 12:00 Europe/Paris",
        "limit": "mon 2026-11-09 08:30 Europe/Paris",
    }
    phone = Phone()
    deliver = worker(world, push=phone)
    assert deliver.drain() == 0
    at(world, message.not_before)
    assert deliver.drain() == 1
    assert world.message(message).state == "accepted"


def test_two_sends_that_wait_for_the_same_opening_stay_within_the_pressure(world: World, ann: str) -> None:
    once_a_day = Policy((PressureRule(Rate(1, timedelta(days=1))),), 0.0, "universal")
    world = replace(world, policy=once_a_day)
    waiting = at(world, SUNDAY)
    plan(world).run(waiting - MINUTE, waiting)
    plan_again = tuple(
        (replace(entry, offer=replace(entry.offer, id="sunday-too")), stores)
        for entry, stores in world.catalog.scheduled
        if entry.offer.id == "sunday"
    )
    world = replace(world, catalog=replace(world.catalog, scheduled=plan_again))
    plan(world).run(waiting - MINUTE, waiting)
    assert sorted(made(world, ann)) == [("sunday", PORT, "send"), ("sunday-too", PORT, "suppressed")]


def test_of_two_offers_due_at_once_the_one_of_higher_priority_is_made(world: World, ann: str) -> None:
    def offers(change: Callable[[int], int]) -> World:
        saturday = next(pair for pair in world.catalog.scheduled if pair[0].offer.id == "saturday")
        pairs = [
            (
                replace(saturday[0], offer=replace(saturday[0].offer, id=name, priority=change(rank))),
                saturday[1],
            )
            for rank, name in enumerate(("a", "b"))
        ]
        return replace(world, catalog=replace(world.catalog, scheduled=tuple(pairs)))

    plan(offers(lambda rank: 50 + rank)).run(SATURDAY - MINUTE, at(world, SATURDAY))
    assert sorted(made(world, ann)) == [("a", PORT, "suppressed"), ("b", PORT, "send")]


def test_a_failure_at_one_store_holds_no_other_back_and_is_made_up_for(world: World) -> None:
    names = {PORT: "ann", CHURCH: "bea", FAR: "eve"}
    for store_id, name in names.items():
        world.seen(world.shopper(name), store_id, SATURDAY - timedelta(days=1))
    plan(world).catch_up(SATURDAY - MINUTE)
    broken = replace(world.catalog.stores[FAR], opening_hours="nonsense", timezone="Europe/Paris")
    scheduled = tuple(
        (entry, tuple(broken if store.id == FAR else store for store in stores))
        for entry, stores in world.catalog.scheduled
    )
    bad = replace(world, catalog=replace(world.catalog, scheduled=scheduled))
    assert plan(bad).catch_up(at(world, SATURDAY)) == 2
    assert plan(bad).catch_up(at(world, SATURDAY + MINUTE)) == 0
    assert plan(world).catch_up(at(world, SATURDAY + 2 * MINUTE)) == 1
    assert plan(world).catch_up(at(world, SATURDAY + 3 * MINUTE)) == 0
    assert [len(made(world, f"shp_{name}")) for name in names.values()] == [1, 1, 1]


def test_what_a_stop_cuts_short_is_made_up_for_by_the_next_process(
    world: World, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bea = world.shopper("bea")
    world.seen(bea, FAR, SATURDAY - timedelta(days=1))
    plan(world).catch_up(SATURDAY - MINUTE)
    monkeypatch.setattr("m2s.app.plan._TOGETHER", 1)
    stopping = Stopping(world.database)
    first = stopping.stopped = plan(world, stopping)
    assert first.catch_up(at(world, SATURDAY)) == 1
    assert plan(world).catch_up(at(world, SATURDAY + MINUTE)) == 1
    assert [len(made(world, shopper_id)) for shopper_id in (ann, bea)] == [1, 1]


def test_a_shopper_who_cannot_be_judged_holds_no_other_back(world: World, ann: str) -> None:
    bea = world.shopper("bea")
    world.seen(bea, PORT, SATURDAY - timedelta(days=1))
    astray = {"timezone": "Mars/Olympus"}
    world.database.write(
        lambda records: records.devices.update_device("dev_ann", astray, at=world.clock.now())
    )
    assert plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY)) == 1
    assert (made(world, ann), made(world, bea)) == ([], [("saturday", PORT, "send")])


@pytest.mark.usefixtures("ann")
def test_a_send_at_many_stores_is_one_transaction(world: World) -> None:
    world.seen(world.shopper("bea"), FAR, SATURDAY - timedelta(days=1))
    counted, metrics = Counted(world.database), Metrics()
    plan_sends = PlanSends(
        counted,
        lambda: world.catalog,
        house=House(world.policy, "36111", world.ids),
        observer=metrics,
    )
    assert plan_sends.run(SATURDAY - MINUTE, at(world, SATURDAY)) == 2
    assert counted.writes == 1
    assert b'm2s_decisions_total{outcome="send"} 2.0' in metrics.render()
    assert world.rows("SELECT count(*) FROM occurrences") == [(3,)]
    assert plan_sends.run(SATURDAY - MINUTE, SATURDAY) == 0
    assert counted.writes == 1, "what is claimed costs no transaction"


def test_one_person_with_two_phones_gets_one_message(world: World) -> None:
    phones = [
        DeviceRow(f"dev_{name}", f"shp_{name}", "ios", "token", "en", "Europe/Paris", {}, world.clock.now())
        for name in ("old", "new")
    ]
    devices = Devices(world.database, world.ids, clock=world.clock, changed=lambda _device_id: None)
    given = [
        ConsentRow("location", None, True, "v1", MORNING),
        ConsentRow("marketing", "push", True, "v1", MORNING),
    ]
    for row in phones:
        world.database.write(
            lambda records, row=row: records.devices.add_device(row, token_hash=row.id.encode())
        )
        devices.put_consents(row, given)
        world.seen(row.shopper_id, PORT, SATURDAY - timedelta(days=1))
        identify(world).identify(row, Pivots(phone="+33612345678"), vouched=True)
    plan(world).run(SATURDAY - MINUTE, at(world, SATURDAY))
    (kept,) = {row[0] for row in world.rows("SELECT id FROM shoppers")}
    assert made(world, kept) == [("saturday", PORT, "send")]
    with world.database.read() as records:
        assert [row.id for row in records.devices.devices_of([kept])[kept]] == [
            "dev_new",
            "dev_old",
        ]
