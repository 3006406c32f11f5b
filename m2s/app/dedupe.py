"""Was this sighting taken before? Exact within the window, from compact hashes in memory."""

import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from m2s.core.base.errors import Unavailable
from m2s.core.base.id_set import IdSet

Bools = NDArray[np.bool_]
Keys = NDArray[np.int64]
"""Two rows of halves, one column per sighting."""

SIPHASH = sys.hash_info.algorithm.startswith("siphash") and sys.hash_info.width == 64
_ODD = -7_046_029_254_386_353_131
_AT_ONCE = 16_384


class SeenIds:
    """Which (device, sender's id) pairs arrived within the last `window_ms`, in two generations.

    A pair is remembered for at least one window, its last instant included, and at most two; nothing is evicted
    inside the window. Instead there is an end of room: at `most` pairs (40 bytes each) no more are taken until
    the older generation goes.

    A key is made of two hashes of 64 bits, of the device and of the id. Python's own (SipHash under a random key
    of the process) are seven times as fast as BLAKE2 for the same. Two sightings of one device are mixed up with
    probability 2⁻⁶⁴, of two devices 2⁻⁶⁴ if the ids are the same and 2⁻¹²⁸ if not: among ten million sightings
    of 200 000 devices one is lost with probability 10⁻¹¹, of a single device 3 · 10⁻⁶. Who knows the key
    (PYTHONHASHSEED is set) can make ids that are mixed up, but only with each other, which spoils what is his
    own. Keys mean nothing outside this process and are never stored.
    """

    def __init__(self, window_ms: int, *, most: int) -> None:
        self._window_ms = window_ms
        self._most = most
        self._young, self._old = IdSet(most), IdSet(most)
        self._since_ms = 0

    @staticmethod
    def keys(device_ids: Sequence[str], sighting_ids: Sequence[str]) -> Keys:
        """The keys of sightings."""
        count = len(sighting_ids)
        keys = np.empty((2, count), np.int64)
        keys[1] = np.fromiter(map(_hash, sighting_ids), np.int64, count)
        # The sum keeps both parts apart, as the id's hash stands alone beside it; a sender who names his
        # sightings 1, 2, 3 like everybody else still gets a high half of his own.
        keys[0] = np.fromiter(map(_hash, device_ids), np.int64, count)
        keys[0] *= _ODD
        keys[0] += keys[1]
        return keys

    def repeated(self, keys: Keys) -> Bools:
        """Which of these sightings came before: earlier, or earlier among these."""
        found = self._young.contains(*keys)
        if len(self._old):
            found |= self._old.contains(*keys)
        ordered = np.sort(keys[0])
        if (ordered[1:] == ordered[:-1]).any():
            met: set[tuple[int, int]] = set()
            for place, key in enumerate(zip(*keys.tolist(), strict=True)):
                if key in met:
                    found[place] = True
                met.add(key)
        return found

    def check_full(self, now_ms: int) -> None:
        """Raises Unavailable if not one more can be remembered now; changes nothing, so any thread may ask."""
        if len(self) >= self._most and now_ms - self._since_ms <= self._window_ms:
            raise Unavailable(self._no_room(1), code="dedupe_full")

    def check_room(self, more: int, *, received_at_ms: int) -> None:
        """Raises Unavailable if so many more cannot be remembered at `received_at_ms`."""
        self._turn(received_at_ms)
        if len(self) + more > self._most:
            raise Unavailable(self._no_room(more), code="dedupe_full")

    def add(self, keys: Keys, *, received_at_ms: int) -> None:
        """Remembers sightings that arrived at `received_at_ms` and are not `repeated`.

        Raises ValueError past `most`: `check_room` has to come first, before anything is committed.
        """
        self._turn(received_at_ms)
        self._young.add(*keys)

    def load(self, pages: Iterable[tuple[Sequence[str], Sequence[str]]], *, received_at_ms: int) -> None:
        """Remembers what was taken within the window before `received_at_ms`: pages of (device ids, their ids).

        It goes with the older generation, so that a start does not make it stay for two windows more.
        """
        self._turn(received_at_ms)
        for device_ids, sighting_ids in pages:
            for first in range(0, len(sighting_ids), _AT_ONCE):
                part = slice(first, first + _AT_ONCE)
                keys = self.keys(device_ids[part], sighting_ids[part])
                # The ledger may hold a repeat: of a sighting older than a window.
                keys = keys[:, ~self.repeated(keys)]
                self.check_room(keys.shape[1], received_at_ms=received_at_ms)
                self._old.add(*keys)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _no_room(self, more: int) -> str:
        return (
            f"{len(self)} sightings are remembered to tell repeats, and {more} more would be over the"
            f" {self._most} there is room for: raise dedupe_max_ids (each takes 40 bytes) and start again"
        )

    def _turn(self, now_ms: int) -> None:
        passed_ms = now_ms - self._since_ms
        if passed_ms > self._window_ms:
            self._old = self._young if passed_ms <= 2 * self._window_ms else IdSet(self._most)
            self._young, self._since_ms = IdSet(self._most), now_ms


def _blake(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


_hash: Callable[[str], int] = hash if SIPHASH else _blake
