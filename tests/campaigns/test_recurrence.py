"""Are cron fields and recurrence rules taken in their right form only?"""

from __future__ import annotations

from datetime import datetime

import pytest

from campaigns.model import Cron, RRule
from campaigns.recurrence import cron, rrule
from campaigns.values import BadValueError

FIRST = datetime(2026, 11, 7, 10, 0)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("0 10 * * 6", "0 10 * * 6"),
        ("30  9 1,15 * *", "30 9 1,15 * *"),
        ("5 8-18/2 * Jan-Mar MON-FRI", "5 8-18/2 * jan-mar mon-fri"),
        ("0 */6 * * 0", "0 */6 * * 0"),
        ("59 23 31 12 7", "59 23 31 12 7"),
    ],
)
def test_five_fields_are_cron(text: str, meaning: str) -> None:
    assert cron(text) == Cron(meaning)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has 0 fields"),
        ("0 10 * *", "has 4 fields"),
        ("0 10 * * 6 2026", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("60 10 * * *", '"60" is not the minute'),
        ("0 24 * * *", '"24" is not the hour'),
        ("0 10 0 * *", '"0" is not the day of the month'),
        ("0 10 * 13 *", '"13" is not the month'),
        ("0 10 * * 8", '"8" is not the weekday'),
        ("0 10 * * fri-mon", '"fri-mon" is not the weekday'),
        ("0 10 * * samedi", '"samedi" is not the weekday'),
        ("0 18-8 * * *", '"18-8" is not the hour'),
        ("0 1²3 * * *", "is not the hour"),
        ("0 10 * * *,", '"" is not the weekday'),
        ("0 10/0 * * *", '"10/0" is not the hour'),
        ("* 10 * * *", "more than once in an hour"),
        ("0,30 10 * * *", "more than once in an hour"),
        ("*/15 10 * * *", "more than once in an hour"),
    ],
)
def test_what_is_not_cron_is_refused_with_the_field(text: str, told: str) -> None:
    with pytest.raises(BadValueError, match=r".") as refused:
        cron(text)
    assert told in refused.value.detail


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=30", RRule("FREQ=DAILY;BYHOUR=9;BYMINUTE=30", datetime(2000, 1, 1))),  # noqa: DTZ001
        ("DTSTART:20261107T100000 RRULE:FREQ=WEEKLY;INTERVAL=2", RRule("FREQ=WEEKLY;INTERVAL=2", FIRST)),
        ("DTSTART:20261107T100000 FREQ=YEARLY;COUNT=3", RRule("FREQ=YEARLY;COUNT=3", FIRST)),
        (
            "DTSTART:20261107T100000 FREQ=MONTHLY;BYDAY=-1FR,2MO;BYSETPOS=-1;WKST=SU;UNTIL=20270101T000000",
            RRule("FREQ=MONTHLY;BYDAY=-1FR,2MO;BYSETPOS=-1;WKST=SU;UNTIL=20270101T000000", FIRST),
        ),
    ],
)
def test_a_rule_is_kept_with_its_start(text: str, meaning: RRule) -> None:
    assert rrule(text) == meaning


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a part"),
        ("every saturday", "is not a recurrence rule"),
        ("FREQ=HOURLY;BYMINUTE=0", '"HOURLY" is no value of FREQ'),
        ("BYHOUR=9;BYMINUTE=0", "says no FREQ"),
        ("FREQ=DAILY", "has no time of day: no BYHOUR"),
        ("FREQ=DAILY;BYHOUR=9", "has no time of day: no BYMINUTE"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=1", '"BYSECOND" is not a part'),
        ("FREQ=DAILY;BYHOUR=24;BYMINUTE=0", '"24" is no value of BYHOUR'),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30", '"0,30" is no value of BYMINUTE'),
        ("FREQ=DAILY;BYHOUR=9;BYHOUR=10;BYMINUTE=0", "BYHOUR stands in the rule twice"),
        ("FREQ=DAILY;COUNT=3;BYHOUR=9;BYMINUTE=0", "COUNT counts from a first time"),
        ("FREQ=WEEKLY;INTERVAL=2;BYHOUR=9;BYMINUTE=0", "INTERVAL counts from a first time"),
        ("DTSTART:20261307T100000 FREQ=DAILY", "is not a time"),
        ("DTSTART:2026-11-07 FREQ=DAILY", "is not a recurrence rule"),
        ("RRULE:FREQ=DAILY EXDATE:20261108T100000 FREQ=DAILY", "is not a recurrence rule"),
    ],
)
def test_what_is_not_a_rule_is_refused_with_its_part(text: str, told: str) -> None:
    with pytest.raises(BadValueError, match=r".") as refused:
        rrule(text)
    assert told in refused.value.detail
