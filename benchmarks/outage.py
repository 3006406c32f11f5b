"""What does a provider that is down cost the intake? Ten minutes of the service's clock, with messages that wait."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from statistics import median, quantiles
from threading import Thread

from benchmarks.delivery import Provider, apns
from benchmarks.delivery_outbox import TUESDAY, Outbox
from benchmarks.floor import PER_COMMIT, decoder
from benchmarks.measured import ROUNDS, Goal, Round, Row, absolute, compared, in_turns, one_core
from benchmarks.workload import Body, Traffic, shopper_of
from m2s.adapters.runtime.clock import SteppedClock
from m2s.app.groups import GroupResult
from m2s.app.ports import Records
from m2s.app.sighting import Answer, Batch
from m2s.core.base.instants import to_ms

_OUTAGE_S = 600
_WAITING = 1_000
_SIZE = 20
_OPENED_S = 9
"""Before the breaker lets the first probe through."""
_REST = timedelta(seconds=10)
_SECOND = timedelta(seconds=1)


class _Shop:
    """A service whose clock goes by one second with every commit of sightings, and whose worker beats each second."""

    def __init__(self, path: Path, *, seed: int, waiting: int, port: int) -> None:
        """Before each round so many messages are put into the outbox; their provider would listen at the port."""
        self._clock = SteppedClock(TUESDAY)
        self._port = port
        self._waiting = waiting
        self.outbox = Outbox(
            path,
            seed=seed,
            channel="push",
            people=waiting * (ROUNDS + 1),
            channels=apns(path.parent, f"http://127.0.0.1:{port}"),
            clock=self._clock,
        )
        self._traffic = Traffic(self.outbox.engine, seed=seed)
        self._sent_to_be = 0
        self.took_ms: list[list[float]] = []
        """How long each commit of each round took."""
        self.until_it_opened: list[float] = []
        self.calls: list[float] = []

    def round(self) -> Round:
        """Ten minutes of sightings, after the provider took all that waited and messages were planned anew."""
        self._send_all()
        self.outbox.plan(self._waiting)
        groups = [self._traffic.bodies(PER_COMMIT // _SIZE, _SIZE) for _ in range(_OUTAGE_S)]

        def work() -> int:
            seconds: SimpleQueue[bool] = SimpleQueue()
            beating = Thread(target=self._beat, args=(seconds,))
            beating.start()
            took_ms = []
            for bodies in groups:
                began_s = time.perf_counter()
                self._commit(bodies)
                took_ms.append((time.perf_counter() - began_s) * 1e3)
                self._clock.advance(_SECOND)
                seconds.put(True)
            seconds.put(False)
            beating.join()
            self.took_ms.append(took_ms)
            return _OUTAGE_S * PER_COMMIT

        return work

    def _commit(self, bodies: Sequence[Body]) -> None:
        engine, received_at_ms = self.outbox.engine, to_ms(self._clock.now())
        batches = []
        for device, text in bodies:
            items = list(enumerate(decoder.decode(text).sightings))
            batches.append(Batch(device, {device: shopper_of(device)}, received_at_ms, None, items, []))

        def work(records: Records) -> GroupResult[Answer]:
            return engine.intake.process(records, batches)

        engine.database.write(work, then=lambda result: result.publish())

    def _beat(self, seconds: "SimpleQueue[bool]") -> None:
        """What the heartbeat does for delivery."""
        worker, before = self.outbox.engine.deliver, self._failed()
        second = 0
        while seconds.get():
            second += 1
            worker.drain()
            if second % 30 == 0:
                worker.recover_lost()
            if second % 60 == 0:
                worker.expire(self._clock.now())
            if second == _OPENED_S:
                self.until_it_opened.append(self._failed() - before)
        self.calls.append(self._failed() - before)

    def _failed(self) -> float:
        labels = {"channel": "push", "result": "retry_later"}
        return self.outbox.engine.metrics.registry.get_sample_value("m2s_calls_total", labels) or 0.0

    def _send_all(self) -> None:
        """The provider is back, until nothing waits."""
        with Provider("push", port=self._port) as provider:
            taken = 0
            while taken < self._sent_to_be:
                self._clock.advance(_REST)
                self.outbox.engine.deliver.drain()
                taken += len(provider.taken())
        self._sent_to_be = self._waiting


def outage(folder: Path, *, seed: int) -> list[Row]:
    """Against the same intake with nothing to send."""
    with Provider("push") as provider:
        port = provider.port
    with one_core(), ExitStack() as stack:
        shops = []
        for name, waiting in (("down", _WAITING), ("quiet", 0)):
            (folder / name).mkdir()
            shop = _Shop(folder / name / "shop.sqlite3", seed=seed, waiting=waiting, port=port)
            stack.enter_context(closing(shop.outbox))
            shops.append(shop)
        down, quiet = shops
        costs = in_turns(down.round, quiet.round)
    ratios = [_p99(ours) / _p99(floor) for ours, floor in zip(down.took_ms, quiet.took_ms, strict=True)][1:]
    return [
        compared("intake while a provider is down for 10 minutes", *costs, goal=Goal(1.1, at_most=True)),
        absolute(
            "p99 of a commit of sightings meanwhile",
            ratios,
            goal=Goal(1.5, at_most=True),
            unit="times that without",
            beside={
                "p99 in ms": median(map(_p99, down.took_ms[1:])),
                "without": median(map(_p99, quiet.took_ms[1:])),
            },
        ),
        absolute(
            "calls until the breaker opened",
            down.until_it_opened,
            goal=Goal(20, at_most=True),
            unit="calls",
            beside={"calls in 10 minutes": median(down.calls)},
        ),
    ]


def _p99(took_ms: Sequence[float]) -> float:
    return quantiles(took_ms, n=100)[98]
