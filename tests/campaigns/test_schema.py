"""Does the JSON Schema say what the reader says: of the examples, of what is read, and of mistakes of shape?"""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import campaigns
from campaigns.problems import CampaignProblems
from campaigns.reader import read_campaign
from campaigns.schema import DIALECT, campaign_schema
from tests.campaigns.as_json import as_json
from tests.campaigns.mistakes import GOOD, MISTAKES, changed, marked

EXAMPLES = sorted((Path(campaigns.__file__).parent / "examples").glob("*.yaml"))
SCHEMA = campaign_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)

SHAPES = {
    *("unknown_key", "missing_key", "missing_value", "wrong_type", "bad_value", "empty_list", "one_trigger"),
    *("no_stores", "unknown_language", "consent_needed", "bad_area", "empty_text"),
}
"""Codes of mistakes that one place shows by itself; the others depend on several, on meaning, or on older YAML."""
OF_MEANING = ("priority: ¦050", "[1, 0], [0, 0]]]", '¦"0 25 * * *"')
"""Mistakes of those codes that are none of shape: 050 is 50 in YAML 1.2; a bow tie, the hour 25."""
OF_SHAPE = [
    (old, new)
    for old, new, code in MISTAKES
    if code in SHAPES and not any(part in new for part in OF_MEANING)
]


def test_it_is_a_schema() -> None:
    assert SCHEMA["$schema"] == DIALECT
    jsonschema_rs.meta.validate(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits(path: Path) -> None:
    VALIDATOR.validate(as_json(path.read_text(encoding="utf-8")))


def test_the_good_file_fits() -> None:
    VALIDATOR.validate(as_json(GOOD))


@pytest.mark.parametrize(("old", "new"), OF_SHAPE, ids=str)
def test_every_mistake_of_shape_is_refused(old: str, new: str) -> None:
    text, _, _ = marked(changed(old, new))
    assert not VALIDATOR.is_valid(as_json(text))


VALUES = [
    "[]",
    "{}",
    "~",
    "{a: {b: c}}",
    "''",
    "-0",
    "9",
    "50",
    "1d",
    "2 per week",
    "[push, sms]",
    "{all: true}",
    "no",
]
LINES = [(path, number) for path in EXAMPLES for number in range(len(path.read_text("utf-8").splitlines()))]


@given(st.sampled_from(LINES), st.sampled_from([*VALUES, None]))
def test_what_the_reader_takes_fits(place: tuple[Path, int], value: str | None) -> None:
    path, number = place
    lines = path.read_text(encoding="utf-8").splitlines()
    key, colon, _ = lines[number].partition(":")
    lines[number : number + 1] = [] if value is None else [f"{key}{colon} {value}"]
    text = "\n".join(lines)
    try:
        read_campaign(text)
    except CampaignProblems:
        return
    VALIDATOR.validate(as_json(text))
