"""`m2s campaigns`: checked offline, applied together or not at all, paused, resumed, stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from campaigns.schema import campaign_schema
from tests.entry.cli.conftest import Shell

WELCOME = "campaigns/welcome.yaml"


@pytest.fixture
def second(shop: Shell) -> str:
    """Another valid campaign file."""
    text = (shop.folder / WELCOME).read_text(encoding="utf-8").replace("campaign: welcome", "campaign: hello")
    Path("hello.yaml").write_text(text, encoding="utf-8")
    return "hello.yaml"


def broken(text: str, replacement: str) -> str:
    """A campaign file like the example, with `text` replaced."""
    original = Path(WELCOME).read_text(encoding="utf-8")
    assert text in original
    Path("broken.yaml").write_text(original.replace(text, replacement), encoding="utf-8")
    return "broken.yaml"


def test_a_problem_is_shown_at_its_place_with_a_caret(shop: Shell) -> None:
    file = broken("valid_for: 30m", "valid_for: soon")
    result = shop.run("campaigns", "validate", WELCOME, file, code=1)
    assert f"{WELCOME}: valid (campaign welcome, 1 offer)" in result.stdout
    place, excerpt, caret, count = result.stderr.splitlines()
    number, column = place.split(":")[1:3]
    line = Path(file).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert excerpt == f"{number} | {line}"
    assert caret.index("^") - excerpt.index(line) == int(column) - 1 == line.index("soon")
    assert count == "1 problem"


def test_without_a_database_names_are_not_checked_and_that_is_said(shop: Shell) -> None:
    file = broken("{all: true}", "{ids: [nowhere]}")
    assert "nowhere" in shop.run("campaigns", "validate", file, code=1).stderr
    Path("m2s.sqlite3").unlink()
    for options in ((), ("--json",)):
        result = shop.run("campaigns", "validate", file, *options)
        assert f"no database {shop.folder}/m2s.sqlite3" in result.stderr
        assert "zones and places exist was NOT checked" in result.stderr
        assert "database" not in result.stdout
    assert not Path("m2s.sqlite3").exists()


@pytest.mark.parametrize("command", ["validate", "apply"])
def test_an_sms_is_held_against_the_law_that_the_settings_name(
    shop: Shell, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """\
campaign: spring
name: Spring
stores: {all: true}
offers:
  - offer: shoes
    trigger: {near: vicinity}
    channels: [sms]
    message: {sms: {en: "{brand}: open late on Thursday. Reply STOP"}}
"""
    Path("spring.yaml").write_text(text, encoding="utf-8")
    refused = shop.run("campaigns", command, "spring.yaml", code=1)
    assert "spring.yaml:8:25: a sender that is a name cannot be answered" in refused.stderr
    monkeypatch.setenv("M2S_SEND_LAW", "us-tcpa")
    shop.run("campaigns", command, "spring.yaml")


def test_problems_are_data_with_json(shop: Shell) -> None:
    file = broken("valid_for: 30m", "valid_for: soon")
    told = json.loads(shop.run("campaigns", "validate", WELCOME, file, "--json", code=1).stdout)
    assert told["valid"] == [{"file": WELCOME, "campaign_id": "welcome"}]
    assert [(problem["file"], problem["line"] > 1) for problem in told["problems"]] == [(file, True)]
    assert told["checked_against"] == "1 store of m2s.sqlite3"


def test_applying_says_what_became_of_each(shop: Shell, second: str) -> None:
    assert shop.run("campaigns", "apply", WELCOME, second).stdout == "welcome: unchanged\nhello: created\n"
    text = Path(second).read_text(encoding="utf-8").replace("valid_for: 30m", "valid_for: 45m")
    Path(second).write_text(text, encoding="utf-8")
    told = json.loads(shop.run("campaigns", "apply", second, "--json").stdout)
    assert told == {"campaigns": [{"campaign_id": "hello", "change": "changed", "state": "active"}]}


def test_one_bad_file_keeps_all_others_out(shop: Shell, second: str) -> None:
    file = broken("valid_for: 30m", "valid_for: soon")
    assert "nothing was applied" in shop.run("campaigns", "apply", second, file, code=1).stderr
    assert "hello" not in shop.run("campaigns", "list").stdout


def test_two_files_of_one_campaign_are_refused(shop: Shell, second: str) -> None:
    Path("copy.yaml").write_bytes(Path(second).read_bytes())
    assert "'hello'" in shop.run("campaigns", "apply", second, "copy.yaml", code=1).stderr
    assert "hello" not in shop.run("campaigns", "list").stdout


def test_a_paused_campaign_stays_paused_when_it_is_applied_again(shop: Shell) -> None:
    assert shop.run("campaigns", "pause", "welcome").stdout == "welcome: paused\n"
    text = Path(WELCOME).read_text(encoding="utf-8").replace("valid_for: 30m", "valid_for: 45m")
    Path(WELCOME).write_text(text, encoding="utf-8")
    assert shop.run("campaigns", "apply", WELCOME).stdout == "welcome: changed (paused)\n"
    assert shop.run("campaigns", "resume", "welcome").stdout == "welcome: active\n"


def test_a_stopped_campaign_comes_back_in_no_way(shop: Shell, second: str) -> None:
    assert shop.run("campaigns", "stop", "welcome").stdout == "welcome: stopped\n"
    shop.run("campaigns", "resume", "welcome", code=1)
    refused = shop.run("campaigns", "apply", second, WELCOME, code=1).stderr
    assert "stopped for good; give it another id after `campaign:`" in refused
    listed = json.loads(shop.run("campaigns", "list", "--json").stdout)
    (row,) = listed["campaigns"]
    assert (row["campaign_id"], row["state"], len(row["salt"])) == ("welcome", "stopped", 32)
    # No service ran here yet, which would have drawn it.
    assert listed["universal_salt"] is None


def test_a_campaign_that_does_not_exist_is_refused(shop: Shell) -> None:
    assert "'nowhere'" in shop.run("campaigns", "pause", "nowhere", code=1).stderr


def test_bytes_that_are_not_yaml_are_a_problem_and_not_a_crash(shop: Shell) -> None:
    Path("bytes.yaml").write_bytes(b"campaign: \xff\n")
    assert "0xFF" in shop.run("campaigns", "apply", "bytes.yaml", code=1).stderr


def test_the_schema_of_campaign_files_is_printed_without_any_database(shop: Shell) -> None:
    Path("m2s.sqlite3").unlink()
    printed = json.loads(shop.run("campaigns", "schema").stdout)
    assert printed == campaign_schema()
    assert "trigger" in printed["properties"]["offers"]["items"]["required"]
