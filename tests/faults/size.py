"""How many times is each fault provoked? Few by default, many with M2S_FAULTS=nightly, as `make faults` sets it."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("M2S_FAULTS") == "nightly"


def times(ci: int, *, nightly: int) -> int:
    """The one of two counts that this run is to use."""
    return nightly if NIGHTLY else ci
