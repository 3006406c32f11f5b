"""What does an OpenStreetMap `opening_hours` text ask of its parser? What the parser would misread is put into other
words that mean the same, or refused with the reason.

Everything here works on the text with its comments blanked out, so that their words are nobody's keywords.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_DAYS = "Mo|Tu|We|Th|Fr|Sa|Su"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LENGTHS = dict(zip(_MONTHS, (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
_MONTH = "|".join(_MONTHS)
_DAY = timedelta(days=1)

_COMMENT = re.compile(r'"[^"]*"')
_SAID_OF_COMMENT = re.compile(r'\b(open|off|closed|unknown)?(\s*)("_*")(?!\s*:)')
_BLANK_IN_LIST = re.compile(
    rf"\b((?:{_DAYS})(?:\[[^\]]*\])?|PH)\s*,\s+(?=(?:{_DAYS}|PH)\b)|((?:{_MONTH}) \d\d)\s*,\s+(?=(?:{_MONTH}) \d)"
)
_SPAN = re.compile(r"\b(\d?\d):(\d\d)(\s*-\s*)(\d?\d):(\d\d)")
_RULE_END = re.compile(rf";|\|\||,\s+(?=\d{{4}}|week|easter|PH|(?:{_MONTH}|{_DAYS})\b)")
_FALLBACK = re.compile(r"\s*\|\|\s*(unknown\s*\"_*\"|unknown|\"_*\"|off|closed)\s*$")
_DAY_ITEM = rf"(?:(?:{_DAYS})(?:\s*-\s*(?:{_DAYS}))?(?:\[[^\]]*\])?|PH)"
_DAY_LIST = re.compile(rf"{_DAY_ITEM}(?:\s*,\s*{_DAY_ITEM})*")
_CLOSES = re.compile(r"\b(?:off|closed)\b")
_DAYS_OF_MONTH = re.compile(rf"\b(?:{_MONTH}) (\d\d?)\s*-\s*(\d\d?)\b(?!:)")
_DATE = re.compile(rf"\b({_MONTH}) (\d\d?)\b(?!:)")

_MISREAD = (
    (re.compile(r"\|\|"), "after || only unknown, off or a comment is understood, at the end"),
    (re.compile(r"sunrise|sunset|dawn|dusk"), "it depends on the sun; write times of the clock"),
    (re.compile(r"\bSH\b"), "school holidays are not known here; write their dates"),
    (
        re.compile(rf"PH\s+(?:{_DAYS})\b"),
        "holidays on some weekdays only are not told apart; write PH,Su where both are meant",
    ),
    (re.compile(r"PH\s*[+-]"), "days beside holidays are not counted; write their dates"),
    (
        re.compile(r"\d?\d:\d\d\s*\+(?!\s*(?:off|closed|unknown))"),
        "an open end names no closing time; write one",
    ),
    (re.compile(r":\d\d\s*/"), "times that come again are a timetable; write from when to when it is open"),
    (
        re.compile(r"easter(?:\s*[+-]\d+ days?)?\s*-\s*(?!\d+ day)|-\s*(?:\d{4} )?easter"),
        "a span of days from or to Easter is read in more than one way; write its days one by one",
    ),
    (
        re.compile(rf"\d\s*\+\s*(?:{_DAYS})\b|\] -\d+ days?\s*-"),
        "a span of days whose ends move; write dates",
    ),
    (re.compile(r"\bweek\s+\d+-\d+/1\b"), "every week of them is what it says without /1"),
    (
        re.compile(rf",\s*(?:{_MONTH})\s+(?:{_DAYS})\b|\bPH\s*,\s*(?:{_MONTH})\b|\d\s*,\s*week\b"),
        "a month or week within a list of days; begin a rule of its own with ;",
    ),
)


class MisreadError(ValueError):
    """A text that would be misread; `at` counts its characters from 0, the message says why."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


@dataclass(frozen=True, slots=True)
class OpeningRule:
    """One rule that opens the store, for the parser. `overrides` the rules before it; `has_night` past midnight."""

    text: str
    overrides: bool
    has_night: bool


@dataclass(frozen=True, slots=True)
class Wording:
    """A text for the parser. Its days begin `later` than at midnight; `closed_is_unknown` outside of its hours.

    `names_holidays` says that some rule is about public holidays. `nights` are the rules that open the store, where
    days begin later.
    """

    text: str
    later: timedelta
    nights: tuple[OpeningRule, ...]
    closed_is_unknown: bool
    names_holidays: bool


def wording(text: str) -> Wording:
    """The text in words that the parser reads as they are meant. Raises MisreadError for what has none."""
    blanked = _blanked(text)
    fallback = _FALLBACK.search(blanked)
    if fallback:
        text, blanked = text[: fallback.start()], blanked[: fallback.start()]
    _refuse_misread(blanked)
    # What is open "on request" only is not known to be open.
    said = _rewritten(text, _SAID_OF_COMMENT, lambda found: found[0] if found[1] else f" unknown {found[3]}")
    said = _rewritten(said, _BLANK_IN_LIST, lambda found: f"{found[1] or found[2]},")
    blanked = _blanked(said)
    later = _end_of_night(blanked) if ";" in blanked else timedelta(0)
    return Wording(
        text=_moved(said, later),
        later=later,
        nights=tuple(_opening_rules(said, later)) if later else (),
        closed_is_unknown=fallback is not None and not _CLOSES.search(fallback[1]),
        names_holidays="PH" in re.findall(r"\w+", blanked),
    )


def _refuse_misread(blanked: str) -> None:
    for form, reason in _MISREAD:
        if found := form.search(blanked):
            raise MisreadError(found.start(), reason)
    for found in _DATE.finditer(blanked):
        if not 1 <= int(found[2]) <= _LENGTHS[found[1]]:
            raise MisreadError(found.start(), f"there is no {found[0]}")
    for found in _DAYS_OF_MONTH.finditer(blanked):
        if int(found[1]) > int(found[2]):
            raise MisreadError(found.start(), f"{found[0]} ends before it begins; name the second month")


def with_holidays(text: str, days: Sequence[date], *, within: Callable[[str, date], bool]) -> str:
    """The text with `PH` put into dates; `within` says whether a day lies in a season that is written before it."""
    blanked = _blanked(text)
    made, reached = [], 0
    for start, end, between in _rules(blanked):
        rule = text[start:end]
        found = next((found for found in _DAY_LIST.finditer(blanked, start, end) if "PH" in found[0]), None)
        made.append(text[reached:start])
        reached = end
        if found is None:
            made.append(rule)
            continue
        season, rest = text[start : found.start()].strip(), text[found.end() : end]
        others = [item for item in re.split(r"\s*,\s*", found[0]) if item != "PH"]
        parts = [f"{season} {','.join(others)}{rest}".strip()] if others else []
        dates = [day for day in days if not season or within(season.rstrip(": "), day)]
        if dates:
            parts.append(
                f"{','.join(f'{day.year} {_MONTHS[day.month - 1]} {day.day:02d}' for day in dates)}{rest}"
            )
        made.append(f" {between.join(parts)}" if parts else " 1900 Jan 01 off")
    return "".join(made) + text[reached:]


def _rules(blanked: str) -> list[tuple[int, int, str]]:
    """Where each rule begins and ends, and what stands between it and another of its kind."""
    rules, start, between = [], 0, "; "
    for found in _RULE_END.finditer(blanked):
        rules.append((start, found.start(), between))
        start, between = found.end(), "; " if found[0] == ";" else ", "
    return [*rules, (start, len(blanked), between)]


def _end_of_night(blanked: str) -> timedelta:
    """When the longest night of several rules ends. A night that another rule cuts at midnight is thus left whole."""
    later = max(_nights(blanked), default=_DAY) - _DAY
    whole_days = any(
        not _SPAN.search(blanked, start, end) and not _CLOSES.search(blanked, start, end)
        for start, end, _ in _rules(blanked)
    )
    if later and (whole_days or any(_since(span) < later for span in _SPAN.finditer(blanked))):
        raise MisreadError(0, "a night that goes on into the opening of the next day; write both as one")
    return later


def _opening_rules(text: str, later: timedelta) -> Iterator[OpeningRule]:
    blanked = _blanked(text)
    for start, end, between in _rules(blanked):
        if not _CLOSES.search(blanked, start, end):
            moved = _moved(text[start:end].strip(), later)
            yield OpeningRule(moved, ";" in between, bool(_nights(blanked[start:end])))


def _nights(blanked: str) -> list[timedelta]:
    """When each span that passes midnight ends, counted from the midnight before it."""
    spans = [(_since(found), _until(found)) for found in _SPAN.finditer(blanked)]
    return [
        until if until > _DAY else until + _DAY for since, until in spans if until > _DAY or until <= since
    ]


def _since(span: re.Match[str]) -> timedelta:
    return timedelta(hours=int(span[1]), minutes=int(span[2]))


def _until(span: re.Match[str]) -> timedelta:
    return timedelta(hours=int(span[4]), minutes=int(span[5]))


def _moved(text: str, later: timedelta) -> str:
    """The text with every time of the clock so much earlier."""

    def earlier(span: re.Match[str]) -> str:
        since, until = _since(span) - later, _until(span) - later
        until += _DAY if until <= timedelta(0) else timedelta(0)
        return f"{_clock(since)}{span[3]}{_clock(until)}"

    return _rewritten(text, _SPAN, earlier) if later else text


def _clock(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _blanked(text: str) -> str:
    """The text with every character of its comments as an underscore."""
    return _COMMENT.sub(lambda found: '"' + "_" * (len(found[0]) - 2) + '"', text)


def _rewritten(text: str, form: re.Pattern[str], put: str | Callable[[re.Match[str]], str]) -> str:
    """The text with a form put into other words, comments untouched."""
    comments = iter(_COMMENT.findall(text))
    return _COMMENT.sub(lambda _: next(comments), form.sub(put, _blanked(text)))
