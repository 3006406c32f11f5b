"""How is a beacon, judged by what phones heard of it? Silent, moved, duplicated, drifting, its battery weak.

Every rule wants several phones: one alone may have its Bluetooth off or its position wrong.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

RULE_VERSION = "beacons-1"
DAY_MS = 86_400_000
LOOK_BACK_DAYS = 35
RECENT_DAYS = 7
"""A beacon is compared with itself: the last days, today included, against those before them."""

QUIET_MS = DAY_MS
EXPECTED_HEARINGS = 5.0
"""So many hearings that were to be expected and did not come: by chance alone once in 150 times (e⁻⁵)."""
UNKNOWN_SHARE = 0.25
"""The share of phones that hear a beacon that none has heard yet."""
AWAY_M = 200.0
"""Beyond the premises, accuracy taken off: a beacon carries 100 m at the most, and what is left is for bad fixes."""
AWAY_PHONES = 2
AWAY_SHARE = 0.05
"""Of the phones that heard a beacon that stands at two places; fewer have their positions wrong."""
TOGETHER_MS = 900_000
"""How far apart in time two hearings are at the same time: a phone's last position may be some minutes old."""
ENOUGH_PHONE_DAYS = 30
"""Phones differ by 8 dB: the medians of 30 of their days each differ by less than 6 dB in 49 of 50 cases."""
DRIFT_DB = 6.0
FADING_DB, FADING_SHARE = 3.0, 0.5


class Finding(StrEnum):
    """What may be wrong with a beacon."""

    SILENT = "silent"
    MOVED = "moved"
    DUPLICATED = "duplicated"
    DRIFTING = "drifting"
    WEAK_BATTERY = "weak_battery"


@dataclass(frozen=True, slots=True)
class Day:
    """One day, by its number since 1970: how many phones `heard` the beacon, and how many were `present` at its store.

    `strengths` counts phones by their mean signal strength over the beacon's measured power, in whole dB.
    """

    number: int
    heard: int
    present: int
    strengths: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """A hearing by a phone that knew where it was: so far outside the premises at least (negative or 0: not)."""

    at_ms: int
    phone: str
    beyond_m: float

    @property
    def is_away(self) -> bool:
        """Whether the phone was surely elsewhere than where it could have heard the beacon in its store."""
        return self.beyond_m > AWAY_M


@dataclass(frozen=True, slots=True)
class Health:
    """What was found, and the figures that it rests on; None where too little was heard to tell.

    `phone_days` are those of the recent days that heard it, `strength_db` is their median, `drift_db` its change
    against the days before. `away` is the newest hearing elsewhere, where the beacon was moved or duplicated.
    """

    findings: tuple[Finding, ...]
    phone_days: int
    strength_db: float | None
    drift_db: float | None
    away: Placed | None


@dataclass(frozen=True, slots=True)
class _Period:
    heard: int
    present: int
    strength_db: float | None

    @classmethod
    def of(cls, days: Iterable[Day]) -> "_Period":
        heard = present = 0
        strengths: Counter[int] = Counter()
        for day in days:
            heard, present = heard + day.heard, present + day.present
            strengths.update(day.strengths)
        return cls(heard, present, _median(strengths))

    @property
    def share(self) -> float | None:
        """The share of phones that heard the beacon."""
        return self.heard / self.present if self.present >= ENOUGH_PHONE_DAYS else None


def judge(days: Sequence[Day], placed: Iterable[Placed], *, last_heard_ms: int | None, now_ms: int) -> Health:
    """The health of a beacon by its days, in any order, and by its hearings of known place."""
    today = now_ms // DAY_MS
    recent = _Period.of(day for day in days if day.number > today - RECENT_DAYS)
    before = _Period.of(day for day in days if day.number <= today - RECENT_DAYS)
    drift_db = None
    if recent.strength_db is not None and before.strength_db is not None:
        drift_db = recent.strength_db - before.strength_db
    home, away = _split(placed)
    duplicated = _at_two_places(home, away)
    moved = not duplicated and _gone(home, away)
    elsewhere = duplicated or moved
    found = {
        Finding.SILENT: _silent(days, last_heard_ms, now_ms=now_ms),
        Finding.MOVED: moved,
        Finding.DUPLICATED: duplicated,
        Finding.DRIFTING: drift_db is not None and abs(drift_db) >= DRIFT_DB,
        Finding.WEAK_BATTERY: not elsewhere and _fading(recent, before, drift_db),
    }
    return Health(
        findings=tuple(finding for finding, holds in found.items() if holds),
        phone_days=recent.heard,
        strength_db=recent.strength_db,
        drift_db=drift_db,
        away=away[-1] if elsewhere else None,
    )


def _silent(days: Iterable[Day], last_heard_ms: int | None, *, now_ms: int) -> bool:
    """Whether it was to be heard since it was last, by its own share of the phones at its store, and was not."""
    if last_heard_ms is None:
        return UNKNOWN_SHARE * sum(day.present for day in days) >= EXPECTED_HEARINGS
    if now_ms - last_heard_ms < QUIET_MS:
        return False
    heard = present = since = 0
    for day in days:
        if day.number > last_heard_ms // DAY_MS:
            since += day.present
        else:
            heard, present = heard + day.heard, present + day.present
    return present > 0 and since * heard / present >= EXPECTED_HEARINGS


def _split(placed: Iterable[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Hearings at home, and those away; oldest first."""
    home: list[Placed] = []
    away: list[Placed] = []
    for one in sorted(placed, key=lambda one: (one.at_ms, one.phone)):
        (away if one.is_away else home).append(one)
    return home, away


def _gone(home: Sequence[Placed], away: Sequence[Placed]) -> bool:
    """Whether several phones heard it elsewhere since it was last heard at home."""
    last_home_ms = home[-1].at_ms if home else -1
    return len({one.phone for one in away if one.at_ms > last_home_ms}) >= AWAY_PHONES


def _at_two_places(home: Sequence[Placed], away: Sequence[Placed]) -> bool:
    """Whether it was heard at home and elsewhere at the same time, and no one phone is in all of these pairs."""
    elsewhere = {one.phone for one in away}
    if len(elsewhere) < AWAY_SHARE * len(elsewhere.union(one.phone for one in home)):
        return False
    times = [one.at_ms for one in home]
    suspects: set[str] | None = None
    for one in away:
        first, after = (
            bisect_left(times, one.at_ms - TOGETHER_MS),
            bisect_right(times, one.at_ms + TOGETHER_MS),
        )
        for other in home[first:after]:
            if other.phone != one.phone:
                pair = {one.phone, other.phone}
                suspects = pair if suspects is None else suspects & pair
                if not suspects:
                    return True
    return False


def _fading(recent: _Period, before: _Period, drift_db: float | None) -> bool:
    """Whether its signal fell far, or somewhat while fewer of the phones hear it: what a battery does at its end."""
    if drift_db is None or drift_db > -FADING_DB:
        return False
    if drift_db <= -DRIFT_DB:
        return True
    now, then = recent.share, before.share
    return now is not None and then is not None and now <= FADING_SHARE * then


def _median(strengths: Counter[int]) -> float | None:
    """The median of counted values; None of too few."""
    many = strengths.total()
    if many < ENOUGH_PHONE_DAYS:
        return None
    seen, lower = 0, None
    for value in sorted(strengths):
        seen += strengths[value]
        if lower is None and 2 * seen >= many:
            lower = value
        if 2 * seen > many:
            assert lower is not None  # noqa: S101  half of them is reached no later than more than half
            return (lower + value) / 2
    return None
