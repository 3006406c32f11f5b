"""How are moments that come again written, as cron or as a recurrence rule? Each is checked, none computed."""

from datetime import datetime
from re import compile as pattern
from typing import TypeVar

from campaigns.model import WEEKDAYS, Cron, RRule
from campaigns.problems import shown, suggestion
from campaigns.values import BadValueError
from campaigns.walltimes import WITHOUT_START, comes

Repeats = TypeVar("Repeats", Cron, RRule)

CRON_FORM = pattern(r"[^ ]+(?: +[^ ]+){4}")
RRULE_FORM = pattern(
    r"(?:DTSTART:[0-9]{8}T[0-9]{6} +)?(?:RRULE:)?"
    r"(?:[A-Z]+=[^ ;]+;)*FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;[A-Z]+=[^ ;]+)*"
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("the minute", 0, 59, {}),
    ("the hour", 0, 23, {}),
    ("the day of the month", 1, 31, {}),
    ("the month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("the weekday", 0, 7, {name: (number + 1) % 7 for number, name in enumerate(WEEKDAYS)}),
)
_ITEM = pattern(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([1-9][0-9]?))?")

_LAST_YEAR = 2100
_START = pattern(r"DTSTART:([0-9]{8}T[0-9]{6})")
_RULE_PARTS = {
    "FREQ": pattern(r"DAILY|WEEKLY|MONTHLY|YEARLY"),
    "INTERVAL": pattern(r"[1-9][0-9]{0,2}"),
    "COUNT": pattern(r"[1-9][0-9]{0,3}"),
    "UNTIL": pattern(r"[0-9]{8}(?:T[0-9]{6})?"),
    "BYMONTH": pattern(r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2]))*"),
    "BYMONTHDAY": pattern(r"-?(?:[1-9]|[12][0-9]|3[01])(?:,-?(?:[1-9]|[12][0-9]|3[01]))*"),
    "BYDAY": pattern(r"(?:[+-]?[1-5])?(?:MO|TU|WE|TH|FR|SA|SU)(?:,(?:[+-]?[1-5])?(?:MO|TU|WE|TH|FR|SA|SU))*"),
    "BYHOUR": pattern(r"(?:1?[0-9]|2[0-3])(?:,(?:1?[0-9]|2[0-3]))*"),
    "BYMINUTE": pattern(r"[1-5]?[0-9]"),
    "BYSETPOS": pattern(r"-?[1-9][0-9]?(?:,-?[1-9][0-9]?)*"),
    "WKST": pattern(r"MO|TU|WE|TH|FR|SA|SU"),
}


def cron(text: str) -> Cron:
    """Five fields: minute, hour, day of the month, month, weekday; in lower case, one space between them."""
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        hint = 'minute hour day month weekday, as in "0 10 * * 6" for Saturdays at ten'
        raise BadValueError(f"{shown(text)} has {len(fields)} fields, not five", hint)
    for field, (what, least, most, names) in zip(fields, _FIELDS, strict=True):
        for item in field.split(","):
            _check_item(item, what, least=least, most=most, names=names)
    if not fields[0].isdigit():
        raise BadValueError(
            f"{shown(text)} runs more than once in an hour", "one minute, as in 0 10 * * 6", code="too_often"
        )
    return _that_comes(Cron(" ".join(fields)), text)


def _check_item(item: str, what: str, *, least: int, most: int, names: dict[str, int]) -> None:
    found = _ITEM.fullmatch(item)
    ends = [end for end in found.groups()[:2] if end is not None] if found else [item]
    numbers = [names.get(end, int(end) if end.isdecimal() and end.isascii() else -1) for end in ends]
    if found and all(least <= number <= most for number in numbers) and numbers == sorted(numbers):
        return
    hint = f"* or numbers from {least} to {most}, as in {least}, {least}-{most}, */2"
    near = suggestion(item, names) if names else None
    raise BadValueError(f"{shown(item)} is not {what} of cron", f"{near} {hint}" if near else hint)


def rrule(text: str) -> RRule:
    """A rule of RFC 5545, after its `DTSTART:` where it needs one; always at a wall-clock time of day."""
    *before, rule = text.split() or [""]
    start = _start(before, text)
    parts = _parts(rule.removeprefix("RRULE:"), text)
    if parts["FREQ"] in ("DAILY", "WEEKLY") and any(letter.isdigit() for letter in parts.get("BYDAY", "")):
        detail = f"{shown(parts['BYDAY'])} counts weekdays of a month, and FREQ is {parts['FREQ']}"
        raise BadValueError(detail, "FREQ=MONTHLY;BYDAY=1SA for the first Saturday")
    if start is None:
        for name in ("COUNT", "INTERVAL"):
            if parts.get(name, "1") != "1":
                detail, hint = f"{name} counts from a first time", f"DTSTART:20261107T100000 RRULE:{rule}"
                raise BadValueError(f"{detail}, and there is none", hint, code="needs_start")
        if missing := [name for name in ("BYHOUR", "BYMINUTE") if name not in parts]:
            hint = "add ;BYHOUR=10;BYMINUTE=0"
            raise BadValueError(f"{shown(text)} has no time of day: no {missing[0]}", hint, code="needs_time")
        if parts["FREQ"] != "DAILY" and not {"BYDAY", "BYMONTHDAY"} & parts.keys():
            hint = "add ;BYDAY=SA"
            raise BadValueError(f"{shown(text)} names no day", hint, code="needs_day")
    if len(parts.get("UNTIL", "")) == len("20261231"):
        # A day is included whole, as `until` of a campaign is.
        parts["UNTIL"] += "T235959"
    rule = ";".join(f"{name}={value}" for name, value in parts.items())
    return _that_comes(RRule(rule, start or WITHOUT_START), text)


def _that_comes(moment: Repeats, text: str) -> Repeats:
    """The same moment, if it names any time."""
    try:
        if comes(moment):
            return moment
        detail, hint = f"{shown(text)} names no time that ever comes", "30 February never does"
    except ValueError as error:
        detail, hint = f"{shown(text)} cannot be understood: {error}", "as in FREQ=MONTHLY;BYDAY=1SA"
    raise BadValueError(detail, hint, code="never")


def _start(before: list[str], text: str) -> datetime | None:
    found = _START.fullmatch(before[0]) if len(before) == 1 else None
    if before and found is None:
        hint = "a rule, or DTSTART:20261107T100000 and a space before it"
        raise BadValueError(f"{shown(text)} is not a recurrence rule", hint)
    if found is None:
        return None
    hint = "as in DTSTART:20261107T100000; years 2000 to 2100"
    try:
        start = datetime.strptime(found[1], "%Y%m%dT%H%M%S")  # noqa: DTZ007  a wall-clock time of no zone
    except ValueError:
        raise BadValueError(f"{shown(found[1])} is not a time", hint) from None
    if not WITHOUT_START.year <= start.year <= _LAST_YEAR:
        raise BadValueError(f"{shown(found[1])} is out of range", hint, code="out_of_range")
    return start


def _parts(rule: str, text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name not in _RULE_PARTS:
            listed = "known: " + ", ".join(_RULE_PARTS)
            near = suggestion(name, {known.lower() for known in _RULE_PARTS})
            detail = f"{shown(name)} is not a part of a recurrence rule"
            raise BadValueError(detail, f"{near.upper()} {listed}" if near else listed)
        if name in parts:
            raise BadValueError(f"{name} stands in the rule twice", "keep one of the two")
        if not _RULE_PARTS[name].fullmatch(value):
            raise BadValueError(
                f"{shown(value)} is no value of {name}", "as in FREQ=MONTHLY;BYDAY=1SA;BYHOUR=10;BYMINUTE=0"
            )
        parts[name] = value
    if "FREQ" not in parts:
        raise BadValueError(f"{shown(text)} says no FREQ", "DAILY, WEEKLY, MONTHLY or YEARLY")
    return parts
