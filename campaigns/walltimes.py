"""Which wall-clock times does a moment that comes again name? Weekly times, cron lines and RFC 5545 rules.

The times are naive: what a clock on the wall shows. When that is, on the nights when clocks change too, is
the business of `campaigns.schedule`.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from itertools import takewhile

from cronsim import CronSim, CronSimError
from dateutil.rrule import rrulestr

from campaigns.model import Cron, RRule, Weekly

Repeated = Weekly | Cron | RRule
WITHOUT_START = datetime(2000, 1, 1)  # noqa: DTZ001  a wall-clock time of no zone
"""The start of a rule that has none, and whose times therefore do not depend on it."""

_DAY = timedelta(days=1)
# The calendar repeats itself, weekdays included, every 400 years. So much later a rule has its times on the same days,
# and the search for one ends: with the year 9999, the last of Python.
_LATER_YEARS = 7600


def wall_times(moment: Repeated, *, first: datetime, last: datetime) -> Iterator[datetime]:
    """The moment's times from `first` to `last`, both naive and included, in order."""
    if isinstance(moment, Weekly):
        return _weekly(moment, first, last)
    if isinstance(moment, Cron):
        found: Iterator[datetime] = CronSim(moment.text, first - timedelta(minutes=1))
    else:
        found = rrulestr(moment.text, dtstart=_start(moment, first)).xafter(first, inc=True)
    return takewhile(lambda wall: wall <= last, (wall for wall in found if wall >= first))


def comes(moment: Cron | RRule) -> bool:
    """Whether the moment names any time at all; 30 February never comes. Where a rule ends does not matter.

    Raises ValueError for what cannot be understood.
    """
    try:
        if isinstance(moment, Cron):
            return next(CronSim(moment.text, WITHOUT_START), None) is not None
    except CronSimError as error:
        raise ValueError(f"{str(error)[:1].lower()}{str(error)[1:]}") from None
    rrulestr(moment.text, dtstart=moment.start)
    endless = [part for part in moment.text.split(";") if not part.startswith(("UNTIL=", "COUNT="))]
    much_later = moment.start.replace(year=moment.start.year + _LATER_YEARS)
    return next(iter(rrulestr(";".join(endless), dtstart=much_later)), None) is not None


def _start(rule: RRule, first: datetime) -> datetime:
    """From when a rule is counted: from a little before `first` where its start makes no difference."""
    if rule.start != WITHOUT_START:
        return rule.start
    return max(WITHOUT_START, datetime.combine(first.date() - 366 * _DAY, time()))


def _weekly(moment: Weekly, first: datetime, last: datetime) -> Iterator[datetime]:
    day = first.date()
    while day <= last.date():
        wall = datetime.combine(day, time()) + timedelta(minutes=moment.minute_of_day)
        if day.weekday() in moment.weekdays and first <= wall <= last:
            yield wall
        day += _DAY
