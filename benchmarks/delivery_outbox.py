"""What waits to be sent? Messages as decisions leave them, each of a shopper of her own, on a Tuesday at ten."""

import json
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.daytime import Daytime
from benchmarks.workload import Feature, make_stores
from campaigns.facts import Policy
from campaigns.identity import version_of
from campaigns.reader import read_campaign
from m2s.adapters.channels import registry
from m2s.adapters.runtime.world import World
from m2s.adapters.storage.engine import write_engine
from m2s.adapters.storage.migrate import upgrade
from m2s.adapters.storage.tables_people import consents, devices, shoppers
from m2s.app.deliver import Deliver
from m2s.app.ports import Records
from m2s.app.rows import CampaignRow, DecisionRow, MessageRow
from m2s.bootstrap import Engine, open_database
from m2s.core.base.instants import Clock
from m2s.settings import Settings

TUESDAY = datetime(2026, 11, 3, 9, tzinfo=UTC)
"""Ten in the morning in Paris: the law lets messages leave for hours."""
_STORES = 100
_CAMPAIGN = """
campaign: bench
name: Benchmark
stores: {all: true}
holdout: 0%
offers:
  - offer: near
    trigger: {near: vicinity}
    channels: [push, sms]
    valid_for: 8h
    message:
      push: {title: {en: "Hello"}, body: {en: "Come to {store_name}"}}
      sms: {en: "{store_name}: come in. STOP {stop_number}"}
"""


class Outbox:
    """An engine whose shoppers agreed to everything, and the messages that wait in it."""

    def __init__(
        self,
        path: Path,
        *,
        seed: int,
        channel: str,
        people: int,
        channels: Mapping[str, Any],
        clock: Clock | None = None,
    ) -> None:
        """`channel` is how messages leave, `channels` the settings of providers, `clock` another one than `Daytime`."""
        settings = Settings.model_validate({"database_url": f"sqlite:///{path}", "channels": dict(channels)})
        upgrade(settings.database_url)
        _register(path, people)
        database = open_database(settings)
        database.write(lambda records: _publish(records, make_stores(seed, _STORES)))
        world = World.real()
        self.engine = Engine(settings, database, world=World(clock or Daytime(), world.ids, world.out))
        self.engine.start(heartbeat=False)
        self._ids = world.ids
        self._wire = registry.Wire(loopback_only=True)
        self._channel = channel
        self._left = list(range(people))

    def plan(self, number: int) -> list[str]:
        """Puts messages of as many shoppers into the outbox; their ids."""
        now = self.engine.clock.now()
        made = [self._message(self._left.pop(), now, self._ids.new("msg")) for _ in range(number)]

        def work(records: Records) -> None:
            records.decisions.add([_decision(message) for message in made])
            records.messages.add(made)

        self.engine.database.write(work)
        return [message.id for message in made]

    def another_worker(self) -> Deliver:
        """A second delivery worker at the same outbox, with connections of its own."""
        engine, channels = self.engine, self.engine.settings.channels
        made = registry.build(
            channels.chosen, channels.options, registry.Surroundings(self._wire, engine.clock, sys.stdout)
        )
        return Deliver(
            engine.database,
            made,
            clock=engine.clock,
            catalog=engine.catalog,
            policy=Policy(engine.settings.pressure_rules, universal_holdout=0.0, universal_salt=""),
            jitter=random.random,
            observer=engine.metrics.delivery,
        )

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.stop()
        self._wire.close()

    def _message(self, person: int, now: datetime, name: str) -> MessageRow:
        valid_until = now + timedelta(hours=8)
        return MessageRow(
            id=name,
            decision_id=f"dec_{person}",
            shopper_id=f"shp_{person}",
            device_id=f"dev_{person}",
            campaign_id="bench",
            offer_id="near",
            store_id=f"s{person % _STORES}",
            channel=self._channel,
            title="Hello",
            body=f"Come to Store {person % _STORES}",
            state="planned",
            reason=None,
            not_before=now,
            valid_until=valid_until,
            created_at=now,
            tries=0,
            fence=0,
        )


def _decision(message: MessageRow) -> DecisionRow:
    return DecisionRow(
        id=message.decision_id,
        occasion_key=message.id,
        campaign_id=message.campaign_id,
        offer_id=message.offer_id,
        offer_version="1",
        shopper_id=message.shopper_id,
        device_id=message.device_id,
        store_id=message.store_id,
        trigger="near",
        outcome="send",
        reason=None,
        channel=message.channel,
        trace=[],
        at=message.created_at,
        decided_at=message.created_at,
        valid_until=message.valid_until,
    )


def _publish(records: Records, stores: list[Feature]) -> None:
    features = {str(store["id"]): json.dumps(store) for store in stores}
    records.catalog.put_stores(features, version=records.catalog.raise_version(), at=TUESDAY)
    version = version_of(read_campaign(_CAMPAIGN))
    records.catalog.put_campaign(CampaignRow("bench", version, "active", "salt", _CAMPAIGN, TUESDAY))


def _register(path: Path, number: int) -> None:
    people = range(max(1, number))
    device = {"platform": "ios", "language": "en", "timezone": "Europe/Paris", "os_permissions": "{}"}
    times = {"registered_at": TUESDAY, "updated_at": TUESDAY, "push_token_at": TUESDAY}
    agreed = {"granted": True, "text_version": "v1", "at": TUESDAY, "received_at": TUESDAY}
    engine = write_engine(path)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(shoppers),
            [
                {"id": f"shp_{one}", "created_at": TUESDAY, "phone": f"+336{one:08}", "country": "FR"}
                for one in people
            ],
        )
        connection.execute(
            sa.insert(devices),
            [
                {
                    "id": f"dev_{one}",
                    "shopper_id": f"shp_{one}",
                    "token_hash": one.to_bytes(32, "big"),
                    "push_token": f"{one:064x}",
                    **device,
                    **times,
                }
                for one in people
            ],
        )
        for purpose, channel in (("marketing", "push"), ("marketing", "sms"), ("location", None)):
            connection.execute(
                sa.insert(consents),
                [
                    {
                        "shopper_id": f"shp_{one}",
                        "device_id": f"dev_{one}",
                        "purpose": purpose,
                        "channel": channel,
                    }
                    | agreed
                    for one in people
                ],
            )
    engine.dispose()
