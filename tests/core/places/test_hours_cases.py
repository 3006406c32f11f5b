"""Do hours agree with what another program's own tests say that they mean, or are they refused?"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from m2s.core.base.errors import Invalid
from m2s.core.places.hours import Hours, hours_of
from tests.data import ROOT, data_path, read_text

BERLIN = "Europe/Berlin"
Span = tuple[datetime, datetime]

# All of them are `PH` alone: which days are holidays there, two projects list differently.
PLACES = """
    au ie nz
    ru_altai ru_bashkortostan ru_bryansk ru_chechnya ru_chuvashia ru_kalmykia ru_karelia ru_komi ru_sakha ru_saratov
    ru_tatarstan
    us_ca us_fl us_ga us_gu us_hi us_ia us_il us_la us_ma us_md us_mi us_mo us_ms us_mt us_nh us_ny us_ok us_or us_pr
    us_sc us_tn us_tx us_va us_vi us_vt us_wi us_wv
"""
OTHER_CALENDARS = frozenset(PLACES.split())


def local(text: str) -> datetime:
    """A naive time such as `2012-10-01 0:00`; its day or month may run over the end (`2016-11-31`)."""
    day, clock = text.split()
    year, month, number = (int(part) for part in day.split("-"))
    hour, minute, *second = (int(part) for part in clock.split(":"))
    first = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)  # noqa: DTZ001
    return first + timedelta(days=number - 1, hours=hour, minutes=minute, seconds=sum(second))


def joined(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def expected(case: dict[str, Any], *, unknown: bool) -> list[Span]:
    spans = case["open_intervals"] or []
    return joined([(local(start), local(end)) for start, end, state, _ in spans if bool(state) is unknown])


def read(hours: Hours, case: dict[str, Any]) -> tuple[list[Span], list[Span]]:
    """When the store is open, and when nothing is known, in local time."""
    zone = ZoneInfo(BERLIN)
    start, end = (local(case[key]).replace(tzinfo=zone) for key in ("from", "to"))
    is_open: list[Span] = []
    unknown: list[Span] = []
    reached = start
    while reached < end:
        state = hours.is_open(reached)
        until = next_change(hours, reached, end)
        span = tuple(at.astimezone(zone).replace(tzinfo=None) for at in (reached, until))
        if state is not False:
            (unknown if state is None else is_open).append((span[0], span[1]))
        reached = until
    return joined(is_open), joined(unknown)


def next_change(hours: Hours, reached: datetime, end: datetime) -> datetime:
    """The next instant, at most a day on, at which the state may change."""
    soon = min(end, reached + timedelta(days=1))
    state = hours.is_open(reached)
    if state is True:
        return min(hours.closes_at(reached) or soon, soon)
    if state is False:
        _, until = hours.closed_parts(reached, soon)[0]
        return until
    closed = [since for since, _ in hours.closed_parts(reached, soon)]
    return min([hours.opens_at(reached) or soon, *closed, soon])


def verdict(case: dict[str, Any]) -> str:
    country, _, part = case["place"].partition("@")[0].upper().partition("_")
    try:
        hours = hours_of(case["value"], BERLIN, country, subdivision=f"{country}-{part}" if part else None)
    except Invalid as refused:
        return "refused" if " column " in refused.detail else "refused without a place"
    same = read(hours, case) == (expected(case, unknown=False), expected(case, unknown=True))
    return "agrees" if same else "differs"


def test_every_value_means_what_it_is_expected_to_or_is_refused() -> None:
    with gzip.open(data_path("testcases/opening_hours_intervals.jsonl.gz"), "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    verdicts = [(case, verdict(case)) for case in cases]
    differing = [case for case, found in verdicts if found == "differs"]
    assert {case["value"] for case in differing} <= {"PH"}
    assert {case["place"] for case in differing} == OTHER_CALENDARS
    assert Counter(found for _, found in verdicts) == {"agrees": 185, "refused": 237, "differs": 41}
    plain = Counter(found for case, found in verdicts if not case["features"])
    assert plain == {"agrees": 42, "refused": 81}


def test_every_value_that_must_fail_is_refused() -> None:
    rows = list(csv.DictReader(StringIO(read_text("testcases/opening_hours_must_fail.csv"))))
    taken = [row for row in rows if not refused(row["value"])]
    assert len(rows) - len(taken) == 100
    # Those are right values, which that program refuses for how it was called, or for a place it knows nothing of.
    causes = (
        "Wrong constructor call",
        "opening_hours.js is in the wrong mode",
        "Missing information",
        "PH with non-",
    )
    assert [row["name"] for row in taken if not row["name"].startswith(causes)] == []


def refused(text: str) -> bool:
    try:
        hours_of(text, BERLIN, "DE")
    except Invalid:
        return True
    return False


def documented(section: str) -> list[str]:
    """The values in the first column of a section's table."""
    text = (ROOT / "docs/opening-hours.md").read_text(encoding="utf-8")
    rows = text.split(f"## {section}\n")[1].split("\n## ")[0].splitlines()
    cells = [row.split(" | ")[0].replace("… ||", "10:00-12:00 ||") for row in rows if row.startswith("| `")]
    return [value for cell in cells for value in re.findall(r"`([^`]+)`", cell)]


def test_what_the_document_says_is_read_and_refused_is() -> None:
    read_values, refused_values = documented("What is read"), documented("What is refused")
    assert (len(read_values), len(refused_values)) == (16, 15)
    assert [value for value in read_values if refused(value)] == []
    assert [value for value in refused_values if not refused(value)] == []
