"""Health of beacons: each finding at its threshold, none from one phone, none from noise or from the order of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.health import DAY_MS, Day, Finding, Health, Placed, judge

TODAY = 20_000
NOW_MS = TODAY * DAY_MS + DAY_MS // 2
MINUTE_MS = 60_000

DAYS = st.builds(
    lambda number, strengths, unheard: Day(
        number, sum(strengths.values()), sum(strengths.values()) + unheard, strengths
    ),
    st.integers(TODAY - 40, TODAY),
    st.dictionaries(st.integers(-40, 20), st.integers(1, 30), max_size=4),
    st.integers(0, 30),
)
WEEKS = st.lists(DAYS, max_size=12, unique_by=lambda day: day.number)
PLACES = st.lists(
    st.builds(
        Placed,
        st.integers(NOW_MS - 7 * DAY_MS, NOW_MS),
        st.sampled_from("abcd"),
        st.sampled_from((-20.0, 0.0, 200.0, 201.0, 5_000.0)),
    ),
    max_size=12,
)


def told(
    days: Sequence[Day] = (), placed: Sequence[Placed] = (), *, last_heard_ms: int | None = NOW_MS
) -> Health:
    return judge(days, placed, last_heard_ms=last_heard_ms, now_ms=NOW_MS)


def period(first: int, last: int, strengths: dict[int, int], *, unheard: int = 0) -> list[Day]:
    """Days that are all the same."""
    heard = sum(strengths.values())
    return [Day(number, heard, heard + unheard, strengths) for number in range(first, last + 1)]


def compared(
    shift_db: int, *, phones: int = 5, heard_of_ten: int = 10, spread_db: tuple[int, ...] = (0, 0, 0)
) -> Health:
    """A beacon that all phones heard at −12 dB, and since a week so many of ten phones `shift_db` stronger."""
    before = {-12 + other: phones for other in spread_db}
    now = {strength + shift_db: number * heard_of_ten // 10 for strength, number in before.items()}
    unheard = sum(before.values()) - sum(now.values())
    return told([*period(TODAY - 34, TODAY - 7, before), *period(TODAY - 6, TODAY, now, unheard=unheard)])


def heard(phone: str, *, minutes_ago: int, beyond_m: float = 0.0) -> Placed:
    return Placed(NOW_MS - minutes_ago * MINUTE_MS, phone, beyond_m)


def test_a_beacon_of_which_nothing_is_known_has_nothing_found() -> None:
    assert told(last_heard_ms=None) == Health((), 0, None, None, None)


@given(WEEKS, PLACES, st.none() | st.integers(0, 40 * 24), st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_does_not_matter(
    days: list[Day], placed: list[Placed], hours_ago: int | None, random: Random
) -> None:
    last = None if hours_ago is None else NOW_MS - hours_ago * 3_600_000
    first = told(days, placed, last_heard_ms=last)
    random.shuffle(days)
    random.shuffle(placed)
    second = told(days, placed, last_heard_ms=last)
    assert second == first
    assert not {Finding.MOVED, Finding.DUPLICATED} <= set(first.findings)
    assert (first.away is not None) == bool({Finding.MOVED, Finding.DUPLICATED} & set(first.findings))


@given(WEEKS)
def test_a_strength_is_the_median_of_the_recent_phone_days(days: list[Day]) -> None:
    recent = [day for day in days if day.number > TODAY - 7]
    each = sorted(Counter[int]().elements())
    for day in recent:
        each += Counter(day.strengths).elements()
    found = told(days)
    assert found.phone_days == sum(day.heard for day in recent)
    assert found.strength_db == (median(each) if len(each) >= 30 else None)


class TestSilent:
    def test_five_hearings_that_did_not_come_are_silence(self) -> None:
        used = period(TODAY - 10, TODAY - 3, {-12: 2}, unheard=2)
        last = (TODAY - 3) * DAY_MS
        assert self.found([*used, Day(TODAY, 0, 10, {})], last)
        assert not self.found([*used, Day(TODAY, 0, 9, {})], last)

    def test_a_beacon_that_few_hear_is_waited_for_longer(self) -> None:
        corner = period(TODAY - 10, TODAY - 3, {-25: 1}, unheard=49)
        assert not self.found([*corner, Day(TODAY, 0, 249, {})], (TODAY - 3) * DAY_MS)
        assert self.found([*corner, Day(TODAY, 0, 250, {})], (TODAY - 3) * DAY_MS)

    def test_a_store_that_is_closed_silences_no_beacon(self) -> None:
        assert not self.found(period(TODAY - 20, TODAY - 10, {-12: 50}), (TODAY - 10) * DAY_MS)

    def test_a_beacon_never_heard_is_silent_once_twenty_phones_were_there(self) -> None:
        assert self.found([Day(TODAY, 0, 20, {})], None)
        assert not self.found([Day(TODAY, 0, 19, {})], None)

    def test_within_a_day_nothing_is_silent(self) -> None:
        days = [*period(TODAY - 8, TODAY - 1, {-12: 100}), Day(TODAY, 0, 900, {})]
        assert not self.found(days, NOW_MS - DAY_MS + 1)
        assert self.found(days, NOW_MS - DAY_MS)

    def found(self, days: Sequence[Day], last_heard_ms: int | None) -> bool:
        return Finding.SILENT in told(days, last_heard_ms=last_heard_ms).findings


class TestElsewhere:
    def test_a_beacon_that_two_phones_heard_far_off_was_moved(self) -> None:
        home = heard("a", minutes_ago=600)
        away = [heard("b", minutes_ago=90, beyond_m=800), heard("c", minutes_ago=60, beyond_m=950)]
        found = told(placed=[home, *away])
        assert (found.findings, found.away) == ((Finding.MOVED,), away[1])
        assert told(placed=away).findings == (Finding.MOVED,)

    def test_one_phone_moves_nothing(self) -> None:
        assert told(placed=[heard("b", minutes_ago=m, beyond_m=800) for m in (90, 60, 30)]).findings == ()

    def test_a_beacon_that_is_back_was_not_moved(self) -> None:
        away = [heard("b", minutes_ago=90, beyond_m=800), heard("c", minutes_ago=60, beyond_m=950)]
        assert told(placed=[*away, heard("a", minutes_ago=5)]).findings == ()

    def test_next_door_is_not_elsewhere(self) -> None:
        assert told(placed=[heard(phone, minutes_ago=9, beyond_m=200.0) for phone in "abc"]).findings == ()

    def test_two_places_at_the_same_time_are_two_beacons(self) -> None:
        pairs = [
            heard("a", minutes_ago=500),
            heard("b", minutes_ago=510, beyond_m=800),
            heard("c", minutes_ago=40),
            heard("d", minutes_ago=30, beyond_m=820),
        ]
        found = told(placed=pairs)
        assert (found.findings, found.away) == ((Finding.DUPLICATED,), pairs[3])
        # Heard away by two since it was last heard at home, which says no more.
        later = heard("e", minutes_ago=20, beyond_m=820)
        assert told(placed=[*pairs, later]).findings == (Finding.DUPLICATED,)
        # Not at the same time: it was there, and came back.
        apart = [*pairs[:2], heard("c", minutes_ago=14), heard("d", minutes_ago=30, beyond_m=820)]
        assert told(placed=apart).findings == ()

    def test_phones_that_go_along_with_a_beacon_hear_one(self) -> None:
        walks = [
            (heard(phone, minutes_ago=start), heard(phone, minutes_ago=start - 8, beyond_m=300))
            for phone, start in (("a", 200), ("b", 100))
        ]
        assert told(placed=[one for walk in walks for one in walk]).findings == ()

    @pytest.mark.parametrize("liar", ["a", "b"])
    def test_what_one_phone_explains_is_no_second_beacon(self, liar: str) -> None:
        """Whether it is always the same one at home, or always the same one away."""
        placed = []
        for number, other in enumerate("uvwxyz"):
            home, away = (liar, other) if liar == "a" else (other, liar)
            placed += [
                heard(away, minutes_ago=10 + 60 * number, beyond_m=900),
                heard(home, minutes_ago=9 + 60 * number),
            ]
        assert told(placed=placed).findings == ()

    @pytest.mark.parametrize(("others", "found"), [(36, (Finding.DUPLICATED,)), (37, ())])
    def test_few_wrong_positions_among_many_are_no_second_beacon(
        self, others: int, found: tuple[Finding, ...]
    ) -> None:
        wrong = [heard("x", minutes_ago=300, beyond_m=9_000), heard("y", minutes_ago=100, beyond_m=4_000)]
        right = [heard(f"p{number}", minutes_ago=95 + number * 6) for number in range(others + 2)]
        assert told(placed=[*wrong, *right]).findings == found


class TestSignal:
    @pytest.mark.parametrize(
        ("shift_db", "found"),
        [
            (0, ()),
            (5, ()),
            (6, (Finding.DRIFTING,)),
            (-5, ()),
            (-6, (Finding.DRIFTING, Finding.WEAK_BATTERY)),
        ],
    )
    def test_a_drift_is_told_from_six_decibels(self, shift_db: int, found: tuple[Finding, ...]) -> None:
        health = compared(shift_db)
        assert (health.drift_db, health.findings) == (shift_db, found)

    @pytest.mark.parametrize(
        ("shift_db", "heard_of_ten", "found"),
        [(-3, 5, (Finding.WEAK_BATTERY,)), (-3, 6, ()), (-2, 5, ()), (3, 5, ())],
    )
    def test_a_battery_is_weak_that_is_heard_less_and_by_fewer(
        self, shift_db: int, heard_of_ten: int, found: tuple[Finding, ...]
    ) -> None:
        assert compared(shift_db, phones=10, heard_of_ten=heard_of_ten).findings == found

    def test_a_beacon_that_was_moved_has_no_weak_battery(self) -> None:
        days = [*period(TODAY - 34, TODAY - 7, {-12: 9}), *period(TODAY - 6, TODAY, {-20: 9})]
        away = [heard("b", minutes_ago=90, beyond_m=800), heard("c", minutes_ago=60, beyond_m=950)]
        assert told(days, away).findings == (Finding.MOVED, Finding.DRIFTING)

    def test_a_few_phones_tell_no_drift(self) -> None:
        days = [*period(TODAY - 34, TODAY - 7, {-12: 9}), *period(TODAY - 6, TODAY, {-30: 4})]
        assert told(days).drift_db is None
        days = [*period(TODAY - 8, TODAY - 7, {-12: 14}), *period(TODAY - 6, TODAY, {-30: 5})]
        assert told(days).drift_db is None

    @given(st.integers(-20, 20), st.tuples(*[st.integers(-9, 9)] * 3))
    def test_a_shift_of_all_phones_is_the_drift(self, shift_db: int, spread_db: tuple[int, ...]) -> None:
        assert compared(shift_db, spread_db=spread_db).drift_db == shift_db

    def test_phones_that_differ_are_seldom_taken_for_a_drift(self) -> None:
        random = Random(7)

        def days(first: int, last: int) -> list[Day]:
            drawn = Counter(round(random.gauss(-12, 8)) for _ in range(30))
            return [Day(first, 30, 30, drawn), *period(first + 1, last, {})]

        findings = [
            told([*days(TODAY - 34, TODAY - 7), *days(TODAY - 6, TODAY)]).findings for _ in range(2_000)
        ]
        assert sum(Finding.DRIFTING in found for found in findings) <= 60
