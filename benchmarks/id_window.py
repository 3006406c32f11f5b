"""What does it take to remember ten million ids? Memory and time, in a process of its own."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measured import Goal, Row, absolute
from benchmarks.workload import device_id
from m2s.app.dedupe import SeenIds

_IDS = 10_000_000
_DEVICES = 200_000
_WINDOW_MS = 73 * 3_600_000
_A_GROUP = 500
_LOADED = 10_000
_TIMED = 1_000_000
"""The last of them, one group after the other; those before come in larger pieces."""


def window() -> list[Row]:
    """Memory per id, and what asking and adding one costs when there are many."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        bytes_each, each_us, longest_ms = alone.submit(_filled, 20261102).result()
    return [
        absolute(
            "memory per id, of 10 M in the de-duplication window",
            [bytes_each],
            goal=Goal(40, at_most=True),
            unit="bytes",
        ),
        absolute(
            "asking for and adding an id beside 10 M",
            [each_us],
            goal=None,
            unit="µs of CPU",
            beside={"longest group in ms": longest_ms},
        ),
    ]


def _filled(seed: int) -> tuple[float, float, float]:
    """Half of the ids came in the window before."""
    rng = np.random.default_rng(seed)
    before = _resident_bytes()
    seen = SeenIds(_WINDOW_MS, most=_IDS)
    for number in range(_IDS - _TIMED, 0, -_LOADED):
        keys = seen.keys(*_pairs(rng, _LOADED))
        seen.add(keys, received_at_ms=_WINDOW_MS * (1 if number > _IDS // 2 else 2))
    longest_ms = used_s = 0.0
    for _ in range(_TIMED // _A_GROUP):
        pairs = _pairs(rng, _A_GROUP)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        keys = seen.keys(*pairs)
        assert not seen.repeated(keys).any()
        seen.add(keys, received_at_ms=_WINDOW_MS * 2)
        used_s += time.process_time() - cpu_s
        longest_ms = max(longest_ms, (time.perf_counter() - began_s) * 1e3)
    assert len(seen) == _IDS
    return (_resident_bytes() - before) / _IDS, used_s / _TIMED * 1e6, longest_ms


def _pairs(rng: np.random.Generator, number: int) -> tuple[list[str], list[str]]:
    """Devices and random ids."""
    text = rng.bytes(16 * number).hex()
    devices = [device_id(one) for one in rng.integers(0, _DEVICES, number).tolist()]
    return devices, [text[32 * place : 32 * place + 32] for place in range(number)]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
