"""Whose rotating identity is this? Eddystone-EID: a key, a clock of seconds, and a new identity every 2^K of them."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES = 16
MOST_EXPONENT = 15
PERIODS_OFF = 2
"""How many periods a beacon's clock may be off: 30 minutes with the usual exponent of 10."""
_CLOCK_END = 2**32
_SALT = 0xFF


def ephemeral_id(key: bytes, clock_s: int, *, exponent: int) -> bytes:
    """The 8 bytes that a beacon with this key (16 bytes) sends when its clock stands at `clock_s`.

    Raises ValueError for a key, a clock (32 bits) or an exponent (0 to 15) that cannot be.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes; it has {KEY_BYTES}")
    if not 0 <= exponent <= MOST_EXPONENT:
        raise ValueError(f"the exponent is {exponent}; it is 0 to {MOST_EXPONENT}")
    if not 0 <= clock_s < _CLOCK_END:
        raise ValueError(f"the clock is {clock_s}; it is 0 to {_CLOCK_END - 1} seconds")
    clock = clock_s.to_bytes(4, "big")
    temporary = _encrypted(key, bytes((*[0] * 11, _SALT, 0, 0, *clock[:2])))
    begun = (clock_s >> exponent << exponent).to_bytes(4, "big")
    return _encrypted(temporary, bytes((*[0] * 11, exponent, *begun)))[:8]


def resolve(found: bytes, key: bytes, clock_s: int, *, exponent: int) -> int | None:
    """By how many periods the beacon with this key is off, if the identity found is its; else None.

    `clock_s` is where its clock should stand; up to two periods early (negative) or late are looked at.
    """
    for off in _nearest_first():
        clock = clock_s + (off << exponent)
        if 0 <= clock < _CLOCK_END and ephemeral_id(key, clock, exponent=exponent) == found:
            return off
    return None


def _nearest_first() -> Iterator[int]:
    return iter(sorted(range(-PERIODS_OFF, PERIODS_OFF + 1), key=abs))


def _encrypted(key: bytes, block: bytes) -> bytes:
    # What is encrypted is one block, as the frame's specification says: there is nothing to chain.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()
