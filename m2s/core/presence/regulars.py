"""Who is at a store without being its customer? Staff and residents, told by the stays of some days, not of one.

A day counts as one of staff by its hours, a night as one of a resident by its time within closed hours. Every day of
any window that holds enough of them is set aside, whichever of them was known first, so that the order in which stays
become known says nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

STAFF_DAY = timedelta(hours=4)
STAFF_DAYS, STAFF_WINDOW_DAYS = 3, 7
RESIDENT_NIGHT = timedelta(minutes=30)
RESIDENT_NIGHTS, RESIDENT_WINDOW_NIGHTS = 3, 14
RESIDENT_VISITS, RESIDENT_VISITS_WINDOW_DAYS = 21, 30
WEAK_PROBABILITY = 0.8
"""A visit is weak when the median of its positions' inside-probabilities is below this."""
REACH_DAYS = 31
"""Stays that are farther apart than this say nothing of each other."""

_DAY = timedelta(days=1)
_NOON = time(12)


class Reason(StrEnum):
    """Why the stays of a shopper at a store are set aside."""

    STAFF = "staff"
    RESIDENT = "resident"


@dataclass(frozen=True, slots=True)
class PastStay:
    """A stay as far as it tells who was there.

    `closed` are its parts in which the store was closed. `inside_probability` is the median of its positions', None
    where it has none, or where it is no visit.
    """

    start: datetime
    end: datetime
    closed: Sequence[tuple[datetime, datetime]] = ()
    inside_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Regular:
    """A span [since, until) in UTC in which the shopper is at the store for another reason than to buy."""

    reason: Reason
    since: datetime
    until: datetime


def regular_spans(stays: Iterable[PastStay], zone: ZoneInfo) -> list[Regular]:
    """The spans that the stays of one shopper at one store tell, by reason and time; those of one reason are apart.

    Days and nights are those of the store's `zone`; a night goes from noon to noon.
    """
    stays = list(stays)
    at_work = _lasting(_by_day(((stay.start, stay.end) for stay in stays), zone), STAFF_DAY)
    closed = (part for stay in stays for part in stay.closed)
    at_night = _lasting(_by_day(closed, zone, begins=_NOON), RESIDENT_NIGHT)
    weak = sorted(
        _day_of(stay.start, zone)
        for stay in stays
        if stay.inside_probability is not None and stay.inside_probability < WEAK_PROBABILITY
    )
    return merged(
        [
            *_spans(Reason.STAFF, _windows(at_work, STAFF_DAYS, days=STAFF_WINDOW_DAYS), zone),
            *_spans(
                Reason.RESIDENT,
                _windows(at_night, RESIDENT_NIGHTS, days=RESIDENT_WINDOW_NIGHTS),
                zone,
                begins=_NOON,
            ),
            *_spans(Reason.RESIDENT, _windows(weak, RESIDENT_VISITS, days=RESIDENT_VISITS_WINDOW_DAYS), zone),
        ]
    )


def comes_often(starts: Iterable[datetime], zone: ZoneInfo) -> bool:
    """Whether there are so many visits, by their starts, that it matters how weak they are."""
    days = sorted(_day_of(start, zone) for start in starts)
    return any(_windows(days, RESIDENT_VISITS, days=RESIDENT_VISITS_WINDOW_DAYS))


def merged(spans: Iterable[Regular]) -> list[Regular]:
    """The same time by reason, without overlaps."""
    found: list[Regular] = []
    for span in sorted(spans, key=lambda span: (span.reason, span.since, span.until)):
        last = found[-1] if found else None
        if last is not None and last.reason == span.reason and span.since <= last.until:
            found[-1] = Regular(last.reason, last.since, max(last.until, span.until))
        else:
            found.append(span)
    return found


def _by_day(
    parts: Iterable[tuple[datetime, datetime]], zone: ZoneInfo, *, begins: time = time()
) -> Counter[date]:
    """How many seconds of the parts fall on each local day; a day begins at `begins` and is named by its beginning."""
    lasted: Counter[date] = Counter()
    for start, end in parts:
        day = _day_of(start, zone, begins=begins)
        while start < end:
            day += _DAY
            until = min(end, _begin_of(day, zone, begins=begins))
            lasted[day - _DAY] += round((until - start).total_seconds())
            start = until
    return lasted


def _lasting(lasted: Counter[date], least: timedelta) -> list[date]:
    return sorted(day for day, seconds in lasted.items() if seconds >= least.total_seconds())


def _windows(sorted_days: Sequence[date], least: int, *, days: int) -> Iterator[tuple[date, date]]:
    """First and last day of what the windows of so many `days` cover that hold at least so many of the days given."""
    for first, last in zip(sorted_days, sorted_days[least - 1 :], strict=False):
        if (last - first).days < days:
            yield last - (days - 1) * _DAY, first + (days - 1) * _DAY


def _spans(
    reason: Reason, windows: Iterable[tuple[date, date]], zone: ZoneInfo, *, begins: time = time()
) -> Iterator[Regular]:
    for first, last in windows:
        since, until = (_begin_of(day, zone, begins=begins) for day in (first, last + _DAY))
        yield Regular(reason, since, until)


def _day_of(instant: datetime, zone: ZoneInfo, *, begins: time = time()) -> date:
    local = instant.astimezone(zone)
    return local.date() if local.time() >= begins else local.date() - _DAY


def _begin_of(day: date, zone: ZoneInfo, *, begins: time) -> datetime:
    return datetime.combine(day, begins, tzinfo=zone).astimezone(UTC)
