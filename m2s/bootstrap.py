"""How is the service put together? The one place that names concrete adapters: settings in, a wired engine out."""

import json
import random
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TextIO

from campaigns.facts import Policy
from m2s.adapters.channels import registry
from m2s.adapters.runtime.clock import SystemClock
from m2s.adapters.runtime.ids import SystemIds
from m2s.adapters.runtime.scheduler import Heartbeat
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.access import Access
from m2s.app.catalog import Catalog, build_catalog
from m2s.app.deliver import Deliver
from m2s.app.devices import Devices
from m2s.app.explain import Explain
from m2s.app.intake import House, Intake
from m2s.app.jobs import Jobs, standard_jobs
from m2s.app.measure import Measure
from m2s.app.plan import PlanSends
from m2s.app.ports import Database, Records
from m2s.app.publish import Publish
from m2s.app.redeem import Redeem
from m2s.app.sighting import Answer, Batch
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock
from m2s.core.places.geojson import read_features
from m2s.settings import Settings

_UNIVERSAL_SALT = "universal_salt"


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


class Intakes:
    """Where the doors hand in sightings; answers come after the synced commit."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def submit(self, batch: Batch) -> Future[Answer]:
        """Queues one request for the next group commit."""
        return self._database.submit_grouped(batch)


class Engine:
    """The whole service without its doors."""

    def __init__(self, settings: Settings, database: SqlDatabase, *, world: World) -> None:
        self.settings = settings
        self.database = database
        self.clock = world.clock
        self._catalog = self._read_catalog()
        policy = Policy(
            pressure=settings.pressure_rates,
            universal_holdout=settings.universal_holdout,
            universal_salt=_universal_salt(database, world.ids),
        )
        self.access = Access(database, world.ids, clock=world.clock)
        self.devices = Devices(database, world.ids, clock=world.clock)
        self.publish = Publish(
            database,
            world.ids,
            clock=world.clock,
            stores=lambda: self.catalog().stores.values(),
            reload=self.reload,
        )
        self.explain = Explain(database, world.clock, store_ids=lambda: self.catalog().stores)
        self.redeem = Redeem(database, world.clock, ids=world.ids)
        self.reports = Measure(database, world.clock, catalog=self.catalog)
        self.intake = Intakes(database)
        self._intake = Intake(
            catalog=self.catalog, clock=world.clock, house=House(policy, settings.stop_number, world.ids)
        )
        self.deliver = Deliver(
            database,
            _channels(settings, world),
            clock=world.clock,
            catalog=self.catalog,
            policy=policy,
            jitter=random.SystemRandom().random,
        )
        plan = PlanSends(
            database, self.catalog, policy=policy, ids=world.ids, stop_number=settings.stop_number
        )
        self.jobs = Jobs(
            database,
            world.clock,
            jobs=standard_jobs(database, close_visits=self._close_visits, plan=plan, deliver=self.deliver),
        )
        self._heartbeat = Heartbeat(self.jobs)

    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def reload(self) -> None:
        """Swaps the catalog for what is published now; a group that is being processed keeps the old one."""
        self._catalog = self._read_catalog()

    def start(self, *, heartbeat: bool = True) -> None:
        """Takes up what an earlier process left, and starts the heartbeat unless the caller runs the jobs."""
        with self.database.read() as records:
            self._intake.load(records)
        self.database.handle_groups(self._intake)
        self.deliver.recover()
        if heartbeat:
            self._heartbeat.start()

    def stop(self) -> None:
        """Ends the heartbeat, commits what was submitted, and lets go of the database."""
        self._heartbeat.stop()
        self.database.close()

    def ready(self) -> list[str]:
        """Why the service cannot take sightings now; empty when it can."""
        try:
            self.database.write(lambda records: records.catalog.version())
        except Exception as error:
            return [str(error)]
        return []

    def _close_visits(self, _now: datetime) -> None:
        publish: Callable[[], None] = self.database.write(self._intake.close)
        publish()

    def _read_catalog(self) -> Catalog:
        with self.database.read() as records:
            version = records.catalog.version()
            features = [json.loads(text) for text in records.catalog.store_features()]
            campaigns = records.catalog.campaigns()
        stores = read_features((f"stores[{i}]", feature) for i, feature in enumerate(features))
        return build_catalog(version, stores, campaigns)


def open_database(
    settings: Settings, *, serves_at: str | None = None, read_only: bool = False
) -> SqlDatabase:
    """The database of the settings; see SqlDatabase for what it raises."""
    return SqlDatabase(settings.database_url, serves_at=serves_at, read_only=read_only)


def build_engine(settings: Settings, *, serves_at: str | None = None, world: World | None = None) -> Engine:
    """An engine that owns the database; `serves_at` is the address that others are told."""
    database = open_database(settings, serves_at=serves_at)
    try:
        return Engine(settings, database, world=world or World.real())
    except BaseException:
        database.close()
        raise


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
