"""Is this installation fit to serve? What a check found, and what to do about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

WRITTEN_AT = "write_tried_at"
"""The setting kept in the database that says when it was last shown that a row can be written."""
_MOST_WRONG = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `advice` says what to do where it is not `well`."""

    well: bool
    said: str
    advice: str = ""


def clock_finding(
    now: datetime, *, written_at: datetime | None, ahead: timedelta | None, synchronised: bool | None
) -> Finding:
    """How this machine's clock stands to the last write of the database and to the clock of a provider.

    `ahead` is how far the provider's is ahead; `synchronised` is what the system says. None where nothing is known.
    """
    advice = "set the clock, and have the system keep it by NTP"
    if written_at is not None and written_at > now + _MOST_WRONG:
        return Finding(False, f"it is before the last write, by {_span(written_at - now)}", advice)
    if ahead is not None and abs(ahead) > _MOST_WRONG:
        wrong = "behind" if ahead > timedelta(0) else "ahead of"
        return Finding(False, f"it is {wrong} the clock of a provider by {_span(abs(ahead))}", advice)
    if ahead is not None:
        return Finding(True, "it is that of the providers")
    if synchronised is False:
        return Finding(True, "the system says that nothing keeps it right", advice)
    return Finding(True, "it is kept right" if synchronised else "nothing says that it is wrong")


def _span(wrong: timedelta) -> str:
    return str(timedelta(seconds=round(wrong.total_seconds())))
