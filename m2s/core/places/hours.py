"""Is the store open, until when, and for how much of a stay? OpenStreetMap hours in the store's own time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]

from campaigns.calendars import public_holidays
from m2s.core.base.errors import Invalid
from m2s.core.places.hours_text import MisreadError, OpeningRule, Wording, with_holidays, wording

_HORIZON = timedelta(days=8)
_DAY, _MINUTE, _SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
_NO_TIME = timedelta(0)
_CUT_NIGHT = "another rule for the day after a night past midnight; join rules with , instead of ;"
_COLUMN = re.compile(r"--> \d+:(\d+)")
_EXPECTED = re.compile(r"= (.+)")


@dataclass(frozen=True, slots=True)
class Hours:
    """The opening hours of one store in its time zone; None stands for hours that are not known.

    Make it with `hours_of`.
    """

    wording: Wording | None
    timezone: str
    country: str
    subdivision: str | None

    def is_open(self, instant: datetime) -> bool | None:
        """Whether the store is open at an aware instant; None where the hours do not say."""
        if self.wording is None:
            return None
        wall = self._wall(instant)
        state = self._told(self._parsed(wall).state(wall)[0])
        return None if state == State.UNKNOWN else state == State.OPEN

    def closes_at(self, instant: datetime) -> datetime | None:
        """When the store that is open at `instant` closes (UTC); None if not open, or open for 8 days on."""
        closing = None
        for until, state in self._states(instant, instant + _HORIZON):
            if state != State.OPEN:
                break
            closing = until
        return None if closing is None or closing >= instant + _HORIZON else closing

    def opens_at(self, instant: datetime) -> datetime | None:
        """When the store that is closed at `instant` opens (UTC); None if open, or closed or unknown for 8 days on."""
        opening = instant
        for until, state in self._states(instant, instant + _HORIZON):
            if state == State.OPEN:
                return opening if opening > instant else None
            opening = until
        return None

    def last_closing_of_day(self, instant: datetime) -> datetime | None:
        """When the store closes for the last time (UTC) on its local day of `instant`, be it past midnight.

        An opening that passes midnight belongs to the day on which it began. None if the store is not open any
        more that day, or open for 8 days on.
        """
        if self.wording is None:
            return None
        zone = ZoneInfo(self.timezone)
        today = instant.astimezone(zone).date()
        midnight, next_midnight = (
            datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (today, today + _DAY)
        )
        began_before = self.is_open(midnight - _MINUTE) and self.is_open(instant)
        if began_before and self.open_share(midnight - _MINUTE, instant) == 1.0:
            return self.closes_at(instant)
        closing, was_open, reached = None, False, instant
        for until, state in self._states(instant, instant + _HORIZON):
            if reached >= next_midnight and not (was_open and state == State.OPEN):
                break
            reached, was_open = until, state == State.OPEN
            closing = reached if was_open else closing
        return None if closing is None or closing >= instant + _HORIZON else closing

    def open_share(self, start: datetime, end: datetime) -> float | None:
        """The open part (0 to 1) of a span, of what is known of it; None where nothing is known."""
        if end <= start:
            now = self.is_open(start)
            return None if now is None else float(now)
        spent = {State.OPEN: 0.0, State.CLOSED: 0.0, State.UNKNOWN: 0.0}
        reached = start
        for until, state in self._states(start, end):
            spent[state] += (until - reached).total_seconds()
            reached = until
        known = spent[State.OPEN] + spent[State.CLOSED]
        return spent[State.OPEN] / known if known > 0.0 else None

    def closed_parts(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The parts of a span (UTC) in which the store is known to be closed, oldest first."""
        parts, reached = [], start.astimezone(UTC)
        for until, state in self._states(start, end):
            if state == State.CLOSED:
                parts.append((reached, until))
            reached = until
        return parts

    def _states(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, State]]:
        """Until when (UTC) the store is in which state, from `start` to `end`, in order; each differs from the last."""
        held: tuple[datetime, State] | None = None
        for until, state in self._pieces(start, end):
            if held is not None and held[1] != state:
                yield held
            held = until, state
        if held is not None:
            yield held

    def _pieces(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, State]]:
        """The same, cut also where the parser cuts and where clocks change: between, wall clocks run like ours."""
        zone, reached, end = ZoneInfo(self.timezone), start.astimezone(UTC), end.astimezone(UTC)
        while self.wording is not None and reached < end:
            wall_ahead = _offset(reached, zone) - self.wording.later
            reached, before = _same_clock(reached, end, zone), reached
            first, last = ((edge + wall_ahead).replace(tzinfo=None) for edge in (before, reached))
            for _, wall, state, _ in self._parsed(first).intervals(first, last):
                yield wall.replace(tzinfo=UTC) - wall_ahead, self._told(state)

    def _wall(self, instant: datetime) -> datetime:
        """What the clock on the store's wall shows, less the hours by which its days begin later."""
        later = self.wording.later if self.wording else _NO_TIME
        return instant.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) - later

    def _told(self, state: State) -> State:
        known = self.wording is None or not self.wording.closed_is_unknown
        return state if known or state != State.CLOSED else State.UNKNOWN

    def _parsed(self, wall: datetime) -> OpeningHours:
        """The parser for a time of year: holidays are dates of some years."""
        if self.wording is None:
            raise ValueError("hours that are not known have no parser")
        if not self.wording.names_holidays:
            return _parser(self.wording.text)
        return _parser_of_year(self.wording.text, self.timezone, self.country, self.subdivision, wall.year)


@lru_cache(maxsize=4096)
def hours_of(text: str | None, timezone: str, country: str, *, subdivision: str | None = None) -> Hours:
    """The hours that a text means, with the public holidays of `country` and its `subdivision` (ISO 3166-2).

    Read once for each distinct text. Raises Invalid (`opening_hours`) naming the column of the first mistake.
    """
    if text is None:
        return Hours(None, timezone, country, subdivision)
    try:
        _parser(text)
        words = wording(text)
        _parser(words.text)
        if _cuts_a_night(words.nights):
            raise MisreadError(text.find(";"), _CUT_NIGHT)
    except ParserError as error:
        raise Invalid(_explained(text, str(error)), code="opening_hours") from None
    except MisreadError as misread:
        detail = f"{text!r}: column {misread.at + 1}: {misread}"
        raise Invalid(detail, code="opening_hours") from None
    return Hours(words, timezone, country, subdivision)


@lru_cache(maxsize=4096)
def _parser(text: str) -> OpeningHours:
    return OpeningHours(text, auto_country=False, auto_timezone=False)


@lru_cache(maxsize=4096)
def _parser_of_year(
    text: str, timezone: str, country: str, subdivision: str | None, year: int
) -> OpeningHours:
    """The parser with the holidays of a year, and of the days beside it: a question may reach over New Year."""
    first, last = date(year, 1, 1) - 2 * _HORIZON, date(year, 12, 31) + 2 * _HORIZON
    known = [
        public_holidays(country, subdivision, tz=timezone, year=some) for some in (year - 1, year, year + 1)
    ]
    days = sorted(day for holidays in known for day in holidays if first <= day <= last)
    return _parser(with_holidays(text, days, within=_lies_within))


def _cuts_a_night(rules: Sequence[OpeningRule]) -> bool:
    """Whether a night of one rule goes on into a day of another that overrides it: then readers differ."""
    days = [_open_days(rule.text) for rule in rules]
    for place, rule in enumerate(rules):
        overriding = [days[other] for other in range(place + 1, len(rules)) if rules[other].overrides]
        nights = days[place].difference(*overriding) if rule.has_night else set()
        if any(night + _DAY in others for others in overriding for night in nights):
            return True
    return False


def _open_days(rule: str) -> set[date]:
    """The days of a leap year on which one rule opens the store."""
    first, last = datetime(2024, 1, 1), datetime(2025, 1, 1)  # noqa: DTZ001  wall-clock times of no zone
    found = _parser(rule).intervals(first, last)
    return {
        (start + number * _DAY).date()
        for start, end, state, _ in found
        if state != State.CLOSED
        for number in range(((end - _MINUTE).date() - start.date()).days + 1)
    }


def _lies_within(season: str, day: date) -> bool:
    return bool(_parser(season).is_open(datetime.combine(day, time(12))))


def _explained(text: str, message: str) -> str:
    """Our sentence for the parser's picture of a mistake."""
    column, expected = _COLUMN.search(message), _EXPECTED.search(message)
    where = int(column.group(1)) if column else 1
    hint = expected.group(1).replace("_", " ") if expected else "OpenStreetMap opening hours"
    found = f"{text[where - 1]!r} at column {where}" if where <= len(text) else f"the end at column {where}"
    return f"{text!r}: {found} is not understood ({hint}); write hours like Mo-Sa 09:00-19:30; PH off"


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or _NO_TIME


def _same_clock(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Until when, at most `end` and some days, clocks show the offset from UTC that they show at `start`."""
    end, before = min(end, start + _HORIZON), _offset(start, zone)
    if _offset(end, zone) == before:
        return end
    early, late = start, end
    while late - early > _SECOND:
        middle = early + (late - early) / 2
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
