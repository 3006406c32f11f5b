"""Does the engine keep every promise after every step, whatever comes in whatever order, and through crashes?"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from m2s.adapters.runtime.clock import SteppedClock
from m2s.adapters.storage.migrate import upgrade
from m2s.app.inputs import Pivots
from m2s.app.rebuild import rebuild_visits
from m2s.app.rows import ConsentRow, KeyRow
from m2s.app.sighting import Batch
from m2s.core.base.errors import Conflict, Forbidden, Invalid, M2sError
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_collection
from tests.app.town import HARBOUR, ROCK
from tests.changed import replace
from tests.faults.size import NIGHTLY, times
from tests.model.book import PHONES, ZONE, Book, Seen
from tests.model.house import ANSWERS, House
from tests.model.offers import BROKEN, CAMPAIGNS, KIOSK, LAYOUTS, NEW_RULES, layout
from tests.model.promises import Inspector

STARTS = (
    datetime(2026, 11, 3, 9, 0, tzinfo=UTC),
    datetime(2026, 10, 24, 8, 0, tzinfo=UTC),
    datetime(2027, 3, 27, 9, 0, tzinfo=UTC),
)
"""A Tuesday, and the Saturdays before both nights on which clocks change."""
SPANS = tuple(
    timedelta(**span)
    for span in (
        *({"seconds": 20}, {"minutes": 1}, {"minutes": 2}, {"minutes": 6}, {"minutes": 11}, {"minutes": 40}),
        *({"hours": 2}, {"hours": 9}, {"hours": 23}, {"days": 1}, {"days": 2}, {"days": 6}, {"days": 31}),
    )
)
SHAPES = (
    *("inside", "inside", "maybe", "neutral", "left", "vicinity", "near", "away", "driving", "mocked"),
    *("enter", "exit", "dwell", "burst", "burst", "pair", "nowhere", "stranger", "untimed"),
)
AGES_S = (0, 0, 0, 20, 120, 290, 310, 1_800, 72_000, 216_000, 259_200, 259_201, -299, -301)
WALKS = {
    "a glance": ("inside", (240, 150, 60, 0)),
    "a stay": ("inside", (420, 330, 240, 150, 60, 0)),
    "a late stay": ("inside", (7_800, 7_600, 7_400, 7_300)),
    "a mocked stay": ("mocked", (420, 330, 240, 150, 60, 0)),
    "at the till": ("burst", (90, 60, 30, 0)),
    "driving by": ("left", (425, 335, 245, 155, 65, 5)),
}
"""What a phone says of some minutes, and how many seconds ago each was. Who drives by was in no shop after all."""
WRONG_BY = timedelta(days=-400, seconds=7)
TILLS = {name: KeyRow(f"key_{name}", "till", name, STARTS[0], None) for name in (HARBOUR, ROCK)}
TILLS["any"] = KeyRow("key_any", "till", None, STARTS[0], None)
AMOUNTS = (Decimal("9.50"), Decimal("9.50"), Decimal("5.00"), Decimal("4.99"), None)

# Small numbers pick from what there is, counted from the newest.
picks = st.integers(0, 7)
stores = st.sampled_from([HARBOUR, HARBOUR, ROCK, KIOSK])
items = st.one_of(
    st.tuples(st.just("walk"), stores, st.sampled_from(sorted(WALKS))),
    st.tuples(st.sampled_from(SHAPES), stores, st.sampled_from(AGES_S)),
    st.tuples(st.just("again"), picks, st.just(0)),
)
answers = st.sampled_from([*ANSWERS[:1] * 2, *ANSWERS])
moments = st.tuples(
    st.integers(0, 6), st.sampled_from([time(9), time(9), time(11, 40), time(20, 30), time(3)])
)
doings = st.sampled_from([None, None, None, "she withdraws", "they pause", "time passes"])
requests = st.tuples(picks, st.lists(items, min_size=1, max_size=3))


class Model(RuleBasedStateMachine):
    """Devices, consents, sightings, the clock, campaigns, the worker, crashes, tills; every promise after each step."""

    seen: Counter[str]
    furnished: Path
    known: Book

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(dir=self.furnished.parent))

    @classmethod
    def furnish(cls, folder: Path) -> None:
        """Makes what every example starts from: shops, a campaign, and two phones whose owners agree to all."""
        cls.furnished, cls.seen = folder / "m2s.sqlite3", Counter()
        upgrade(f"sqlite:///{cls.furnished}")
        model = cls()
        model.house = House(folder, SteppedClock(min(STARTS) - timedelta(hours=1)), luck=0)
        model.book = Book(model.house.clock)
        model.inspector = Inspector(model.house, model.book)
        model.publish("plain")
        model.apply("walk", version=0)
        model.register(timezone=None, token="t", agrees=True)
        model.identify(0, PHONES[0], vouched=True)
        model.register(timezone=None, token="t", agrees=True)
        model.house.work()
        model.inspector.check()
        cls.known = model.book
        model.teardown()

    @initialize(
        start=st.sampled_from(STARTS), campaign=st.sampled_from(sorted(CAMPAIGNS)), luck=st.integers(1, 2**20)
    )
    def begin(self, start: datetime, campaign: str, luck: int) -> None:
        shutil.copy(self.furnished, self.folder)
        self.house = House(self.folder, SteppedClock(start), luck=luck)
        self.book = replace(deepcopy(self.known), clock=self.house.clock)
        self.inspector = Inspector(self.house, self.book)
        self.house.provider.look = self.inspector.look
        self.house.work()
        if campaign != "walk":
            self.apply(campaign, version=0)

    # People

    @rule(
        timezone=st.sampled_from([None, "Europe/Monaco", "America/New_York"]),
        token=st.sampled_from(["t", "t", None]),
        agrees=st.booleans(),
    )
    def register(self, timezone: str | None, token: str | None, agrees: bool) -> None:
        self.book.names += 1
        details = {"platform": "ios", "timezone": timezone, "push_token": token}
        devices, name = self.house.engine.devices, f"app-{self.book.names}"
        made = devices.register(details, key_id="key_app", idempotency_key=name)
        again = devices.register(details, key_id="key_app", idempotency_key=name)
        assert again.device_id == made.device_id
        self.book.registered(made.device_id, devices.device(made.device_id).shopper_id, details)
        if agrees:
            for what in ("location", "push", "sms"):
                self.consent(0, what, granted=True, hours_ago=0)

    @rule(device=picks, phone=st.sampled_from(PHONES), vouched=st.booleans())
    def identify(self, device: int, phone: str, vouched: bool) -> None:
        name = self._device(device)
        engine = self.house.engine
        engine.identify.identify(engine.devices.device(name), Pivots(phone=phone), vouched=vouched)
        joined = self.book.identified(name, phone, vouched=vouched)
        if joined is not None:
            self.inspector.joined(*joined)

    @rule(
        device=picks,
        what=st.sampled_from(["location", "push", "sms"]),
        granted=st.booleans(),
        hours_ago=st.sampled_from([0, 0, 1, 50]),
    )
    def consent(self, device: int, what: str, granted: bool, hours_ago: int) -> None:
        name, at = self._device(device), self.house.clock.now() - timedelta(hours=hours_ago)
        purpose, channel = ("location", None) if what == "location" else ("marketing", what)
        devices = self.house.engine.devices
        devices.put_consents(devices.device(name), [ConsentRow(purpose, channel, granted, "v1", at)])
        self.book.stated(name, purpose, channel, granted=granted, at=at)

    # Sightings

    @rule(
        together=st.lists(requests, min_size=1, max_size=3),
        by_server=st.booleans(),
        wrong_clock=st.booleans(),
    )
    def post(self, together: list[tuple[int, list[Any]]], by_server: bool, wrong_clock: bool) -> None:
        """Requests of phones that are committed as one group, or one request of the retailer's server for all."""
        said = [(self._device(device), self._said(device, told)) for device, told in together]
        asked: list[tuple[str | None, list[Seen]]] = [*said]
        if by_server:
            asked = [(None, [seen for _, its in said for seen in its])]
        batches = [self._batch(sender, seen, wrong_clock=wrong_clock) for sender, seen in asked]
        for (_, seen), answer in zip(asked, self.house.together(batches), strict=True):
            wanted = self.book.expect(seen)
            counts = (answer.accepted, answer.away, answer.duplicates)
            assert counts == (wanted.accepted, wanted.away, wanted.duplicates)
            assert [(one.id, one.code) for one in answer.rejected] == wanted.rejected
            self.inspector.follower.hear(
                event for event in answer.events if str(event["type"]).startswith("visit.")
            )

    @rule(
        device=picks,
        store=stores,
        how=st.sampled_from(sorted(WALKS)),
        meanwhile=doings,
        then=st.none() | answers,
    )
    def walk(self, device: int, store: str, how: str, meanwhile: str | None, then: str | None) -> None:
        """Somebody is in a shop for some minutes; perhaps things change, and the jobs run right after."""
        self.post([(device, [("walk", store, how)])], by_server=False, wrong_clock=False)
        if meanwhile == "she withdraws":
            self.consent(device, "location", granted=False, hours_ago=0)
        elif meanwhile == "they pause":
            self._set_running("active", "paused")
        elif meanwhile == "time passes":
            self.wait(SPANS[5])
        if then is not None:
            self.work(then, timedelta(seconds=1))
        if meanwhile == "they pause":
            self._set_running("paused", "active")

    @rule(
        moment=st.none() | moments,
        store=st.sampled_from([HARBOUR, ROCK]),
        how=st.sampled_from(["a glance", "a stay", "at the till", "a mocked stay"]),
        phone=st.booleans(),
        meanwhile=doings,
        then=st.none() | answers,
    )
    def come(
        self,
        moment: tuple[int, time] | None,
        store: str,
        how: str,
        phone: bool,
        meanwhile: str | None,
        then: str | None,
    ) -> None:
        """Somebody new who agrees to everything does, at any time or at a likely one."""
        if moment is not None:
            self.sleep(moment)
        self.register(timezone=None, token=None if phone else "t", agrees=True)
        if phone:
            self.identify(0, f"{PHONES[0][:4]}{self.book.names:08}", vouched=True)
        self.walk(0, store, how, meanwhile, then)

    def _said(self, device: int, told: list[Any]) -> list[Seen]:
        name, now_ms = self._device(device), to_ms(self.house.clock.now())
        said: list[Seen] = []
        for what, where, when in told:
            if what == "again":
                mine = [seen for seen in self.book.posted if seen.device_id == name]
                said += mine[-1 - where % len(mine) :][:1] if mine else []
                continue
            shape, ages_s = WALKS[when] if what == "walk" else (what, (when,))
            for age_s in ages_s:
                self.book.names += 1
                said.append(Seen(name, f"s{self.book.names}", shape, where, now_ms - age_s * 1_000))
                self.book.posted.append(said[-1])
        return said

    def _batch(self, sender: str | None, said: list[Seen], *, wrong_clock: bool) -> Batch:
        now = self.house.clock.now()
        now_ms, shown = to_ms(now), now + WRONG_BY
        sightings = []
        for seen in said:
            more: dict[str, Any] = {} if sender else {"device_id": seen.device_id}
            if wrong_clock:
                more["at"] = shown - timedelta(milliseconds=now_ms - seen.at_ms)
            sightings.append(seen.sighting(now_ms, **more))
        devices, named = self.house.engine.devices, {seen.device_id for seen in said}
        shoppers = devices.known_shoppers(named)
        shoppers |= devices.shoppers_of(named - shoppers.keys())
        sent_ms = to_ms(shown) if wrong_clock else None
        return Batch(sender, shoppers, now_ms, sent_ms, list(enumerate(sightings)), [])

    # Time and the worker

    @rule(span=st.sampled_from(SPANS))
    def wait(self, span: timedelta) -> None:
        self.house.clock.advance(span)

    @rule(moment=moments)
    def sleep(self, moment: tuple[int, time]) -> None:
        """Until the next such moment at the shops."""
        weekday, at = moment
        local = self.house.clock.now().astimezone(ZoneInfo(ZONE))
        day = local.date() + timedelta(days=(weekday - local.weekday()) % 7)
        wanted = datetime.combine(day, at, ZoneInfo(ZONE)).astimezone(UTC)
        self.house.clock.set(max(self.house.clock.now(), wanted))

    @rule(answer=answers, span=st.sampled_from(SPANS[:5]))
    def work(self, answer: str, span: timedelta) -> None:
        """The jobs run some time later; the provider does with all messages what it is told."""
        clock, house = self.house.clock, self.house
        clock.advance(span)
        house.provider.answer = answer
        house.work()
        house.provider.answer = "accepts"
        if house.dying is not None:
            self.book.seen["killed while sending"] += 1
            house.revive()
            return
        minute = clock.now().replace(second=0, microsecond=0)
        if self.book.swept is None or self.book.swept.replace(second=0, microsecond=0) < minute:
            self.book.swept = clock.now()
        self.book.forget_answers()
        self.inspector.nothing_due()

    @rule(how=st.sampled_from(["stopped", "killed", "killed"]), waiting=st.none() | requests)
    def start_again(self, how: str, waiting: tuple[int, list[Any]] | None) -> None:
        """The process is stopped or killed; a request that waits for its turn when it is killed was never taken."""
        self.book.seen[how] += 1
        if how == "stopped":
            self.house.restart()
            return
        if waiting is None:
            self.house.die()
        else:
            device, told = waiting
            said = self._said(device, told)
            self.house.dies_before(self._batch(self._device(device), said, wrong_clock=False))
        self.house.revive()

    # Stores and campaigns

    @rule(name=st.sampled_from(LAYOUTS))
    def publish(self, name: str) -> None:
        before = self.book.layout
        self.house.engine.publish.publish_stores(read_collection(layout(name)))
        self.book.published(name)
        if (self.book.layout in NEW_RULES) != (before in NEW_RULES):
            self._rebuild()

    def _rebuild(self) -> None:
        """Other rules tell other visits: they are folded anew, of which nobody is told."""
        engine = self.house.engine
        rebuild_visits(engine.database, engine.catalog(), now=self.house.clock.now())
        self.inspector.resync()

    @rule(name=st.sampled_from(sorted(CAMPAIGNS)), version=st.integers(0, 1))
    def apply(self, name: str, version: int) -> None:
        text, publish = CAMPAIGNS[name][version], self.house.engine.publish
        if self.book.campaigns.get(name, {}).get("state") == "stopped":
            with pytest.raises(Conflict, match="stopped"):
                publish.apply_campaign(name, text)
            return
        publish.apply_campaign(name, text)
        self.book.applied(name, text)

    @rule(name=st.sampled_from(sorted(CAMPAIGNS)), wrong=st.sampled_from(sorted(BROKEN)))
    def refuse(self, name: str, wrong: str) -> None:
        """A broken text changes nothing, not even the version of the catalog."""
        engine = self.house.engine
        before = engine.catalog()
        with pytest.raises(Invalid):
            engine.publish.apply_campaign(None, BROKEN[wrong].replace("walk", name))
        engine.reload()
        assert engine.catalog() is before

    @precondition(lambda self: self.book.campaigns)
    @rule(pick=picks, state=st.sampled_from(["active", "active", "active", "paused", "stopped"]))
    def set_state(self, pick: int, state: str) -> None:
        name = sorted(self.book.campaigns)[pick % len(self.book.campaigns)]
        campaign, publish = self.book.campaigns[name], self.house.engine.publish
        change = {"paused": publish.pause, "active": publish.resume, "stopped": publish.stop}[state]
        if campaign["state"] == "stopped" != state:
            with pytest.raises(Conflict, match="stopped"):
                change(name)
            return
        change(name)
        campaign["state"] = state

    def _set_running(self, before: str, after: str) -> None:
        for pick, name in enumerate(sorted(self.book.campaigns)):
            if self.book.campaigns[name]["state"] == before:
                self.set_state(pick, after)

    # Tills

    @precondition(lambda self: self.book.coupons)
    @rule(
        coupon=picks,
        till=st.sampled_from([HARBOUR, ROCK, "any", "any"]),
        elsewhere=st.sampled_from([False, False, False, True]),
        amount=st.sampled_from(AMOUNTS),
        key=st.sampled_from([None, 0, 0, 1]),
    )
    def redeem(
        self, coupon: int, till: str, elsewhere: bool, amount: Decimal | None, key: int | None
    ) -> None:
        code = self._coupon(coupon)
        store_id = self.book.coupons[code]["store"]
        if elsewhere:
            store_id = ROCK if store_id == HARBOUR else HARBOUR
        body = (store_id, amount)
        name = None if key is None else self.book.idempotency_key(TILLS[till], key)
        wanted = self.book.redeem(TILLS[till], code, body, idempotency_key=name)
        told = self._redeem(TILLS[till], code, body, name)
        self._redeemed(TILLS[till], code, body, name, wanted=wanted, told=told)

    @precondition(lambda self: self.book.coupons)
    @rule(coupon=picks, same_key=st.booleans())
    def race(self, coupon: int, same_key: bool) -> None:
        """Two at once: with one key both are told the same, else one gets the coupon."""
        code = self._coupon(coupon)
        body: tuple[str, Decimal | None] = (self.book.coupons[code]["store"], Decimal(50))
        self.book.names += 1
        names = [f"race-{self.book.names}", f"race-{self.book.names if same_key else -self.book.names}"]
        till = TILLS["any"]
        wanted = self.book.redeem(till, code, body, idempotency_key=names[0])
        with ThreadPoolExecutor(2) as both:
            told = list(both.map(lambda name: self._redeem(till, code, body, name), names))
        if wanted == "redeemed":
            assert same_key == (told[0] == told[1])
            if told[0] == "already_redeemed":
                names.reverse()
                told.reverse()
        self._redeemed(till, code, body, names[0], wanted=wanted, told=told[0])
        if not same_key:
            wanted = self.book.redeem(till, code, body, idempotency_key=names[1])
            self._redeemed(till, code, body, names[1], wanted=wanted, told=told[1])

    @precondition(lambda self: self.book.redemptions)
    @rule(pick=picks, till=st.sampled_from([HARBOUR, "any", "any"]))
    def void(self, pick: int, till: str) -> None:
        name = list(self.book.redemptions)[-1 - pick % len(self.book.redemptions)]
        store_id = self.book.coupons[self.book.redemptions[name]["code"]]["store"]
        if TILLS[till].store_id not in (None, store_id):
            with pytest.raises(Forbidden, match="belongs to a till"):
                self.house.engine.redeem.void(TILLS[till], name)
            return
        self.house.engine.redeem.void(TILLS[till], name)
        self.book.voided(name)
        self.book.seen["voided"] += 1
        self.inspector.resync()

    def _redeem(self, till: KeyRow, code: str, body: tuple[str, Decimal | None], name: str | None) -> str:
        store_id, amount = body
        try:
            made = self.house.engine.redeem.redeem(
                till,
                code,
                store_id=store_id,
                basket_id=None,
                amount=amount,
                currency="EUR",
                idempotency_key=name,
                body_hash=repr((code, store_id, amount)).encode(),
            )
        except M2sError as error:
            return error.code
        return str(made["redemption_id"])

    def _redeemed(
        self,
        till: KeyRow,
        code: str,
        body: tuple[str, Decimal | None],
        name: str | None,
        *,
        wanted: str,
        told: str,
    ) -> None:
        if wanted == "redeemed":
            self.book.redeemed(told, code, till)
            self.inspector.resync()
        else:
            assert told == wanted
        self.book.answered(till, code, body, idempotency_key=name, told=told)
        self.book.seen[f"till: {told if told not in self.book.redemptions else 'redeemed'}"] += 1

    # After every step

    @invariant()
    def promises(self) -> None:
        self.inspector.check()

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.close()
            self.seen.update(self.book.seen + self.inspector.follower.seen)
        shutil.rmtree(self.folder)

    def _device(self, pick: int) -> str:
        return list(self.book.devices)[-1 - pick % len(self.book.devices)]

    def _coupon(self, pick: int) -> str:
        return list(self.book.coupons)[-1 - pick % len(self.book.coupons)]


OFTEN = (
    *("accepted", "away", "duplicates", "time_out_of_range", "stopped", "killed"),
    *("stay: visit", "stay: passer_by", "stay: elsewhere", "stay: ambiguous", "visit.started"),
    *(f"{outcome}: walk" for outcome in ("send", "ghost", "suppressed")),
    *(
        "joined",
        "message: planned",
        "message: accepted",
        "till: redeemed",
        "till: already_redeemed",
        "voided",
    ),
)
SELDOM = (
    *("missing_time", "visit.corrected", "visit.retracted", "renamed", "killed while sending"),
    *(f"message: {state}" for state in ("unknown", "unknown_final", "refused", "expired", "cancelled")),
    *(
        f"{outcome}: {name}"
        for name in ("linger", "till", "clock")
        for outcome in ("send", "ghost", "suppressed")
    ),
    *("till: expired", "till: forbidden", "till: idempotency_key_reused", "till: basket_too_small"),
)
"""What has to happen in every run, and what in a long one: a model in which nothing happens proves nothing."""


def test_every_promise_is_kept_after_every_step(tmp_path: Path) -> None:
    Model.furnish(tmp_path)
    machine: Any = Model
    size = settings(
        max_examples=times(120, nightly=1_000),
        stateful_step_count=times(50, nightly=100),
        derandomize=not NIGHTLY,
        database=None,
        deadline=None,
        print_blob=True,
        # Hypothesis draws from constants of the modules that are loaded: a run beside other tests differs from one
        # alone, and to shrink a failure takes longer than a run in a suite may.
        phases=[Phase.generate, *([Phase.shrink] if NIGHTLY else [])],
        suppress_health_check=list(HealthCheck),
    )
    number = int(os.environ.get("M2S_SEED", random.randrange(2**32)))
    # What Hypothesis remembers of a run takes 3 MB for each of its examples.
    for part in range(times(1, nightly=5)):
        if NIGHTLY:
            print(f"the model runs with M2S_SEED={number + part}")
            machine = seed(number + part)(Model)
        run_state_machine_as_test(machine, settings=size)
    print({what: Model.seen[what] for what in sorted(Model.seen)})
    assert [what for what in (*OFTEN, *(SELDOM if NIGHTLY else ())) if not Model.seen[what]] == []
