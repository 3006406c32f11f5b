"""Is the store open, until when, and for how much of a stay? OpenStreetMap hours in the store's own time."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError, State, UnknownCountryError  # type: ignore[attr-defined]

from m2s.core.base.errors import Invalid

_UTC = ZoneInfo("UTC")
_HORIZON = timedelta(days=8)
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_COLUMN = re.compile(r"--> \d+:(\d+)")
_EXPECTED = re.compile(r"= (.+)")


@dataclass(frozen=True, slots=True)
class Hours:
    """The opening hours of one store in its time zone; None stands for hours that are not known.

    Make it with `hours_of`.
    """

    parsed: OpeningHours | None
    zone: ZoneInfo

    def is_open(self, instant: datetime) -> bool | None:
        """Whether the store is open at an aware instant; None where the hours do not say."""
        if self.parsed is None:
            return None
        state, _ = self.parsed.state(_zoned(instant))
        return None if state == State.UNKNOWN else state == State.OPEN

    def closes_at(self, instant: datetime) -> datetime | None:
        """When the store that is open at `instant` closes (UTC); None if not open, or open for 8 days on."""
        if self.parsed is None:
            return None
        closing = None
        for _, end, state, _ in self.parsed.intervals(_zoned(instant), _zoned(instant + _HORIZON)):
            if state != State.OPEN:
                break
            closing = _after(end, instant)
        return None if closing is None or closing >= instant + _HORIZON else closing

    def last_closing_of_day(self, instant: datetime) -> datetime | None:
        """When the store closes for the last time (UTC) on its local day of `instant`, be it past midnight.

        An opening that passes midnight belongs to the day on which it began. None if the store is not open any
        more that day, or open for 8 days on.
        """
        if self.parsed is None:
            return None
        today = instant.astimezone(self.zone).date()
        midnight, next_midnight = (
            datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC) for day in (today, today + _DAY)
        )
        began_before = self.is_open(midnight - _MINUTE) and self.is_open(instant)
        if began_before and self.open_share(midnight - _MINUTE, instant) == 1.0:
            return self.closes_at(instant)
        closing, was_open, reached = None, False, instant
        for _, end, state, _ in self.parsed.intervals(_zoned(instant), _zoned(instant + _HORIZON)):
            if reached >= next_midnight and not (was_open and state == State.OPEN):
                break
            reached, was_open = _after(end, reached), state == State.OPEN
            closing = reached if was_open else closing
        return None if closing is None or closing >= instant + _HORIZON else closing

    def open_share(self, start: datetime, end: datetime) -> float | None:
        """The open part (0 to 1) of a span, of what is known of it; None where nothing is known."""
        if end <= start:
            now = self.is_open(start)
            return None if now is None else float(now)
        if self.parsed is None:
            return None
        spent = {State.OPEN: 0.0, State.CLOSED: 0.0, State.UNKNOWN: 0.0}
        reached = start
        for _, until, state, _ in self.parsed.intervals(_zoned(start), _zoned(end)):
            until_utc = min(_after(until, reached), end)
            spent[state] += (until_utc - reached).total_seconds()
            reached = until_utc
        known = spent[State.OPEN] + spent[State.CLOSED]
        return spent[State.OPEN] / known if known > 0.0 else None

    def closed_parts(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The parts of a span (UTC) in which the store is known to be closed, oldest first."""
        if self.parsed is None or end <= start:
            return []
        parts, reached = [], start
        for _, until, state, _ in self.parsed.intervals(_zoned(start), _zoned(end)):
            until_utc = min(_after(until, reached), end)
            if state == State.CLOSED:
                parts.append((reached, until_utc))
            reached = until_utc
        return parts


@lru_cache(maxsize=4096)
def hours_of(text: str | None, timezone: str, country: str) -> Hours:
    """The hours that a text means, with the public holidays of `country`; parsed once for each distinct text.

    Raises Invalid (`opening_hours`) naming the column of the first mistake.
    """
    zone = ZoneInfo(timezone)
    if text is None:
        return Hours(None, zone)
    try:
        return Hours(OpeningHours(text, zone, country, auto_country=False, auto_timezone=False), zone)
    except UnknownCountryError:
        return Hours(OpeningHours(text, zone, auto_country=False, auto_timezone=False), zone)
    except ParserError as error:
        raise Invalid(_explained(text, str(error)), code="opening_hours") from None


def _explained(text: str, message: str) -> str:
    """Our sentence for the parser's picture of a mistake."""
    column, expected = _COLUMN.search(message), _EXPECTED.search(message)
    where = int(column.group(1)) if column else 1
    hint = expected.group(1).replace("_", " ") if expected else "OpenStreetMap opening hours"
    found = f"{text[where - 1]!r} at column {where}" if where <= len(text) else f"the end at column {where}"
    return f"{text!r}: {found} is not understood ({hint}); write hours like Mo-Sa 09:00-19:30; PH off"


def _zoned(instant: datetime) -> datetime:
    """The instant in the only kind of UTC that the parser takes."""
    return instant.astimezone(_UTC)


def _after(local: datetime, reached: datetime) -> datetime:
    """The UTC instant of a local boundary; in the hour that comes twice, the one not before `reached`."""
    first = local.replace(fold=0).astimezone(UTC)
    return first if first >= reached else local.replace(fold=1).astimezone(UTC)
