"""Making much is over for all threads when it is over for the last, and then everything is as it was."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from time import perf_counter

import pytest

from m2s.adapters.runtime.memory import making_much


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    turn_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(turn_s)
    gc.enable()


def test_other_threads_wait_less_and_nothing_is_collected_until_the_last_is_done() -> None:
    usual_s = sys.getswitchinterval()
    first, second = ExitStack(), ExitStack()
    first.enter_context(making_much())
    thread = Thread(target=lambda: second.enter_context(making_much()))
    thread.start()
    thread.join()
    first.close()
    assert (gc.isenabled(), sys.getswitchinterval() < usual_s) == (False, True)
    second.close()
    assert (gc.isenabled(), sys.getswitchinterval()) == (True, usual_s)


def test_a_failure_ends_it_too_and_who_collects_nothing_still_does_not() -> None:
    usual_s = sys.getswitchinterval()
    gc.disable()
    with pytest.raises(RuntimeError, match="halfway"), making_much():
        raise RuntimeError("halfway")
    assert (gc.isenabled(), sys.getswitchinterval()) == (False, usual_s)


def test_who_makes_much_rests_now_and_then_however_little_each_piece_takes() -> None:
    began_s, rests = perf_counter(), voluntary_switches()
    with making_much() as turn:
        while perf_counter() - began_s < 0.1:
            turn()
    rests = voluntary_switches() - rests
    assert 10 < rests < 1_000


def voluntary_switches() -> int:
    """How often the process has waited by its own will so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
