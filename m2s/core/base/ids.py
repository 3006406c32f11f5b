"""How are things named? Prefixed, time-ordered identifiers; where they come from is passed in."""

from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


class Ids(Protocol):
    """A source of identifiers and secrets; seeded in tests and simulations, the system's in service."""

    def new(self, prefix: str) -> str:
        """A new identifier like `dev_01hx…`: unique, and sorted by time of creation within a prefix."""
        ...

    def secret(self, n_bytes: int) -> bytes:
        """Unguessable bytes."""
        ...


def ulid(at_ms: int, randomness: bytes) -> str:
    """26 lower-case Crockford characters: 48 bits of milliseconds and 80 random bits (ULID specification).

    Raises ValueError unless `randomness` has 10 bytes.
    """
    if len(randomness) != 10:
        raise ValueError("a ULID needs 10 random bytes")
    value = (at_ms << 80) | int.from_bytes(randomness, "big")
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])
