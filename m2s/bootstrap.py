"""How is the service put together? The one place that names concrete adapters: settings in, a wired engine out."""

import logging
import random
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TextIO

from campaigns.facts import Policy
from m2s.adapters.channels import registry
from m2s.adapters.channels.outward import OutwardPost
from m2s.adapters.channels.surroundings import Surroundings
from m2s.adapters.channels.wire import Wire
from m2s.adapters.importers.registry import ROW_READERS as ROW_READERS
from m2s.adapters.importers.registry import TRACE_READERS as TRACE_READERS
from m2s.adapters.importers.registry import read_stores as read_stores
from m2s.adapters.importers.traces import REASONS as REASONS
from m2s.adapters.importers.traces import Reading as Reading
from m2s.adapters.importers.traces import Recording as Recording
from m2s.adapters.importers.traces import Trace as Trace
from m2s.adapters.runtime.clock import SteppedClock, SystemClock, is_synchronised
from m2s.adapters.runtime.ids import SeededIds
from m2s.adapters.runtime.logs import configure_logs as configure_logs
from m2s.adapters.runtime.memory import making_much as making_much
from m2s.adapters.runtime.memory import settle_memory
from m2s.adapters.runtime.metrics import Metrics
from m2s.adapters.runtime.scheduler import Heartbeat
from m2s.adapters.runtime.world import World as World
from m2s.adapters.storage.damage import flaw
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import database_path
from m2s.adapters.storage.lock import held_by
from m2s.adapters.storage.migrate import upgrade
from m2s.app.access import Access
from m2s.app.backtest import Backtest
from m2s.app.campaign_plan import CampaignPlans
from m2s.app.clocks import Clocks
from m2s.app.customers import Customers
from m2s.app.dead_letters import DeadLetters, Replayed
from m2s.app.deciding import House, universal_salt
from m2s.app.deliver import Deliver
from m2s.app.devices import Devices
from m2s.app.doctor import WRITTEN_AT, Finding, clock_finding
from m2s.app.explain import Explain
from m2s.app.follow_ups import FollowUps
from m2s.app.guard import Guard
from m2s.app.hear import Hear
from m2s.app.identify import Identify
from m2s.app.in_force import InForce
from m2s.app.intake import Intake
from m2s.app.jobs import Jobs, standard_jobs
from m2s.app.lanes import Pace
from m2s.app.measure import Measure
from m2s.app.notify import Notify
from m2s.app.plan import PlanSends
from m2s.app.ports import Records
from m2s.app.publish import Publish
from m2s.app.purchases import Purchases
from m2s.app.redeem import Redeem
from m2s.app.regulars import Regulars
from m2s.app.research import Research
from m2s.app.retention import Retention
from m2s.app.shoppers import Ground, Moves
from m2s.app.sighting import Answer, Batch
from m2s.app.webhooks import Webhooks
from m2s.core.base.errors import Unavailable
from m2s.core.base.instants import rfc3339
from m2s.settings import DeliverySettings, Settings

_log = logging.getLogger(__name__)


class Desk:
    """Stores, campaigns, keys and figures of one database, without the service around them: what commands work at.

    On a database that was opened to read only, whatever would write raises Conflict.
    """

    def __init__(self, settings: Settings, database: SqlDatabase, *, world: World) -> None:
        self.settings = settings
        self.database = database
        self.clock = world.clock
        self._world = world
        self._in_force = InForce(database, making_much=making_much)
        self.catalog, self.reload = self._in_force.catalog, self._in_force.reload
        self.access = Access(database, world.ids, clock=world.clock)
        self.publish = Publish(
            database,
            world.ids,
            clock=world.clock,
            catalog=self.catalog,
            reload=self.reload,
            making_much=making_much,
            prices=settings.prices.by_channel,
            sms_rules=settings.sms_rules,
        )
        self._ground = ground = Ground(
            database, world.ids, world.clock, self.catalog, self.moved, settings.timezone
        )
        self.identify, self.purchases, self.customers = Identify(ground), Purchases(ground), Customers(ground)
        self.explain = Explain(database, world.clock, catalog=self.catalog)
        self.backtest = Backtest(database, catalog=self.catalog, house=_house(settings, world, ""))
        self.plans = CampaignPlans(database, world.clock, backtest=self.backtest)
        self.reports = Measure(database, world.clock, catalog=self.catalog)
        self.dead_letters = DeadLetters(database, world.clock)
        self.webhooks = Webhooks(database, world.ids, clock=world.clock, outward=settings.outward)
        self.retention = Retention(
            database,
            world.clock,
            sightings_kept=timedelta(days=settings.sightings_kept_days),
            evidence_kept=timedelta(days=settings.evidence_kept_days),
        )

    def moved(self, moves: Moves) -> None:
        """Takes notice of devices that have another shopper now."""
        if moves.devices:
            self.access.forget_devices(moves.devices)

    def replay(self, letter_id: str) -> Replayed:
        """Has a dead letter processed again, by an engine for this one sighting; see DeadLetters.replay."""
        engine = Engine(self.settings, self.database, world=self._world)
        engine.take_sightings()
        return engine.replay(letter_id)


class Engine(Desk):
    """The whole service without its doors."""

    def __init__(self, settings: Settings, database: SqlDatabase, *, world: World) -> None:
        super().__init__(settings, database, world=world)
        self._trying = Lock()
        self._tried: Future[None] | None = None
        self.metrics = Metrics()
        self.metrics.watch_waiting(lambda: database.waiting_weight)
        house = _house(settings, world, universal_salt(database, world.ids))
        self.devices = Devices(database, world.ids, clock=world.clock, changed=self.access.forget_device)
        self.redeem = Redeem(database, world.clock, ids=world.ids, catalog=self.catalog)
        self.intake = Intake(
            catalog=self.catalog,
            clock=world.clock,
            house=house,
            observer=self.metrics,
            most_ids=settings.dedupe_max_ids,
        )
        self.research = Research(self._ground, looked_up=self.intake.looked_up)
        self.metrics.watch_remembered(self.intake.remembered)
        self._wire = _wire(settings)
        channels, callbacks = settings.channels, self.metrics.callbacks
        heard, by_sms = registry.listeners(channels.options), "sms" in channels.chosen
        self.hear = Hear(self._ground, heard, observer=callbacks, by_sms=by_sms)
        surroundings = Surroundings(self._wire, world.clock, world.out, self.hear.told)
        self.deliver = Deliver(
            database,
            registry.build(channels.chosen, channels.options, surroundings),
            clock=world.clock,
            catalog=self.catalog,
            policy=house.policy,
            jitter=random.SystemRandom().random,
            observer=self.metrics.delivery,
            pace=Pace(settings.delivery.calls_at_once, settings.delivery.rates),
        )
        self.metrics.delivery.watch_overdue(self.deliver.overdue_s)
        self._regulars = Regulars(database, world.clock, catalog=self.catalog)
        self._clocks = Clocks(database, found=self.metrics.clock)
        self._outward = OutwardPost(settings.outward, clock=world.clock)
        self.notify = Notify(database, self._outward, clock=world.clock, observer=self.metrics.delivery)
        self.plan = PlanSends(database, self.catalog, house=house, observer=self.metrics)
        self.follow_ups = FollowUps(database, self.catalog, house=house, observer=self.metrics)
        self.jobs = Jobs(
            database,
            world.clock,
            jobs=standard_jobs(
                database,
                close_visits=self._close_visits,
                plan=self.plan,
                deliver=self.deliver,
                retention=self.retention,
                regulars=self._regulars,
                follow_ups=self.follow_ups,
                guard=Guard(database, pause=self.publish.pause),
                clocks=self._clocks,
                notify=self.notify,
            ),
        )
        self._heartbeat = Heartbeat(self.jobs)

    def moved(self, moves: Moves) -> None:
        """Takes notice of shoppers that have become others, and of devices that have another one now."""
        super().moved(moves)
        self.intake.joined(moves.with_device)
        self.devices.forget(moves.devices)

    def start(self, *, heartbeat: bool = True) -> None:
        """Takes up what an earlier process left, and starts the heartbeat unless the caller runs the jobs."""
        self.take_sightings()
        self.deliver.recover()
        if heartbeat:
            self._heartbeat.start()

    def take_sightings(self) -> None:
        """Takes up what the intake remembers; from here on sightings can be submitted."""
        with self.database.read() as records:
            self.intake.load(records)
        self.database.handle_groups(self.intake)

    def submit(self, batch: Batch) -> Future[Answer]:
        """Queues one request's sightings for the next group; the answer comes after its synced commit.

        Raises Unavailable when too many wait already.
        """
        if batch.sent_at_ms is not None and batch.device_id is not None:
            self._clocks.read(batch.device_id, batch.sent_at_ms, received_at_ms=batch.received_at_ms)
        return self.database.submit_grouped(batch)

    def replay(self, letter_id: str) -> Replayed:
        """Has a dead letter processed again; see DeadLetters.replay."""
        return self.dead_letters.replay(letter_id, self.database.submit_grouped)

    def settle(self) -> None:
        """Tells the process that what is loaded now will stay; for a process that serves and nothing else."""
        settle_memory()

    def hurry(self) -> None:
        """Has every long job end after the piece that it is at, for good; the next process goes on from there."""
        for job in (self.plan, self.follow_ups, self.deliver, self.retention, self._regulars, self.notify):
            job.stop()

    def stop(self) -> None:
        """Ends the heartbeat, commits what was submitted, and lets go of the database."""
        self.hurry()
        self._heartbeat.stop()
        self._wire.close()
        self._outward.stop()
        self.database.close()

    def ready(self) -> list[str]:
        """Why the service cannot take sightings now, in words that anybody may read; empty when it can."""
        try:
            self.database.check_file()
            self.database.check_room()
            self.intake.check_room()
            self._tried_write().result()
        except Unavailable as error:
            return [error.detail]
        except Exception:
            _log.exception("the database does not work")
            return ["the database does not work; the log says why"]
        return []

    def _tried_write(self) -> Future[None]:
        """A write that waits already, or a new one: whoever asks often costs the writer one transaction at a time."""

        def mark(records: Records) -> None:
            # A value that differs, because SQLite does not write what is there already.
            records.catalog.keep_setting(WRITTEN_AT, rfc3339(self.clock.now()))

        with self._trying:
            if self._tried is None or self._tried.done():
                self._tried = self.database.submit(mark)
            return self._tried

    def _close_visits(self, _now: datetime) -> None:
        self.database.write(self.intake.close, then=lambda publish: publish())


def open_database(
    settings: Settings, *, serves_at: str | None = None, read_only: bool = False
) -> SqlDatabase:
    """The database of the settings; see SqlDatabase for what it raises."""
    return SqlDatabase(
        settings.database_url,
        serves_at=serves_at,
        read_only=read_only,
        waiting_weight=settings.max_waiting_sightings,
    )


@contextmanager
def open_desk(settings: Settings, *, read_only: bool) -> Iterator[Desk]:
    """A desk at the database of the settings; one that is read only works beside a running server."""
    with open_database(settings, read_only=read_only) as database:
        yield Desk(settings, database, world=World.real())


def database_file(settings: Settings) -> Path:
    """The file of the settings' database, whether or not it exists."""
    return database_path(settings.database_url)


def database_flaw(error: BaseException) -> str | None:
    """What an error says about the database file, as `is damaged: …`; None when it says nothing about it."""
    return flaw(error)


def database_owner(settings: Settings) -> str | None:
    """Who owns the database, as `process 4711 at http://127.0.0.1:8000`; None when nobody does."""
    return held_by(database_file(settings))


def upgrade_database(settings: Settings) -> None:
    """Creates the database or brings it to this version's shape; see `migrate.upgrade` for what it raises."""
    upgrade(settings.database_url)


def build_engine(settings: Settings, *, serves_at: str | None = None, world: World | None = None) -> Engine:
    """An engine that owns the database; `serves_at` is the address that others are told."""
    database = open_database(settings, serves_at=serves_at)
    try:
        return Engine(settings, database, world=world or World.real())
    except BaseException:
        database.close()
        raise


@dataclass(frozen=True, slots=True)
class DemoEngine:
    """An engine whose clock the caller moves."""

    engine: Engine
    clock: SteppedClock


def build_demo_engine(folder: Path, *, start: datetime, seed: int, screens: TextIO) -> DemoEngine:
    """An engine on a new database in `folder`, with a stepped clock, seeded names and nobody held out from all."""
    settings = Settings(
        database_url=f"sqlite:///{folder / 'demo.sqlite3'}",
        universal_holdout=0.0,
        # One after another, so that the same seed prints the same screens in the same order.
        delivery=DeliverySettings(calls_at_once=1),
    )
    upgrade(settings.database_url)
    clock = SteppedClock(start)
    world = World(clock, SeededIds(clock, seed=seed), screens)
    return DemoEngine(build_engine(settings, world=world), clock)


def check_channels(settings: Settings, written_at: datetime | None) -> Iterator[tuple[str, Finding]]:
    """What is found of channels, providers and clock without sending; `written_at` is when the database last was."""
    channels, clock = settings.channels, SystemClock()
    with closing(_wire(settings)) as wire:
        yield from registry.check(channels.chosen, channels.options, Surroundings(wire, clock, sys.stdout))
        ahead, synchronised = wire.ahead, is_synchronised()
    yield "clock", clock_finding(clock.now(), written_at=written_at, ahead=ahead, synchronised=synchronised)


def _wire(settings: Settings) -> Wire:
    return Wire(loopback_only=settings.mode != "production")


def _house(settings: Settings, world: World, universal_salt: str) -> House:
    policy = Policy(
        pressure=settings.pressure_rules,
        universal_holdout=settings.universal_holdout,
        universal_salt=universal_salt,
        prices=settings.prices.by_channel,
        default_law=settings.send_law,
    )
    return House(policy, settings.stop_number, world.ids)
