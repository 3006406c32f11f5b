from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.model import Cron, RRule
from campaigns.recurrence import cron, rrule
from campaigns.values import BadValueError
from campaigns.walltimes import WITHOUT_START, wall_times

ONE_YEAR = timedelta(days=366)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0 10 30 2 *", "never"),
        ("0 10 31 4,6,9,11 *", "never"),
        ("0 10 * *", "bad_value"),
        ("60 10 * * *", "bad_value"),
    ],
)
def test_a_cron_line_that_names_no_time_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadValueError) as refused:
        cron(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=9;BYMINUTE=0", "never"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6;BYHOUR=9;BYMINUTE=0", "never"),
        ("DTSTART:20261103T090000 RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=20269999", "never"),
        ("FREQ=WEEKLY;BYHOUR=9;BYMINUTE=0", "needs_day"),
        ("FREQ=WEEKLY;BYDAY=1SA;BYHOUR=9;BYMINUTE=0", "bad_value"),
        ("DTSTART:19991231T090000 RRULE:FREQ=DAILY", "out_of_range"),
        ("DTSTART:99990101T090000 RRULE:FREQ=DAILY", "out_of_range"),
        ("DTSTART:20261301T090000 RRULE:FREQ=DAILY", "bad_value"),
    ],
)
def test_a_rule_that_names_no_time_or_leaves_one_open_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadValueError) as refused:
        rrule(text)
    assert refused.value.code == code


def test_a_rule_that_comes_only_every_28_years_comes() -> None:
    rare = rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=9;BYMINUTE=0")
    found = wall_times(rare, first=datetime(2026, 1, 1), last=datetime(2099, 12, 31))  # noqa: DTZ001
    assert [wall.year for wall in found] == [2044, 2072]


def test_a_rule_may_name_a_month_that_its_steps_reach_from_its_own_start_only() -> None:
    yearly = rrule("DTSTART:20260301T090000 RRULE:FREQ=MONTHLY;INTERVAL=12;BYMONTH=3")
    found = wall_times(yearly, first=datetime(2027, 1, 1), last=datetime(2028, 12, 31))  # noqa: DTZ001
    assert [f"{wall:%Y-%m-%d}" for wall in found] == ["2027-03-01", "2028-03-01"]


@given(
    parts=st.tuples(
        st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        st.sampled_from(["", ";BYDAY=SA", ";BYDAY=1SA,-1MO", ";BYMONTHDAY=31", ";BYMONTHDAY=-1,15"]),
        st.sampled_from(["", ";BYMONTH=2", ";BYMONTH=4,6"]),
        st.sampled_from(["", ";BYSETPOS=1", ";BYSETPOS=-2"]),
    ),
    days=st.integers(0, 20 * 366),
)
def test_a_rule_without_a_start_names_the_same_times_from_wherever_one_looks(
    parts: tuple[str, str, str, str], days: int
) -> None:
    text = f"FREQ={''.join(parts)};BYHOUR=9;BYMINUTE=0"
    try:
        moment = rrule(text)
    except BadValueError:
        return
    first = WITHOUT_START + timedelta(days=days)
    from_here = list(islice(wall_times(moment, first=first, last=first + ONE_YEAR), 5))
    from_the_start = RRule(moment.text, WITHOUT_START.replace(second=1))
    assert [
        wall.replace(second=0) for wall in wall_times(from_the_start, first=first, last=first + ONE_YEAR)
    ][:5] == from_here


@given(st.text(alphabet="0123456789*/-,LW# samonjfe", max_size=16))
def test_any_text_is_a_cron_line_that_comes_or_is_refused(text: str) -> None:
    try:
        moment = cron(text)
    except BadValueError:
        return
    assert isinstance(moment, Cron)
    assert next(wall_times(moment, first=WITHOUT_START, last=datetime(2050, 1, 1)))  # noqa: DTZ001


@given(st.text(alphabet="FREQ=DAILYWKMONTH;BYSPU,0123456789+-", max_size=40))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    for whole in (
        text,
        f"FREQ=MONTHLY;BYHOUR=9;BYMINUTE=0;{text}",
        f"DTSTART:20261107T100000 FREQ=DAILY;{text}",
    ):
        try:
            assert isinstance(rrule(whole), RRule)
        except BadValueError:
            continue
