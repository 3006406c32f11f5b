"""Who gets nothing, so that the effect can be known? Arms by hash: a shopper is always in the same arm."""

from hashlib import sha256

BUCKETS = 10_000
CONTROL = "control"
TREATMENT = "treatment"
UNIVERSAL = "_universal"
"""The experiment of the universal holdout, which wins over the holdout of every campaign."""


def bucket(salt: str, experiment: str, *, shopper_id: str) -> int:
    """A place among 10 000: the first 8 bytes of SHA-256 of `salt|experiment|shopper`, big-endian."""
    digest = sha256(f"{salt}|{experiment}|{shopper_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def threshold(share: float) -> int:
    """The first bucket that is not held out, for a share of 0 to 1 (to the nearest ten-thousandth)."""
    return round(share * BUCKETS)


def arm(bucket: int, *, share: float) -> str:
    """`control` for the buckets of the share that is held out, else `treatment`."""
    return CONTROL if bucket < threshold(share) else TREATMENT
