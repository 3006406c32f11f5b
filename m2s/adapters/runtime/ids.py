"""Where do identifiers come from? ULIDs from the system's randomness, or from a seed in tests and simulations."""

import random
import secrets
import threading
from collections.abc import Callable

from m2s.core.base.ids import ulid
from m2s.core.base.instants import Clock, to_ms

_RANDOM_BYTES = 10
_RANDOM_RANGE = 1 << (8 * _RANDOM_BYTES)


class _Ulids:
    """Identifiers that sort by creation: within a millisecond the random part counts up (ULID specification)."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._lock = threading.Lock()
        self._at_ms = -1
        self._random = 0

    def new(self, prefix: str) -> str:
        """A new identifier like `dev_01hx…`: unique, and sorted by time of creation within a prefix."""
        with self._lock:
            at_ms = to_ms(self._clock.now())
            if at_ms > self._at_ms:
                self._at_ms = at_ms
                self._random = int.from_bytes(self._random_bytes(_RANDOM_BYTES), "big")
            else:
                # Also when the clock was set back: order and uniqueness outrank the time inside the name.
                self._random += 1
                if self._random == _RANDOM_RANGE:
                    self._at_ms, self._random = self._at_ms + 1, 0
            name = ulid(self._at_ms, self._random.to_bytes(_RANDOM_BYTES, "big"))
        return f"{prefix}_{name}"

    def secret(self, n_bytes: int) -> bytes:
        """Bytes from this source's randomness."""
        with self._lock:
            return self._random_bytes(n_bytes)


class SystemIds(_Ulids):
    """Identifiers and secrets from the operating system's cryptographic randomness."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, secrets.token_bytes)


class SeededIds(_Ulids):
    """The same identifiers for the same seed, clock and order of calls. Never for service: secrets can be guessed."""

    def __init__(self, clock: Clock, *, seed: int) -> None:
        super().__init__(clock, random.Random(seed).randbytes)  # noqa: S311
