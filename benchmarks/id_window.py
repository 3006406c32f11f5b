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
_EVERY = 8
"""One of so many pieces and groups is asked for again, when all of them are there: more than a million ids."""


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
    """Four in ten of the ids came in the window before. In the end, not timed, some of either are asked for again."""
    before = _resident_bytes()
    seen = SeenIds(_WINDOW_MS, most=_IDS)
    pieces = [(number, _LOADED) for number in range(_IDS - _TIMED, 0, -_LOADED)]
    for piece in pieces:
        window = 1 if piece[0] > _IDS // 2 else 2
        seen.add(seen.keys(*_pairs(seed, *piece)), received_at_ms=_WINDOW_MS * window)
    groups = [(_IDS + number, _A_GROUP) for number in range(_TIMED // _A_GROUP)]
    longest_ms = used_s = 0.0
    for group in groups:
        pairs = _pairs(seed, *group)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        keys = seen.keys(*pairs)
        assert not seen.repeated(keys).any()
        seen.add(keys, received_at_ms=_WINDOW_MS * 2)
        used_s += time.process_time() - cpu_s
        longest_ms = max(longest_ms, (time.perf_counter() - began_s) * 1e3)
    assert len(seen) == _IDS
    bytes_each = (_resident_bytes() - before) / _IDS
    for again in (*pieces[::_EVERY], *groups[::_EVERY]):
        assert seen.repeated(seen.keys(*_pairs(seed, *again))).all(), "an id that was added is not known"
    return bytes_each, used_s / _TIMED * 1e6, longest_ms


def _pairs(seed: int, place: int, number: int) -> tuple[list[str], list[str]]:
    """Devices and random ids; at one place always the same, so that none has to be kept to ask for it again."""
    rng = np.random.default_rng((seed, place))
    text = rng.bytes(16 * number).hex()
    devices = [device_id(one) for one in rng.integers(0, _DEVICES, number).tolist()]
    return devices, [text[32 * at : 32 * at + 32] for at in range(number)]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
