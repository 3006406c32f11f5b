"""`m2s purchases import` and `m2s customers import`: what is told of each line, alone and beside a server."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from m2s.adapters.storage.engine import driver
from tests.entry.cli.conftest import Running, Shell

HEAD = "purchase_id,store_id,at,amount,discount,currency,customer_id\n"


def line(number: int, store_id: str = "example-bakery") -> str:
    return f"b{number},{store_id},2026-11-01T10:00:00+01:00,12.50,0,EUR,c{number % 7}\n"


def count(table: str) -> int:
    with closing(driver().connect("m2s.sqlite3")) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def test_bad_lines_are_told_by_number_and_the_others_are_taken(shop: Shell) -> None:
    Path("b.csv").write_text(HEAD + line(1) + line(2, "nowhere") + '"b3,\n' + line(4))
    result = shop.run("purchases", "import", "b.csv", code=1)
    assert result.stdout == "2 baskets taken, 2 lines not taken\n"
    told = [text for text in result.stderr.splitlines() if text.startswith("b.csv:")]
    assert told == [
        "b.csv:3: store_id: there is no such store",
        "b.csv:4: this is not CSV: unexpected end of data",
    ]
    assert count("purchases") == 2


def test_a_file_that_comes_again_changes_nothing(shop: Shell) -> None:
    Path("b.csv").write_text(HEAD + "".join(map(line, range(1_203))))
    assert shop.run("purchases", "import", "b.csv").stdout == "1203 baskets taken\n"
    assert shop.run("purchases", "import", "b.csv").stdout == "0 baskets taken, 1203 there already\n"
    assert (count("purchases"), count("shoppers")) == (1_203, 7)


def test_progress_is_told_and_json_is_for_programs(shop: Shell) -> None:
    Path("b.csv").write_text(HEAD + "".join(map(line, range(1_000))) + line(7, "nowhere"))
    result = shop.run("purchases", "import", "b.csv", "--json", code=1)
    assert json.loads(result.stdout) == {
        "accepted": 1_000,
        "duplicates": 0,
        "rejected": 1,
        "left_out": 0,
        "problems": [{"line": 1_002, "detail": "store_id: there is no such store", "taken": False}],
    }
    assert "100%  1,000 baskets taken" in result.stderr


def test_the_base_is_taken_with_its_consents(shop: Shell) -> None:
    Path("c.csv").write_text(
        "customer_id,phone,since,sms_consent,sms_consent_at,sms_consent_source,sms_consent_text_version\n"
        "c1,06 12 34 56 78,2020-01-01,yes,2024-05-01,paper form,v3\n"
        "c2,06 12 34 56 78,2020-01-01,,,,\n"
        ",,2020-01-01,,,,\n"
        "c3,12,2020-01-01,,,,\n"
    )
    result = shop.run("customers", "import", "c.csv", code=1)
    assert result.stdout == "2 customers taken, 2 lines not taken\n"
    told = [text for text in result.stderr.splitlines() if text.startswith("c.csv:")]
    assert [text.split(": ")[0] for text in told] == ["c.csv:3", "c.csv:4", "c.csv:5"]
    assert told[0].endswith("phone: this is another customer's; the rest was taken without it")
    assert (count("customers"), count("consents")) == (2, 1)
    shop.run("customers", "import", "c.csv", "--country", "BE", code=1)
    assert count("pivots WHERE kind = 'phone'") == 2, "the same number, but of another country"
    shop.run("customers", "import", "c.csv", "--country", "Belgium", code=2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"purchase_id,store_id\n", "m2s: b.csv: the header is not right; nothing was imported"),
        (HEAD.encode() + line(1).encode() + b"\xff\n", "m2s: b.csv is not UTF-8 after line "),
        (b"", "m2s: b.csv: the header is not right"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(shop: Shell, content: bytes, told: str) -> None:
    Path("b.csv").write_bytes(content)
    assert shop.run("purchases", "import", "b.csv", code=1).stderr.startswith(told)


def test_beside_a_server_the_server_does_it(shop: Shell, running: Running) -> None:
    Path("b.csv").write_text(HEAD + "".join(map(line, range(1_100))))
    assert shop.run("purchases", "import", "b.csv").stdout == "1100 baskets taken\n"
    assert running.process.poll() is None
    assert (count("purchases"), count("shoppers")) == (1_100, 7)
