"""Was this sighting taken before? Exact within the window, from compact hashes in memory."""

from collections.abc import Callable, Iterable, Set
from hashlib import blake2b


class SeenIds:
    """Which (device, sender's id) pairs arrived within the last `window_ms`, by 128-bit hashes in two generations.

    A pair is remembered for at least one window and at most two; nothing is evicted inside the window.
    """

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since_ms = 0

    @staticmethod
    def keys_of(device_id: str) -> Callable[[str], bytes]:
        """What hashes the ids of one device; a NUL cannot occur in either part, so no two pairs are written alike."""
        begun = blake2b(f"{device_id}\0".encode(), digest_size=16)

        def key(sighting_id: str) -> bytes:
            whole = begun.copy()
            whole.update(sighting_id.encode())
            return whole.digest()

        return key

    @staticmethod
    def key(device_id: str, sighting_id: str) -> bytes:
        """The hash of one pair."""
        return SeenIds.keys_of(device_id)(sighting_id)

    @property
    def generations(self) -> tuple[Set[bytes], Set[bytes]]:
        """All that is remembered, as two sets: what a loop over many keys asks instead of `in`."""
        return self._young, self._old

    def __contains__(self, key: bytes) -> bool:
        return key in self._young or key in self._old

    def add(self, keys: Iterable[bytes], *, received_at_ms: int) -> None:
        """Remembers pairs that arrived at `received_at_ms`."""
        if received_at_ms - self._since_ms >= self._window_ms:
            self._old, self._young, self._since_ms = self._young, set(), received_at_ms
        self._young.update(keys)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
