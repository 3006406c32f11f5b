"""What happens in the city between two instants? Shoppers walk, phones send, tills redeem.

The clock is the caller's."""

import math
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from beacons.sim.client import Registration, Service
from beacons.sim.fleet import Fault, Fleet
from beacons.sim.habits import USUAL, Habits
from beacons.sim.outbox import Noticed
from beacons.sim.phone import Phone
from beacons.sim.route import Kind, Plan, Stop
from beacons.sim.truth import TrueRedemption, TrueVisit, Truth
from beacons.sim.walker import Shopper
from beacons.sim.world import DAY_S, World

_TEXT_VERSION = "2026-10"
_DOORS_ONLY_EACH = 7
_REDEEMS_SHARE = 0.6
_WALLET_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many people of each kind there are."""

    buyers: int = 190
    passers_by: int = 340
    drivers: int = 40
    staff: int = 20
    queue: int = 0
    residents: int = 0
    mall_neighbours: int = 0

    def kinds(self) -> list[Kind]:
        """The kind of each person, in their order."""
        return (
            [Kind.BUYER] * self.buyers
            + [Kind.PASSER_BY] * self.passers_by
            + [Kind.DRIVER] * self.drivers
            + [Kind.STAFF] * self.staff
            + [Kind.QUEUE] * self.queue
            + [Kind.RESIDENT] * self.residents
            + [Kind.MALL_NEIGHBOUR] * self.mall_neighbours
        )


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did; the first five figures add up as the service answered them."""

    sightings: int = 0
    accepted: int = 0
    away: int = 0
    duplicates: int = 0
    rejected: int = 0
    offers_announced: int = 0
    detours: int = 0
    redemptions: int = 0
    on_the_way: int = 0

    def plus(self, other: "StepReport") -> "StepReport":
        """Both together; `on_the_way` is the later one's."""
        return StepReport(
            sightings=self.sightings + other.sightings,
            accepted=self.accepted + other.accepted,
            away=self.away + other.away,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
            offers_announced=self.offers_announced + other.offers_announced,
            detours=self.detours + other.detours,
            redemptions=self.redemptions + other.redemptions,
            on_the_way=other.on_the_way,
        )


class _Person:
    """A shopper, her phone and what she carries today."""

    def __init__(self, shopper: Shopper, phone: Phone) -> None:
        self.shopper = shopper
        self.phone = phone
        self.registration = Registration("", "")
        self.wallet: dict[str, dict[str, Any]] = {}
        self.spent: set[str] = set()
        self.look_at_s = 0.0
        self.begin(0)

    def begin(self, day: int) -> None:
        self.day = day
        self.plan: Plan = self.shopper.plan(day)
        self.planned_stops = frozenset(self.plan.stops)
        self.followed_s = self.plan.start_s


class Simulation:
    """Simulated days in a city against a running service.

    `start` is the local midnight, with its offset, at which the first day begins. `step` is how far the
    caller moves the clock each time. `effects` gives, by campaign id, the share of shoppers whom a message
    moves. Nobody sets out after `days`, where they are given. The same seed and the same answers give the same
    requests, byte for byte and in the same order.

    Requests are dated by the simulated clock. `sending` is for a service whose clock is another: it tells when a
    request leaves, and ages count from then.
    """

    def __init__(
        self,
        world: World,
        seed: int,
        *,
        api: Service,
        start: datetime,
        step: timedelta,
        effects: Mapping[str, float],
        crowd: Crowd = Crowd(),
        habits: Habits = USUAL,
        fleet: Fleet | None = None,
        days: int | None = None,
        sending: Callable[[], datetime] | None = None,
    ) -> None:
        if (start.hour, start.minute, start.second) != (0, 0, 0) or start.utcoffset() is None:
            raise ValueError(f"start is {start.isoformat()}: it must be a local midnight with its UTC offset")
        self._world = world
        self._seed = seed
        self._api = api
        self._start = start
        self._habits = habits
        self._fleet = fleet or Fleet(world)
        self._days = math.inf if days is None else days
        self._sending = sending
        self._now_s = 0.0
        self._day = -1
        self._asleep: list[_Person] = []
        self._awake: dict[int, _Person] = {}
        self._people = self._draw(crowd)
        self.truth = Truth(start=start, step=step, effects=effects)

    @property
    def phones(self) -> list[Phone]:
        """Everybody's phone, in the order of the people."""
        return [person.phone for person in self._people]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with which beacons."""
        return self._fleet.faults

    def plans(self, days: int) -> Iterator[Plan]:
        """Everybody's way on each day, before any message."""
        return (person.shopper.plan(day) for day in range(days) for person in self._people)

    def instants(self) -> Iterator[datetime]:
        """Every step of the days, and after them until the last phone has sent all. For each, call `step`."""
        now = self._start
        while (now - self._start).total_seconds() < self._days * DAY_S or self._awake:
            now += self.truth.step
            yield now

    def register(self) -> None:
        """Install the app on every phone, describe it and record consents."""
        granted_at = (self._start - timedelta(days=3)).isoformat()
        for person in self._people:
            phone = person.phone.traits
            person.registration = self._api.register()
            token = person.registration.token
            self._api.describe(
                token,
                {
                    "push_token": f"simulated-{self._seed}-{person.shopper.index}",
                    "platform": phone.platform,
                    "language": phone.language,
                    "timezone": phone.timezone,
                },
            )
            if phone.number is not None:
                self._api.identify(token, phone.number)
            consent = {"text_version": _TEXT_VERSION, "at": granted_at}
            self._api.consent(
                token,
                [
                    {"purpose": "marketing", "channel": "push", "granted": phone.marketing, **consent},
                    {"purpose": "location", "granted": True, **consent},
                ],
            )
            self.truth.people[person.registration.device_id] = person.shopper

    def step(self, now: datetime) -> StepReport:
        """Let everything up to `now` happen: walk, sense, send, read wallets, pay. Raises ServiceRefused."""
        self._wake((now - self._start).total_seconds())
        total = StepReport()
        for person in [self._awake[index] for index in sorted(self._awake)]:
            report = StepReport(detours=self._look_at_wallet(person))
            self._leave_plan_of_regions(person)
            person.phone.sense(person.plan, self._now_s)
            report = report.plus(self._send(person))
            redeemed = self._end_visits(person)
            total = total.plus(replace(report, redemptions=redeemed))
            if person.phone.quiet(person.plan, self._now_s):
                self._lay_down(person)
        self.truth.until = now
        return replace(total, on_the_way=len(self._awake))

    def _draw(self, crowd: Crowd) -> list[_Person]:
        hears = any(shop.beacons for shop in self._world.shops.values())
        people: list[_Person] = []
        for index, kind in enumerate(crowd.kinds()):
            doors_only = kind is Kind.BUYER and index % _DOORS_ONLY_EACH == 0 and hears
            weekday = self._start.weekday()
            shopper = Shopper(self._world, self._seed, index, kind, weekday, doors_only)
            phone = Phone(shopper, shopper.random("phone"), self._habits, fleet=self._fleet)
            people.append(_Person(shopper, phone))
        return people

    def _wake(self, now_s: float) -> None:
        """Move to `now_s`: begin days, and wake those who are about to set out."""
        self._now_s = now_s
        if self._day < int(now_s // DAY_S) < self._days:
            self._day = int(now_s // DAY_S)
            sleepers = [person for person in self._people if person.shopper.index not in self._awake]
            for person in sleepers:
                person.begin(self._day)
            self._asleep = sorted(sleepers, key=_latest_first)
        while self._asleep and self._asleep[-1].plan.start_s <= now_s:
            person = self._asleep.pop()
            person.look_at_s = now_s + _WALLET_EVERY_S
            person.phone.wake(person.plan)
            if person.phone.traits.positions:
                self._ask_what_to_watch(person)
            self._awake[person.shopper.index] = person

    def _lay_down(self, person: _Person) -> None:
        """Her day is over; where the next one has begun meanwhile, hers begins now."""
        del self._awake[person.shopper.index]
        if person.day < self._day:
            person.begin(self._day)
            insort(self._asleep, person, key=_latest_first)

    def _ask_what_to_watch(self, person: _Person) -> None:
        at = person.plan.at(self._now_s)[0]
        person.phone.watch = self._api.watch(
            person.registration.token,
            self._world.degrees(at),
            at=at,
            platform=person.phone.traits.platform,
        )

    def _leave_plan_of_regions(self, person: _Person) -> None:
        """Ask again where what the service planned holds no longer."""
        watch, phone = person.phone.watch, person.phone
        if not (self._habits.regions_planned and phone.traits.positions) or phone.traits.approximate:
            return
        if math.dist(person.plan.at(self._now_s)[0], watch.asked_at) > watch.holds_m:
            self._ask_what_to_watch(person)

    def _send(self, person: _Person) -> StepReport:
        batch: list[Noticed] = person.phone.batch(self._now_s)
        if not batch:
            return StepReport()
        body = person.phone.body(batch, now_s=self._sent_s(), start=self._start)
        answer = self._api.sightings(person.registration.token, body)
        if answer is None:
            return StepReport()
        person.phone.sent(batch, self._now_s)
        offers = [event for event in answer["events"] if event["type"] == "offer.decided"]
        if offers:
            person.look_at_s = 0.0
        return StepReport(
            sightings=len(batch),
            accepted=answer["accepted"],
            away=answer["away"],
            duplicates=answer["duplicates"],
            rejected=len(answer["rejected"]),
            offers_announced=len(offers),
        )

    def _sent_s(self) -> float:
        if self._sending is None:
            return self._now_s
        sent = self._sending().astimezone(self._start.tzinfo)
        return max(self._now_s, (sent - self._start).total_seconds())

    def _look_at_wallet(self, person: _Person) -> int:
        """Look at the step after an announcement, and once an hour. Return 1 when she changes her way."""
        if self._now_s < person.look_at_s:
            return 0
        person.look_at_s = self._now_s + _WALLET_EVERY_S
        changed = 0
        for offer in self._api.offers(person.registration.token):
            known = offer["offer_id"] + offer["decision_id"] in person.wallet
            person.wallet[offer["offer_id"] + offer["decision_id"]] = offer
            campaign_id, store_id = offer["campaign_id"], offer["store_id"]
            effect = self.truth.effects.get(campaign_id, 0.0)
            if not known and not changed and person.shopper.reacts(campaign_id, store_id, effect):
                detour = person.shopper.detour(person.plan, store_id, self._now_s)
                if detour is not None:
                    person.plan = detour
                    changed = 1
        return changed

    def _end_visits(self, person: _Person) -> int:
        """Pay in the last step before leaving, write down the visits that are over. Return redemptions."""
        redeemed = 0
        step_s = self.truth.step.total_seconds()
        for stop in person.plan.stops:
            if person.followed_s < stop.leave_s - step_s <= self._now_s:
                redeemed += self._pay(person, stop)
            if person.followed_s < stop.leave_s <= self._now_s:
                self.truth.visits.append(self._visit(person, stop))
        person.followed_s = self._now_s
        return redeemed

    def _pay(self, person: _Person, stop: Stop) -> int:
        redeemed = 0
        for offer in list(person.wallet.values()):
            coupon = offer["coupon"]
            if coupon is None or offer["store_id"] != stop.store_id or coupon["code"] in person.spent:
                continue
            random = person.shopper.random("till", stop.store_id, offer["campaign_id"])
            if random.random() >= _REDEEMS_SHARE:
                continue
            person.spent.add(coupon["code"])
            basket_id = f"basket-{self._seed}-{person.shopper.index}-{len(person.spent)}"
            amount = f"{random.uniform(16, 60):.2f}"
            code, currency = coupon["code"], "EUR"
            if self._api.redeem(
                stop.store_id, code=code, basket_id=basket_id, amount=amount, currency=currency
            ):
                at = self._start + timedelta(seconds=self._now_s)
                device_id = person.registration.device_id
                self.truth.redemptions.append(TrueRedemption(device_id, stop.store_id, code, at))
                redeemed += 1
        return redeemed

    def _visit(self, person: _Person, stop: Stop) -> TrueVisit:
        return TrueVisit(
            shopper=person.shopper.index,
            device_id=person.registration.device_id,
            store_id=stop.store_id,
            start=self._start + timedelta(seconds=stop.arrive_s),
            end=self._start + timedelta(seconds=stop.leave_s),
            dwell_min_s=self._world.shops[stop.store_id].dwell_min_s,
            planned=stop in person.planned_stops,
            kind=person.shopper.kind,
        )


def _latest_first(person: _Person) -> float:
    return -person.plan.start_s
