"""What if the process dies at this very point? A process that kills itself there, run as a script by the tests.

`python -m tests.faults.killed serve DATABASE PORT POINT NTH` serves; `python -m tests.faults.killed deliver DATABASE
POINT NTH CHANNELS NOW` delivers what is due at an instant, by the channels that a file configures. It dies when it
comes to the point for the NTH time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from m2s.adapters.channels import registry
from m2s.adapters.channels.fcm import FcmChannel, FcmOptions
from m2s.adapters.channels.gateway import GatewayChannel, GatewayOptions
from m2s.adapters.channels.registry import Kind
from m2s.adapters.channels.surroundings import CheckedAdapter
from m2s.adapters.runtime.clock import SteppedClock, SystemClock
from m2s.adapters.runtime.ids import SystemIds
from m2s.adapters.storage.database import SqlDatabase
from m2s.app.channel import Address, SendResult
from m2s.app.doctor import Finding
from m2s.app.groups import GroupResult
from m2s.app.ports import Records
from m2s.app.rows import CouponRow, MessageRow
from m2s.app.sighting import Answer, Batch
from m2s.bootstrap import Engine, World
from m2s.entry.cli.server import Server, bound
from m2s.settings import ChannelSettings, Settings
from tests.changed import replace

T = TypeVar("T")
COMMITS = {
    "after_claim": "Deliver._claim committed",
    "after_commit_before_ack": "Deliver._turn committed",
}
"""The points of a delivery worker that are commits; `before_send` and `after_send_before_mark` are about its calls."""


class Fate:
    """Kills this process where the point is passed for the nth time."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._nth = nth
        self._passed = count(1)

    def at(self, point: str) -> None:
        """This point is passed now."""
        if point == self._point and next(self._passed) == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


class FatedIntake:
    """The engine's intake, with a point after its work before the commit, and one after the commit."""

    def __init__(self, engine: Engine, fate: Fate) -> None:
        self._intake = engine.intake
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._intake, name)

    def process(self, records: Records, items: Sequence[Batch]) -> GroupResult[Answer]:
        """Processes a group."""
        result = self._intake.process(records, items)
        self._fate.at("group worked")

        def publish() -> None:
            self._fate.at("group committed")
            result.publish()

        return replace(result, publish=publish)


class FatedDatabase(SqlDatabase):
    """The product's database, with a point before and one after the commit of each kind of work.

    They are called by whose work it is, as `Redeem.redeem worked` and `Redeem.redeem committed`.
    """

    fate: Fate

    def write(self, work: Callable[[Records], T], *, then: Callable[[T], object] | None = None) -> T:
        """Runs `work` in one transaction."""
        whose = work.__qualname__.partition(".<locals>")[0]

        def fated(records: Records) -> T:
            result = work(records)
            self.fate.at(f"{whose} worked")
            return result

        result = super().write(fated, then=then)
        self.fate.at(f"{whose} committed")
        return result


class FatedChannel:
    """A channel of the product, with a point before each of its calls and one after.

    It does not know when a push token was registered: by the service's clock, which is not the channel's.
    """

    def __init__(self, channel: CheckedAdapter, fate: Fate) -> None:
        self._channel = channel
        self._fate = fate

    def send(self, message: MessageRow, address: Address, coupon: CouponRow | None) -> SendResult:
        """Sends one message."""
        self._fate.at("before_send")
        result = self._channel.send(message, replace(address, push_token_at=None), coupon)
        self._fate.at("after_send_before_mark")
        return result

    def check(self) -> Finding:
        """What the channel says of itself."""
        return self._channel.check()


def serve(database: str, port: str, point: str, nth: str) -> None:
    """Serves until it dies or is told to stop."""
    settings = Settings(database_url=f"sqlite:///{database}")
    kept = FatedDatabase(settings.database_url)
    kept.fate = Fate(point, int(nth))
    engine = Engine(settings, kept, world=World.real())
    server = Server(engine, listener=bound("127.0.0.1", int(port)))

    def listening() -> None:
        kept.handle_groups(FatedIntake(engine, kept.fate))
        print(f"m2s listens on {server.url}", flush=True)

    server.run(listening)


def deliver(database: str, point: str, nth: str, channels: str, now: str) -> None:
    """Takes up what a dead process left, delivers until nothing is due, and asks for what is in doubt."""
    settings = Settings(
        database_url=f"sqlite:///{database}",
        universal_holdout=0.0,
        channels=ChannelSettings(**json.loads(Path(channels).read_text(encoding="utf-8"))),
    )
    kept = FatedDatabase(settings.database_url)
    fate = kept.fate = Fate(COMMITS.get(point, point), int(nth))
    registry.ADAPTERS = {
        # What the stand-in of FCM judges are real times, whatever the clock of the service says.
        "fcm": Kind(
            FcmOptions,
            lambda o, g: FatedChannel(FcmChannel(o, wire=g.wire, clock=SystemClock()), fate),
            ("push",),
        ),
        "gateway": Kind(
            GatewayOptions,
            lambda o, g: FatedChannel(GatewayChannel(o, wire=g.wire, clock=g.clock), fate),
            ("sms",),
        ),
    }
    clock = SteppedClock(datetime.fromisoformat(now))
    engine = Engine(settings, kept, world=World(clock, SystemIds(clock), sys.stdout))
    engine.start(heartbeat=False)
    engine.deliver.drain()
    engine.deliver.ask(clock.now())
    engine.stop()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *arguments]:
            serve(*arguments)
        case ["deliver", *arguments]:
            deliver(*arguments)
