"""`m2s.toml`, variables and the database that they name: what is wrong is told in one line that says where."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from m2s.core.base.errors import Invalid
from m2s.entry.cli.configuration import load_settings
from tests.entry.cli.conftest import Shell

READERS = ("stores list", "stores check", "campaigns list", "keys list", "report visits")
WRITERS = ("db upgrade", "campaigns pause welcome", "keys create --role sdk", "serve --port 0")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 8080", "m2s.toml: prot: there is no such setting; did you mean port?"),
        ("[channels]\npuhs = 'x'", "m2s.toml: channels.puhs: there is no such setting; did you mean push?"),
        ("[channels.webhook]\nurl = 'x'", "m2s.toml: channels.webhook.secret: it is missing"),
        (
            "[delivery]\ncalls_at_one = 1",
            "m2s.toml: delivery.calls_at_one: there is no such setting; did you mean calls_at_once?",
        ),
        ("[delivery]\ncalls_at_once = 9", "m2s.toml: delivery.calls_at_once: write 8 or less"),
        (
            "[delivery.rate_per_s]\nsmss = 1",
            "m2s.toml: delivery.rate_per_s.smss: there is no such setting; did you mean sms?",
        ),
        ("[delivery.rate_per_s]\nsms = 0", "m2s.toml: delivery.rate_per_s.sms: write more than 0"),
        ("port = true", "m2s.toml: port: true and false are no numbers"),
        ("universal_holdout = false", "m2s.toml: universal_holdout: true and false are no numbers"),
        ("port = 'http'", "m2s.toml: port: write a whole number, such as 8000"),
        ("port = 70000", "m2s.toml: port: write 65535 or less"),
        ("host = 3", "m2s.toml: host: write a text in quotes"),
        ("pressure = '1 per 1d'", "m2s.toml: pressure: write a list of texts"),
        ("pressure = ['one']", 'm2s.toml: pressure: "one" is not a rate (a count per window'),
        (
            "timezone = 'Europe/Pari'",
            "m2s.toml: timezone: 'Europe/Pari' is not a time zone; did you mean Europe/Paris?",
        ),
        ("timezone = ''", "m2s.toml: timezone: '' is not a time zone; write an IANA name"),
        (
            "send_law = 'fr-strikt'",
            "m2s.toml: send_law: 'fr-strikt' is not a send law; did you mean fr-strict?",
        ),
        (
            "[channels]\nsms = 'ovh'\n[channels.ovh]\nsender = '0612345678'",
            "m2s.toml: channels: ovh: sender: 0612345678 is a number for calls between people",
        ),
        (
            "send_law = 'us-tcpa'\n[channels]\nsms = 'ovh'\n[channels.ovh]\nsender = 'Le Fournil'",
            "m2s.toml: channels: ovh: sender: 'Le Fournil' is a name: us-tcpa asks for a number",
        ),
        (
            "stop_number = '38123'",
            "m2s.toml: channels: stop_number: STOP goes to 38123, which is no number for",
        ),
        ("port = ", "m2s.toml is not TOML: "),
        ("host = '\udcff'", "m2s.toml is not TOML: "),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_with_its_file(shell: Shell, text: str, told: str) -> None:
    Path("m2s.toml").write_text(text, encoding="utf-8", errors="surrogateescape")
    error = shell.run("stores", "list", code=1).stderr
    assert error.startswith(f"m2s: {told}")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("M2S_PORT", "M2S_PORT: write a whole number"),
        ("M2S_CHANNELS__PUHS", "M2S_CHANNELS__PUHS: there is no such setting; did you mean push?"),
        ("M2S_PRESSURE", "M2S_PRESSURE is not JSON"),
    ],
)
def test_a_wrong_variable_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, variable: str, told: str
) -> None:
    monkeypatch.setenv(variable, "x")
    assert shell.run("stores", "list", code=1).stderr.startswith(f"m2s: {told}")


def test_variables_that_set_nothing_are_warned_of(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2S_PROT", "8080")
    monkeypatch.setenv("M2S_STOP_NUMBER", "36111")
    code, out, err = shop.process("stores", "list")
    assert (code, "Example Bakery" in out) == (0, True)
    (warning,) = err.splitlines()
    assert "M2S_PROT; did you mean M2S_PORT?" in warning


def test_a_relative_path_counts_from_the_folder_of_its_file(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.folder / "shop").mkdir()
    file = Path("shop/m2s.toml")
    for text in ("database_url = 'sqlite:///m2s.sqlite3'", ""):
        file.write_text(text)
        assert load_settings(file).database_url == "sqlite:///shop/m2s.sqlite3"
        assert load_settings(file.absolute()).database_url == f"sqlite:///{shell.folder}/shop/m2s.sqlite3"
    file.write_text("database_url = 'sqlite:////var/m2s.sqlite3'")
    assert load_settings(file).database_url == "sqlite:////var/m2s.sqlite3"
    monkeypatch.setenv("m2s_database_url", "sqlite:///here.sqlite3")
    assert load_settings(file).database_url == "sqlite:///here.sqlite3"


@pytest.mark.usefixtures("shell")
def test_an_option_is_named_like_it_is_typed() -> None:
    with pytest.raises(Invalid, match=r"^--port: write 65535 or less$"):
        load_settings(port=70_000)


def test_a_database_that_is_not_there_is_named_whole(shell: Shell) -> None:
    told = shell.run("stores", "list", code=1).stderr
    assert f"{shell.folder}/m2s.sqlite3 does not exist yet: is this the right folder?" in told
    assert "`m2s db upgrade`" in told


@pytest.mark.parametrize("words", [*READERS, *WRITERS, "init"])
def test_a_file_that_is_no_database_is_told_in_one_line(shell: Shell, words: str) -> None:
    Path("m2s.sqlite3").write_text("nothing like it " * 1_000)
    told = shell.run(*words.split(), code=1).stderr
    assert told == (
        f"m2s: the database {shell.folder}/m2s.sqlite3 is not an SQLite database:"
        " check database_url, or put a backup in its place\n"
    )


@pytest.mark.parametrize("words", READERS)
def test_a_damaged_database_is_told_in_one_line(shop: Shell, words: str) -> None:
    with closing(sqlite3.connect("m2s.sqlite3")) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = Path("m2s.sqlite3").stat().st_size
    with Path("m2s.sqlite3").open("r+b") as file:
        file.seek(8192)
        file.write(b"\x55" * (size - 8192))
    told = shop.run(*words.split(), code=1).stderr
    assert told == f"m2s: the database {shop.folder}/m2s.sqlite3 is damaged: put a backup in its place\n"


@pytest.mark.parametrize("words", ["db upgrade", "stores import stores.geojson"])
def test_a_lock_that_cannot_be_written_is_told_in_one_line(shop: Shell, words: str) -> None:
    lock = Path("m2s.sqlite3.lock")
    lock.unlink()
    lock.mkdir()
    told = shop.run(*words.split(), code=1).stderr
    assert told.startswith("m2s: m2s.sqlite3.lock cannot be written: is a directory;")
    assert len(told.splitlines()) == 1


def test_what_init_cannot_write_is_told_in_one_line(shell: Shell) -> None:
    Path("campaigns").write_text("mine")
    told = shell.run("init", code=1).stderr
    assert told == "m2s: campaigns cannot be written: file exists\n"


def test_a_stop_number_may_be_any_where_the_law_names_none_or_the_sender_can_be_answered(
    tmp_path: Path,
) -> None:
    file = tmp_path / "m2s.toml"
    for text in (
        "stop_number = '40404'\nsend_law = 'us-tcpa'",
        "stop_number = '+33937001234'\n[channels]\nsms = 'ovh'\n[channels.ovh]\nsender = '+33937001234'",
    ):
        file.write_text(text, encoding="utf-8")
        assert load_settings(file).stop_number in text
