"""Which calls run at once, and which have ended? A few threads that call channels, and nothing else."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition, Thread
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
        self._begun: SimpleQueue[Parcel | None] = SimpleQueue()
        self._ended: list[Ended | BaseException] = []
        self._changed = Condition()
        self._running = 0
        self._threads: list[Thread] = []
        self._most_threads = at_once if at_once > 1 else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._begun.put(None)
        for thread in self._threads:
            thread.join()

    def __len__(self) -> int:
        return self._running

    def start(self, parcel: Parcel) -> None:
        """Calls the message's channel."""
        if not self._most_threads:
            self._ended.append(self._call(parcel))
        else:
            self._begun.put(parcel)
            if self._running >= len(self._threads) < self._most_threads:
                self._threads.append(Thread(target=self._work, name=f"m2s-call-{len(self._threads)}"))
                self._threads[-1].start()
        self._running += 1

    def ended(self) -> list[Ended]:
        """Waits until a call has ended, where any runs, and a little for others; returns all that have.

        Raises what is no Exception and came out of a call.
        """
        with self._changed:
            if self._running:
                self._changed.wait_for(lambda: self._ended)
                # What is settled together costs one commit; a provider takes longer than this wait.
                self._changed.wait_for(self._all_ended, GATHER_S)
            ended, self._ended = self._ended, []
        self._running -= len(ended)
        for one in ended:
            if isinstance(one, BaseException):
                raise one
        return [one for one in ended if isinstance(one, Ended)]

    def _all_ended(self) -> bool:
        return len(self._ended) == self._running

    def _work(self) -> None:
        while (parcel := self._begun.get()) is not None:
            ended: Ended | BaseException
            try:
                ended = self._call(parcel)
            except BaseException as error:
                ended = error
            with self._changed:
                self._ended.append(ended)
                if len(self._ended) == 1 or self._all_ended():
                    # Nobody waits for the others.
                    self._changed.notify()

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
