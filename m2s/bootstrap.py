"""How is the service put together? The one place that names concrete adapters: settings in, a wired engine out."""

import json
import logging
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, Self, TextIO

from campaigns.facts import Policy
from m2s.adapters.channels import registry
from m2s.adapters.importers.csv_file import read_csv
from m2s.adapters.importers.geojson import read_geojson
from m2s.adapters.importers.traces import REASONS as REASONS
from m2s.adapters.importers.traces import Reading as Reading
from m2s.adapters.importers.traces import Recording as Recording
from m2s.adapters.importers.traces import Trace as Trace
from m2s.adapters.importers.traces_csv import read_csv_trace
from m2s.adapters.importers.traces_gpx import read_gpx
from m2s.adapters.importers.traces_jsonl import read_jsonl
from m2s.adapters.importers.traces_owntracks import read_owntracks
from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.adapters.runtime.ids import SeededIds, SystemIds
from m2s.adapters.runtime.logs import configure_logs as configure_logs
from m2s.adapters.runtime.memory import making_much as making_much
from m2s.adapters.runtime.memory import settle_memory
from m2s.adapters.runtime.metrics import Metrics
from m2s.adapters.runtime.scheduler import Heartbeat
from m2s.adapters.storage.damage import flaw
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.engine import database_path
from m2s.adapters.storage.lock import held_by
from m2s.adapters.storage.migrate import upgrade
from m2s.app.access import Access
from m2s.app.catalog import Catalog, build_catalog
from m2s.app.clocks import Clocks
from m2s.app.dead_letters import DeadLetters, Replayed
from m2s.app.deliver import Deliver
from m2s.app.devices import Devices
from m2s.app.explain import Explain
from m2s.app.intake import House, Intake
from m2s.app.jobs import Jobs, standard_jobs
from m2s.app.measure import Measure
from m2s.app.plan import PlanSends
from m2s.app.ports import Database, Records
from m2s.app.publish import Publish, in_turns
from m2s.app.redeem import Redeem
from m2s.app.regulars import Regulars
from m2s.app.retention import Retention
from m2s.app.sighting import Answer, Batch
from m2s.core.base.errors import Unavailable
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Store
from m2s.settings import Settings

_UNIVERSAL_SALT = "universal_salt"
_TRIED_AT = "write_tried_at"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class World:
    """What a simulation may replace: time, names, and where console channels print."""

    clock: Clock
    ids: Ids
    out: TextIO

    @classmethod
    def real(cls) -> Self:
        """The system's clock, unguessable ids, standard output."""
        clock = SystemClock()
        return cls(clock, SystemIds(clock), sys.stdout)


class Desk:
    """Stores, campaigns, keys and figures of one database, without the service around them: what commands work at.

    On a database that was opened to read only, whatever would write raises Conflict.
    """

    def __init__(self, settings: Settings, database: SqlDatabase, *, world: World) -> None:
        self.settings = settings
        self.database = database
        self.clock = world.clock
        self._world = world
        self._reloading = Lock()
        self._catalog = self._read_catalog({})
        self.access = Access(database, world.ids, clock=world.clock)
        self.publish = Publish(
            database,
            world.ids,
            clock=world.clock,
            catalog=self.catalog,
            reload=self.reload,
            making_much=making_much,
        )
        self.explain = Explain(database, world.clock, store_ids=lambda: self.catalog().stores)
        self.reports = Measure(database, world.clock, catalog=self.catalog)
        self.dead_letters = DeadLetters(database)
        self.retention = Retention(
            database,
            world.clock,
            sightings_kept=timedelta(days=settings.sightings_kept_days),
            evidence_kept=timedelta(days=settings.evidence_kept_days),
        )

    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def reload(self, read: Mapping[str, Store] = MappingProxyType({})) -> None:
        """Swaps the catalog for what is published now; a group that is being processed keeps the old one.

        `read` has stores by the texts that they were read from; the others are read from theirs.
        Reloads run one after another, so that none puts an older catalog in the place of a newer.
        """
        with self._reloading:
            with self.database.read() as records:
                published = records.catalog.version()
            if published > self._catalog.version:
                self._catalog = self._read_catalog(read, self._catalog)

    def replay(self, letter_id: str) -> Replayed:
        """Has a dead letter processed again, by an engine for this one sighting; see DeadLetters.replay."""
        engine = Engine(self.settings, self.database, world=self._world)
        engine.take_sightings()
        return engine.replay(letter_id)

    def _read_catalog(self, read: Mapping[str, Store], before: Catalog | None = None) -> Catalog:
        """What is published; only what was not yet when `before` was read, nor is in `read`, is read now."""
        known: list[Store] = []

        def unread(texts: Iterable[str]) -> Iterator[tuple[str, object]]:
            for number, text in enumerate(texts):
                if text in read:
                    known.append(read[text])
                else:
                    yield f"stores[{number}]", json.loads(text)

        with making_much() as turn:
            with self.database.read() as records:
                texts = records.catalog.store_features(after=before.version if before else 0)
                stores = read_features(unread(in_turns(texts, turn)))
                version, campaigns = records.catalog.version(), records.catalog.campaigns()
            return build_catalog(version, [*known, *stores], campaigns, before=before)


class Engine(Desk):
    """The whole service without its doors."""

    def __init__(self, settings: Settings, database: SqlDatabase, *, world: World) -> None:
        super().__init__(settings, database, world=world)
        self._trying = Lock()
        self._tried: Future[None] | None = None
        self.metrics = Metrics()
        self.metrics.watch_waiting(lambda: database.waiting_weight)
        policy = Policy(
            pressure=settings.pressure_rates,
            universal_holdout=settings.universal_holdout,
            universal_salt=_universal_salt(database, world.ids),
        )
        self.devices = Devices(database, world.ids, clock=world.clock, changed=self.access.forget_device)
        self.redeem = Redeem(database, world.clock, ids=world.ids, catalog=self.catalog)
        self.intake = Intake(
            catalog=self.catalog,
            clock=world.clock,
            house=House(policy, settings.stop_number, world.ids, self.metrics),
            most_ids=settings.dedupe_max_ids,
        )
        self.metrics.watch_remembered(self.intake.remembered)
        self.deliver = Deliver(
            database,
            _channels(settings, world),
            clock=world.clock,
            catalog=self.catalog,
            policy=policy,
            jitter=random.SystemRandom().random,
        )
        self._regulars = Regulars(database, world.clock, catalog=self.catalog)
        self._clocks = Clocks(database, found=self.metrics.clock)
        self.plan = PlanSends(
            database,
            self.catalog,
            policy=policy,
            ids=world.ids,
            stop_number=settings.stop_number,
            observer=self.metrics,
        )
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
                clocks=self._clocks,
            ),
        )
        self._heartbeat = Heartbeat(self.jobs)

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
        for job in (self.plan, self.deliver, self.retention, self._regulars):
            job.stop()

    def stop(self) -> None:
        """Ends the heartbeat, commits what was submitted, and lets go of the database."""
        self.hurry()
        self._heartbeat.stop()
        self.database.close()

    def ready(self) -> list[str]:
        """Why the service cannot take sightings now, in words that anybody may read; empty when it can."""
        try:
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
            records.catalog.keep_setting(_TRIED_AT, rfc3339(self.clock.now()))

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


def read_stores(text: str, file_format: str, *, timezone: str | None) -> list[Store]:
    """The stores of a file's text in the format `geojson`, `osm` (GeoJSON too) or `csv`; raises Invalid."""
    return STORE_READERS[file_format](text, timezone)


STORE_READERS: Mapping[str, Callable[[str, str | None], list[Store]]] = {
    "geojson": read_geojson,
    "csv": read_csv,
    "osm": read_geojson,
}
"""How each format of store files is read."""

TRACE_READERS: Mapping[str, Callable[[bytes, Reading], Recording]] = {
    "gpx": read_gpx,
    "owntracks": read_owntracks,
    "jsonl": read_jsonl,
    "csv": read_csv_trace,
}
"""How each format of recorded traces is read; all raise Invalid for what is of another format."""


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
    settings = Settings(database_url=f"sqlite:///{folder / 'demo.sqlite3'}", universal_holdout=0.0)
    upgrade(settings.database_url)
    clock = SteppedClock(start)
    world = World(clock, SeededIds(clock, seed=seed), screens)
    return DemoEngine(build_engine(settings, world=world), clock)


def _channels(settings: Settings, world: World) -> dict[str, Any]:
    chosen = {"push": settings.channels.push, "sms": settings.channels.sms}
    named = {channel: adapter for channel, adapter in chosen.items() if adapter}
    options: dict[str, dict[str, str]] = {}
    if settings.channels.webhook is not None:
        named["webhook"] = "webhook"
        options["webhook"] = settings.channels.webhook.model_dump()
    return dict(registry.build(named, options, clock=world.clock, out=world.out))


def _universal_salt(database: Database, ids: Ids) -> str:
    def keep(records: Records) -> str:
        salt = records.catalog.setting(_UNIVERSAL_SALT)
        if salt is None:
            salt = ids.secret(16).hex()
            records.catalog.keep_setting(_UNIVERSAL_SALT, salt)
        return salt

    return database.write(keep)
