"""How does a process keep many objects without stopping for them? By when Python looks for garbage, and takes turns."""

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import perf_counter, sleep

_YOUNG = 50_000
_MUCH = 1_000_000
_TURN_S = 0.0005
"""A tenth of Python's own: how long a thread that waits for its turn lets another one go on."""
_REST_S = 0.0001


class _Making:
    """How many threads make much now, what was usual before the first of them, and whether the process settled."""

    lock = Lock()
    threads = 0
    turn_s = 0.0
    collects = False
    settled = False


def settle_memory() -> None:
    """Gives back what is free, leaves what is loaded now out of every later collection, and collects less often.

    For a process that serves: its long-lived objects would be visited again and again for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
    _Making.settled = True
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        # What loading needed only for a while: the C library keeps it otherwise.
        trim(0)


@contextmanager
def making_much() -> Iterator[Callable[[], None]]:
    """While many objects are made that will stay, other threads wait less for their turn, and for no collection.

    What it gives is to be called after each piece of work: it lets others have their turn. In a process that has
    settled, what is made is left out of every later collection where it is more than a million objects.
    """
    with _Making.lock:
        if not _Making.threads:
            _Making.turn_s, _Making.collects = sys.getswitchinterval(), gc.isenabled()
            sys.setswitchinterval(_TURN_S)
            gc.disable()
        _Making.threads += 1
    try:
        yield _turns()
    finally:
        with _Making.lock:
            _Making.threads -= 1
            if not _Making.threads:
                # Garbage that is about is kept for ever with it: only what would take long to look at is worth that.
                if _Making.settled and gc.get_count()[0] > _MUCH:
                    gc.freeze()
                sys.setswitchinterval(_Making.turn_s)
                if _Making.collects:
                    gc.enable()


def _turns() -> Callable[[], None]:
    """What lets others go on when this thread did for a while.

    Whoever waits asks for its turn only when nobody let go meanwhile. Shapely lets go for microseconds at each call,
    too short for another thread to wake up, which so could wait for half a second.
    """
    began_s = perf_counter()

    def turn() -> None:
        nonlocal began_s
        if perf_counter() - began_s > _TURN_S:
            sleep(_REST_S)
            began_s = perf_counter()

    return turn
