"""Do the readable values of a campaign file mean what they say, and only in their right form?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import moments, values
from campaigns.model import Hours, Money, Rate, Weekly

ANY_DURATION = values.duration("0s", "999999w")


@pytest.mark.parametrize(
    ("parse", "text", "meaning"),
    [
        (ANY_DURATION, "45s", timedelta(seconds=45)),
        (ANY_DURATION, "45m", timedelta(minutes=45)),
        (ANY_DURATION, "2h", timedelta(hours=2)),
        (ANY_DURATION, "3d", timedelta(days=3)),
        (ANY_DURATION, "1w", timedelta(weeks=1)),
        (values.duration("1m", "10m"), "600s", timedelta(minutes=10)),
        (values.distance_m, "300m", 300.0),
        (values.distance_m, "1.5km", 1500.0),
        (values.share, "10%", 0.1),
        (values.share, "2.5%", 0.025),
        (values.share, "0%", 0.0),
        (values.money, "1.00 EUR", Money(Decimal("1.00"), "EUR")),
        (values.money, "12 CHF", Money(Decimal("12.00"), "CHF")),
        (values.rate, "1 per 3d", Rate(1, timedelta(days=3))),
        (values.rate, "20 per hour", Rate(20, timedelta(hours=1))),
        (values.rate, "6 per month", Rate(6, timedelta(days=30))),
        (values.integer(0, 100), "0", 0),
        (values.identifier, "croissant-november_2", "croissant-november_2"),
        (moments.local_date, "2028-02-29", date(2028, 2, 29)),
        (moments.hours, "08:30-10:30", Hours(510, 630)),
        (moments.hours, "22:00 - 02:00", Hours(1320, 1560)),
        (moments.hours, "00:00-24:00", Hours(0, 1440)),
        (moments.weekdays, "mon-sat", frozenset(range(6))),
        (moments.weekdays, "fri-mon", frozenset({4, 5, 6, 0})),
        (moments.weekdays, "sun", frozenset({6})),
        (moments.moment, "sat 10:00", Weekly(frozenset({5}), 600)),
        (moments.moment, "mon-wed,sun 00:00", Weekly(frozenset({0, 1, 2, 6}), 0)),
        (moments.moment, "2026-11-07T10:00:00Z", datetime(2026, 11, 7, 10, tzinfo=UTC)),
        (
            moments.moment,
            "2026-11-07 10:00:00.5-02:30",
            datetime(2026, 11, 7, 12, 30, 0, 500_000, tzinfo=UTC),
        ),
        (moments.timezone, "store", None),
        (moments.timezone, "Pacific/Noumea", "Pacific/Noumea"),
    ],
)
def test_a_value_in_its_right_form_means_what_it_says(
    parse: Callable[[str], object], text: str, meaning: object
) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (ANY_DURATION, ["", "45", "45 m", "1.5h", "-3d", "3D", "٣d", "1h30m", "9999999s"]),
        (values.duration("1m", "10m"), ["59s", "11m"]),
        (values.distance_m, ["300", "3 km", "3mi", "0m", "101km", "1e3m"]),
        (values.share, ["10", "0.1", "91%", "-1%", "NaN%"]),
        (
            values.money,
            ["1.00", "EUR 1.00", "1,00 EUR", "1.001 EUR", "-1.00 EUR", "0.00 EUR", "1 eur", "NaN EUR"],
        ),
        (values.rate, ["1", "0 per day", "1 per", "1 per fortnight", "1 per 0d", "1 per 53w", "01 per day"]),
        (values.integer(0, 100), ["050", "+5", "1_0", "0x10", "101", "5.0", "9" * 5000]),
        (values.identifier, ["", "-a", "A", "é", "a b", "a" * 65, "a\n"]),
        (values.language, ["FR", "fra", "xx", "fr-FR", ""]),
        (
            moments.local_date,
            ["2026-02-29", "2024-13-45", "20261101", "2026-1-1", "1999-12-31", "2101-01-01"],
        ),
        (moments.hours, ["08:30", "8:30-10:30", "08:60-10:30", "24:00-25:00", "10:00-10:00", "08.30-10.30"]),
        (moments.weekdays, ["", "monday", "Mon", "mon-", "mon-tue-wed", "lun"]),
        (
            moments.moment,
            [
                "sat",
                "10:00",
                "sat 24:00",
                "sat 10:60",
                "sat  ",
                "2026-11-07T10:00:00",
                "2026-13-01T00:00:00Z",
            ],
        ),
        (moments.timezone, ["", "UTC+1", "europe/paris", "../etc/passwd", "Europe"]),
    ],
)
def test_any_other_form_is_refused_with_the_right_one(
    parse: Callable[[str], object], texts: list[str]
) -> None:
    for text in texts:
        with pytest.raises(values.BadValueError) as caught:
            parse(text)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("parse", "text", "told"),
    [
        (values.share, "0.1", "did you mean 10%?"),
        (values.share, "0,125", "did you mean 12.5%?"),
        (values.share, "10", "did you mean 10%?"),
        (values.share, "95", "as in 10%"),
        (values.money, "1€", "did you mean 1.00 EUR?"),
        (values.money, "EUR 1,5", "did you mean 1.50 EUR?"),
        (values.money, "12 chf", "did you mean 12.00 CHF?"),
        (values.money, "1.00", "as in 1.00 EUR"),
        (moments.local_date, "2026-11-31", "November 2026 has 30 days"),
        (moments.local_date, "01/11/2026", "did you mean 2026-11-01?"),
        (moments.local_date, "2026-1-5", "did you mean 2026-01-05?"),
        (moments.local_date, "11/25/2026", "months are 01 to 12"),
        (moments.weekdays, "lun-sam", "did you mean mon-sat?"),
        (moments.weekdays, "Vendredi", "did you mean fri?"),
        (moments.weekdays, "monday", "did you mean mon?"),
    ],
)
def test_a_usual_other_form_is_answered_with_what_was_probably_meant(
    parse: Callable[[str], object], text: str, told: str
) -> None:
    with pytest.raises(values.BadValueError) as caught:
        parse(text)
    assert told in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        *("NO", "no", "On", "y", "yes", "TRUE", "null", "~", "", "22:00", "12:30:00", "0123", "01000"),
        *("+33612345678", "1_000", "0x1F", "0o17", "1e3", "1.5", ".5", ".inf", "-.NaN", "2026-11-01"),
        *("2026-11-01 10:00", "="),
    ],
)
def test_what_older_yaml_reads_as_something_else_is_ambiguous(text: str) -> None:
    assert values.is_ambiguous(text)


@pytest.mark.parametrize(
    "text", ["Norway", "noon", "22:00-23:00", "3d", "1.00 EUR", "10%", "a1", "sat 10:00", "1.2.3"]
)
def test_what_every_yaml_reads_as_a_text_is_not_ambiguous(text: str) -> None:
    assert not values.is_ambiguous(text)


@given(st.text(max_size=30))
def test_every_parser_answers_or_refuses_any_text(text: str) -> None:
    parsers: list[Callable[[str], object]] = [
        ANY_DURATION,
        values.distance_m,
        values.share,
        values.money,
        values.rate,
        values.integer(0, 9),
        values.words(10),
        moments.local_date,
        moments.hours,
        moments.weekdays,
        moments.moment,
        moments.timezone,
    ]
    for parse in parsers:
        try:
            parse(text)
        except values.BadValueError as refused:
            refusal = refused
            assert str(refusal)


@given(st.integers(0, 999_999), st.sampled_from("smhdw"))
def test_a_duration_is_its_number_of_units(count: int, unit: str) -> None:
    assert ANY_DURATION(f"{count}{unit}") == count * ANY_DURATION(f"1{unit}")
