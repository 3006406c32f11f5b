"""Does each line of a till's or the base's file say what it says, and a bad one only that it is bad?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.adapters.importers.customers_csv import read_customers
from m2s.adapters.importers.purchases_csv import read_purchases
from m2s.adapters.importers.rows_csv import Line
from m2s.app.inputs import Basket, Pivots, Statement
from m2s.app.rows import ConsentRow
from m2s.core.base.errors import Invalid

HEAD = "purchase_id,store_id,at,amount,discount,currency,customer_id,phone,coupon_code\n"
GOOD = "1,port,2026-11-02T18:30:00+01:00,12.50,1,EUR,c1,06 12 34 56 78,ABC\n"
CONSENTS = ("sms_consent", "sms_consent_at", "sms_consent_source", "sms_consent_text_version")


def test_a_line_is_a_basket() -> None:
    (line,) = read_purchases([HEAD, GOOD])
    assert line == Line(
        2,
        Basket(
            "1",
            "port",
            datetime(2026, 11, 2, 17, 30, tzinfo=UTC),
            Decimal("12.50"),
            Decimal(1),
            "EUR",
            Pivots(customer_id="c1", phone="06 12 34 56 78"),
            coupon_code="ABC",
        ),
    )


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_decimal_comma_are_read(separator: str) -> None:
    lines = [HEAD.replace(",", separator), GOOD.replace(",", separator).replace("12.50", "12,5")]
    (line,) = read_purchases(lines)
    assert line.row.amount == Decimal("12.5")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("+01:00", ""), "at: write a time with its offset"),
        (("2026-11-02T18:30:00+01:00", ""), "at: the cell is empty"),
        (("12.50", ""), "amount: the cell is empty"),
        (("12.50", "-12.50"), "amount: write an amount"),
        (("12.50", "12.505"), "amount: write an amount"),
        (("12.50", "1e3"), "amount: write an amount"),
        (("12.50", "١٢"), "amount: write an amount"),
        (("EUR", "euro"), "currency: write three capital letters"),
        (("1,port", ",port"), "purchase_id: the cell is empty"),
        (("1,port", "x" * 65 + ",port"), "purchase_id: write 1 to 64"),
        (("ABC", "A\x07BC"), "coupon_code: write 1 to 64"),
        ((",ABC", ""), "8 cells where the header has 9"),
        (("1,port", '"1,port'), "this is not CSV"),
        (("ABC", "A" * 20_000), "the line has more than"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_costs_itself_only(change: tuple[str, str], told: str) -> None:
    bad = GOOD.replace(*change, 1)
    assert bad != GOOD
    first, second, third = read_purchases([HEAD, GOOD, "\n", bad, GOOD])
    assert (first.problem, third.problem, second.row) == (None, None, None)
    assert second.number == 4
    assert second.problem is not None
    assert second.problem.detail.startswith(told)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            HEAD.replace("currency", "curency"),
            ["'currency' is missing", "(did you mean 'currency'?)"],
        ),
        (HEAD.replace("phone", "at"), ["'at' is there twice"]),
        ("", ["'purchase_id' is missing"]),
    ],
)
def test_a_header_that_is_not_right_is_refused_whole(header: str, told: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        list(read_purchases([header, GOOD] if header else []))
    details = [problem.detail for problem in caught.value.problems]
    assert all(any(part in detail for detail in details) for part in told)


def test_a_header_that_is_no_csv_is_refused_whole() -> None:
    with pytest.raises(Invalid, match="line 1: this is not CSV"):
        list(read_purchases(['purchase_id,"store_id', GOOD]))


def statement(**cells: str) -> Statement | str:
    names = ("customer_id", *cells)
    (line,) = read_customers([",".join(names) + "\n", ",".join(("c1", *cells.values())) + "\n"])
    if line.problem is not None:
        return line.problem.detail
    (found,) = line.row.statements
    assert isinstance(found, Statement)
    return found


def sms(*values: str) -> dict[str, str]:
    return dict(zip(CONSENTS, values, strict=True))


def test_a_grant_of_a_day_counts_from_its_beginning_and_a_withdrawal_until_its_end() -> None:
    yes = statement(**sms("yes", "2024-05-01", "paper form", "v3"))
    no = statement(**sms("no", "2024-05-01", "phone", ""))
    assert yes == Statement(
        ConsentRow("marketing", "sms", True, "v3", datetime(2024, 5, 1, tzinfo=UTC)), "paper form"
    )
    assert isinstance(no, Statement)
    assert no.consent.at == datetime(2024, 5, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    assert (no.consent.granted, no.consent.text_version) == (False, "withdrawn")


def test_location_has_no_channel() -> None:
    found = statement(
        location_consent="yes",
        location_consent_at="2024-05-01T10:00:00+02:00",
        location_consent_source="app",
        location_consent_text_version="v1",
    )
    assert isinstance(found, Statement)
    assert (found.consent.purpose, found.consent.channel) == ("location", None)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("maybe", "2024-05-01", "paper", "v3"), "sms_consent: write yes or no"),
        (("", "2024-05-01", "paper", "v3"), "sms_consent: write yes or no"),
        (("yes", "", "paper", "v3"), "sms_consent_at: the cell is empty"),
        (("yes", "2024-05-01", "", "v3"), "sms_consent_source: the cell is empty"),
        (("yes", "2024-05-01", "paper", ""), "sms_consent_text_version: the cell is empty"),
        (("yes", "01/05/2024", "paper", "v3"), "sms_consent_at: write a time"),
    ],
)
def test_a_consent_without_date_source_or_text_is_none(values: tuple[str, ...], told: str) -> None:
    found = statement(**sms(*values))
    assert isinstance(found, str)
    assert found.startswith(told)


@given(lines=st.lists(st.text(max_size=60), max_size=6))
@pytest.mark.parametrize("read", [read_purchases, read_customers])
def test_whatever_stands_there_each_line_has_a_verdict(
    read: Callable[[Iterable[str]], Iterator[Line]], lines: list[str]
) -> None:
    head = HEAD if read is read_purchases else "customer_id,since,sms_consent,sms_consent_at\n"
    found: list[Any] = list(read([head, *lines]))
    assert [one.number for one in found] == [place for place, line in enumerate(lines, 2) if line.strip()]
    assert all((one.row is None) != (one.problem is None) for one in found)
