"""Is every mistake in a campaign file told with its place, all of them at once, whatever the text is?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import campaigns
from campaigns.identity import version_of
from campaigns.problems import CampaignProblems, Problem
from campaigns.reader import read_campaign
from tests.campaigns.mistakes import GOOD, MISTAKES, changed, marked

EXAMPLES = sorted((Path(campaigns.__file__).parent / "examples").glob("*.yaml"))


@dataclass(frozen=True)
class Outline:
    id: str
    brand: str
    tags: frozenset[str]
    zone_ids: frozenset[str]
    places: frozenset[str]
    name: str = "Le Fournil"
    address: str | None = None
    phone: str | None = None
    latitude: float = 48.85
    longitude: float = 2.35


STORES = [
    Outline(
        "paris-1", "Nord", frozenset({"bakery"}), frozenset({"premises", "vicinity"}), frozenset({"till"})
    ),
    Outline("paris-2", "Sud", frozenset({"shoes"}), frozenset({"premises", "street"}), frozenset({"shoes"})),
]


LAUGHS = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghij")
)
"""A billion laughs: each line is nine times the one before."""


def problems_of(text: str | bytes, stores: list[Outline] | None = None) -> list[Problem]:
    with pytest.raises(CampaignProblems) as caught:
        read_campaign(text, "c.yaml", stores=stores)
    return caught.value.problems


def test_the_text_that_these_tests_spoil_is_good() -> None:
    assert read_campaign(GOOD, stores=STORES).id == "good"


@pytest.mark.parametrize(("old", "new", "code"), MISTAKES)
def test_a_mistake_is_told_where_it_stands(old: str, new: str, code: str) -> None:
    text, line, column = marked(changed(old, new))
    assert (line, column, code) in [(found.line, found.column, found.code) for found in problems_of(text)]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", (1, 1, "empty")),
        ("# only a comment\n", (1, 1, "empty")),
        ("just words", (1, 1, "wrong_type")),
        (GOOD + "name: Again\n", (17, 1, "duplicate_key")),
        (GOOD + "---\ncampaign: other\n", (17, 1, "documents")),
        (GOOD.replace("stores: {tags", "stores: &all {tags"), (6, 9, "anchor")),
        (GOOD.replace("name: Good", "name: *all"), (2, 7, "alias")),
        (GOOD.replace("name: Good", "name: !!str Good"), (2, 7, "tag")),
        (GOOD + "<<: {a: b}\n", (17, 1, "merge_key")),
        (GOOD.replace("    channels", "\tchannels"), (12, 1, "tab")),
        ("%YAML 1.1\n---\n" + GOOD, (1, 1, "directive")),
        ("a: b: c", (1, 5, "not_yaml")),
        ("a: [1, 2", (1, 9, "not_yaml")),
        ('a: "\\UFFFFFFFF"', (1, 1, "not_yaml")),
        ("a: b\x07", (1, 5, "character")),
        ("name: \udc80", (1, 7, "character")),
        ("a: " + "[" * 50_000, (1, 23, "too_deep")),
        ("a: " + "[" * 5_000 + "]" * 5_000, (1, 23, "too_deep")),
        ("{a: " * 5_000 + "b" + "}" * 5_000, (1, 81, "too_deep")),
        ("- " * 5_000 + "a", (1, 41, "too_deep")),
        ("? " * 5_000 + "a", (1, 41, "too_deep")),
        ("&a [*a]", (1, 1, "anchor")),
        (LAUGHS, (1, 4, "anchor")),
        ("a: [" + "1, " * 3_000 + "]", (1, 5996, "too_many_nodes")),
        ("a: " + "x" * (256 * 1024), (1, 1, "too_large")),
        (b"campaign: good\nname: caf\xe9\n", (2, 10, "not_utf8")),
    ],
)
def test_a_text_that_is_not_a_plain_yaml_mapping_is_refused_where_it_stops_being_one(
    text: str | bytes, where: tuple[int, int, str]
) -> None:
    assert where in [(problem.line, problem.column, problem.code) for problem in problems_of(text)]


PUSH = '      push: {title: {fr: "{value}, {expires}"}, body: {fr: "Code {code}"}}\n'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\nname:", "\n ¦name:", '"name" begins in column 2, but "campaign" in line 1 in column 1'),
        (
            "    channels",
            "     ¦channels",
            '"channels" begins in column 6, but "when" in line 11 in column 5',
        ),
        ("    channels", "   ¦channels", '"channels" begins in column 4, but "offer" in line 9 in column 5'),
        ("      sms", "     ¦sms", '"sms" begins in column 6, but "push" in line 15 in column 7'),
        (
            "offers:",
            "offers:\n    - offer: two\n      priority: 1\n   ¦- offer: three",
            '"- offer" begins in column 4, but "- offer" in line 9 in column 5',
        ),
        ("  - offer", "  ¦-offer", "there is no space after the -"),
        ('{fr: "{value}, {expires}"}', "{fr: 'L¦'offre'}", "this ' ends the text that begins in column 26"),
        ("name: Good", 'name: "The ¦"good" one"', 'this " ends the text that begins in column 7'),
        ("name: Good", 'name: ¦"Good', 'the " that opens here is not closed where its text ends'),
        ("name: Good", "name: ¦'Good", "the ' that opens here is never closed"),
        (
            '{fr: "{value}, {expires}"}',
            '{fr: ¦"Salut}',
            'the " that opens here is not closed where its text ends',
        ),
        (PUSH, PUSH + "      # it's\n       ¦webhook: {fr: a}\n", '"webhook" begins in column 8'),
        (PUSH, "      webhook:\n        fr: |\n          'Tis\n        en: ¦'Good\n", "never closed"),
    ],
)
def test_a_usual_slip_is_told_where_it_was_made(old: str, new: str, told: str) -> None:
    text, line, column = marked(changed(old, new))
    (problem,) = problems_of(text)
    assert (problem.line, problem.column, problem.code) == (line, column, "not_yaml")
    assert told in problem.detail


def test_texts_beside_body_are_sent_there() -> None:
    text, line, column = marked(changed(PUSH, '      push: {¦fr: "Code {code}"}\n'))
    (problem,) = problems_of(text)
    assert (problem.line, problem.column) == (line, column)
    assert problem.hint == "put the texts under body, as in push: {body: {fr: …}}"


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines() -> None:
    text = GOOD.replace("name: Good", "name: NO").replace("10%", "ten").replace("2d", "2 days")
    assert [(problem.line, problem.code) for problem in problems_of(text)] == [
        (2, "ambiguous"),
        (7, "bad_value"),
        (13, "bad_value"),
    ]


def test_a_missing_key_is_told_at_the_mapping_that_needs_it() -> None:
    text = GOOD.replace("    channels: [push, sms]\n", "").replace("campaign: good\n", "")
    assert [(problem.line, problem.detail) for problem in problems_of(text)] == [
        (1, "a campaign needs campaign:"),
        (8, "an offer needs channels:"),
    ]


def test_two_offers_of_one_name_are_refused_at_the_second() -> None:
    second = GOOD[GOOD.index("  - offer: one") :]
    assert [(problem.line, problem.code) for problem in problems_of(GOOD + second)] == [
        (17, "duplicate_offer")
    ]


def test_a_key_that_is_nearly_right_is_suggested() -> None:
    (problem,) = problems_of(changed("    channels:", "    fresch: 5m\n    channels:"))
    assert str(problem).startswith(
        'c.yaml:12:5: "fresch" is not a key of an offer (did you mean fresh? allowed: '
    )


def test_an_excerpt_shows_the_line_with_a_caret_under_the_mistake() -> None:
    (problem,) = problems_of(changed("holdout: 10%", "holdout: 0.1"))
    assert problem.excerpt() == "7 | holdout: 0.1\n  |          ^"


def test_an_excerpt_of_a_long_line_stays_short_and_printable() -> None:
    (problem,) = problems_of("a" * 5_000 + ": \x1b[31m")
    assert problem.column == 5_003
    line, caret = problem.excerpt().splitlines()
    assert line.isprintable()
    assert line[caret.index("^")] == " "
    assert len(line) <= 110


def test_names_that_no_store_has_are_told_with_the_nearest_that_exists() -> None:
    text = changed("{tags: [bakery]}", "{tags: [backery, bakery], ids: [paris-3], brands: [Nord, Est]}")
    line = text.splitlines()[5]
    assert [(p.line, p.column, p.code, p.hint) for p in problems_of(text, STORES)] == [
        (6, line.index("backery") + 1, "unknown_tag", "did you mean bakery?"),
        (6, line.index("paris-3") + 1, "unknown_store", "did you mean paris-2?"),
        (6, line.index("Est") + 1, "unknown_brand", "known: Nord, Sud"),
    ]


def test_a_zone_must_exist_at_a_store_of_the_campaign() -> None:
    (problem,) = problems_of(changed("near: vicinity", "near: street"), STORES)
    assert (problem.line, problem.column, problem.code) == (10, 21, "unknown_zone")
    assert read_campaign(changed("near: vicinity", "near: street")).offers


def test_a_beacon_place_must_exist_at_a_store_of_the_campaign() -> None:
    text = changed("{near: vicinity}", "{beacon: {place: shoes, proximity: near, for: 20s}}")
    (problem,) = problems_of(text, STORES)
    assert (problem.line, problem.column, problem.code) == (10, 31, "unknown_place")


def test_an_area_in_which_no_store_lies_is_told() -> None:
    square = "[[[48, 2], [49, 2], [49, 3], [48, 3], [48, 2]]]"
    text = changed("{tags: [bakery]}", f"{{area: {{type: Polygon, coordinates: {square}}}}}")
    (problem,) = problems_of(text, STORES)
    assert (problem.line, problem.column, problem.code) == (6, 9, "empty_area")
    assert problem.hint == "GeoJSON positions are longitude first"
    right = "[[[2, 48], [3, 48], [3, 49], [2, 49], [2, 48]]]"
    assert read_campaign(text.replace(square, right), stores=STORES).stores.matches(STORES[1])


def test_without_any_store_there_is_one_problem_not_many() -> None:
    assert [problem.code for problem in problems_of(GOOD, [])] == ["no_stores"]


def read_or_refuse(text: str | bytes) -> None:
    problems: list[Problem] | None = None
    try:
        assert version_of(read_campaign(text, stores=STORES))
    except CampaignProblems as refused:
        problems = refused.problems
    if problems is not None:
        assert problems
        assert all(problem.line >= 1 and problem.column >= 1 and problem.excerpt() for problem in problems)


@given(st.text(st.one_of(st.sampled_from(" \t\n:-[]{}&*!|>'\"%@,?#\\~<=a1"), st.characters()), max_size=200))
@example('"\\UFFFFFFFF"')
@example("%YAML 1.3\n---\na")
@example("? - a\n: b")
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    read_or_refuse(text)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_damaged_campaign_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    patch = data.draw(
        st.sampled_from(["", "\n", "{", "]", '"', "&a ", "*a", "- ", ": ", "NO", "1e999", "🥐", "\t"])
    )
    read_or_refuse(text[:start] + patch + text[end:])


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_value_in_place_of_another_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    key, colon, _ = lines[number].partition(":")
    value = data.draw(
        st.sampled_from(
            ["[]", "{}", "~", "[[a]]", "{a: {b: c}}", "''", "9" * 5000, "-0", "99999999w", "9999-12-31"]
        )
    )
    lines[number] = f"{key}{colon} {value}"
    read_or_refuse("\n".join(lines))
