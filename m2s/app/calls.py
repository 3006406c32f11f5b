"""Which calls run at once, and which have ended? A few threads that call channels, and nothing else."""

import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from m2s.app.channel import ChannelAdapter, SendResult, Unknown
from m2s.app.clearance import Parcel

GATHER_S = 0.005
"""How long calls that end one after the other are waited for, to be settled together."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended, and how long it took."""

    parcel: Parcel
    result: SendResult
    took_s: float


class Calls:
    """Calls of channels, `at_once` at most; one at a time they run in the caller's own thread.

    What runs at the end of the `with` block is brought to its end, and `ended` gives it after that, too.
    """

    def __init__(self, channels: Mapping[str, ChannelAdapter], *, at_once: int) -> None:
        self._channels = channels
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="m2s-call") if at_once > 1 else None
        self._running: set[Future[Ended]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def __len__(self) -> int:
        return len(self._running)

    def start(self, parcel: Parcel) -> None:
        """Calls the message's channel."""
        if self._pool is not None:
            self._running.add(self._pool.submit(self._call, parcel))
            return
        done: Future[Ended] = Future()
        done.set_result(self._call(parcel))
        self._running.add(done)

    def ended(self) -> list[Ended]:
        """Waits until a call has ended, where any runs, and a little for others; returns all that have."""
        done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
        if self._running:
            # What is settled together costs one commit; a provider takes longer than this wait.
            more, self._running = wait(self._running, timeout=GATHER_S)
            done |= more
        return [future.result() for future in done]

    def _call(self, parcel: Parcel) -> Ended:
        message, began_s = parcel.message, time.perf_counter()
        result: SendResult
        try:
            result = self._channels[message.channel].send(message, parcel.address, parcel.coupon)
        except Exception as error:
            # Its text may hold a number or a token, so only its kind is kept.
            kind = type(error).__name__
            _log.error("delivery.failed", message_id=message.id, channel=message.channel, error=kind)
            result = Unknown(kind)
        return Ended(parcel, result, time.perf_counter() - began_s)
