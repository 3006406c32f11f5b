"""How often does Python look for garbage? Rarely, in a process whose memory is mostly a catalog that stays."""

import gc

_YOUNG = 50_000


def settle_memory() -> None:
    """Leaves what is loaded now out of every later collection, and collects less often.

    For a process that serves: its long-lived objects would be visited again and again for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
