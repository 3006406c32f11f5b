"""Is what the documents say true of the code? Names, paths and commands are checked against it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from m2s.adapters.runtime.metrics import Metrics
from m2s.settings import Settings
from tests.data import ROOT
from tests.house.documents import claimed_names, claimed_paths, commands, documents, name_exists, path_exists

DOCUMENTS = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in documents()]


def test_the_documents_a_reader_starts_with_exist() -> None:
    assert {ROOT / "README.md", ROOT / "docs/architecture.md"} <= set(documents())


def test_the_architecture_names_parts_of_the_house() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert len(claimed_paths(text)) + len(claimed_names(text)) >= 10


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_a_document_exists(document: Path) -> None:
    claims = claimed_paths(document.read_text(encoding="utf-8"))
    assert [claim for claim in claims if not path_exists(claim)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_name_in_a_document_exists(document: Path) -> None:
    claims = claimed_names(document.read_text(encoding="utf-8"))
    assert [claim for claim in claims if not name_exists(claim)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    calls = commands(document.read_text(encoding="utf-8"), "make")
    named = [word for call in calls for word in call[1:] if re.fullmatch(r"[a-z][a-z-]*", word)]
    assert [word for word in named if word not in targets] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_a_document_exists(document: Path) -> None:
    calls = commands(document.read_text(encoding="utf-8"), "m2s")
    assert [problem for call in calls for problem in unknown_words(call)] == []


def test_operators_are_told_of_every_setting_and_metric() -> None:
    told = (ROOT / "docs/operators.md").read_text(encoding="utf-8")
    template = (ROOT / "m2s/entry/cli/templates/m2s.toml").read_text(encoding="utf-8")
    settings = [name for name in Settings.model_fields if name != "channels"]
    assert [name for name in settings if f"`{name}`" not in told] == []
    assert [name for name in settings if not re.search(rf"^(# )?{name} = ", template, re.MULTILINE)] == []
    metrics = re.findall(r"^# TYPE (\S+)", Metrics().render().decode(), re.MULTILINE)
    assert len(metrics) > 10
    assert [name for name in metrics if f"`{name}`" not in told and not name.endswith("_created")] == []


def test_a_wrong_command_is_caught() -> None:
    assert unknown_words(["m2s", "stores", "improt", "shops.geojson"])
    assert unknown_words(["m2s", "demo", "--fro", "60s"])
    assert not unknown_words(["m2s", "stores", "import", "shops.geojson"])


def test_a_wrong_name_is_caught() -> None:
    assert name_exists("tests.house.documents.name_exists")
    assert not name_exists("tests.house.documents.no_such_name")
    assert path_exists("tests/house/{documents,test_documents}.py")
    assert not path_exists("tests/house/{documents,no_such_file}.py")


def unknown_words(call: list[str]) -> list[str]:
    """Return what a documented call of m2s says that the command line does not know."""
    from m2s.entry.cli.main import app

    alternatives: list[list[str]] = [[]]
    for word in call[1:]:
        choices = word.split("|") if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word) else [word]
        alternatives = [[*words, choice] for words in alternatives for choice in choices]
    return [problem for words in alternatives for problem in _unknown(typer.main.get_command(app), words)]


def _unknown(command: Any, words: list[str]) -> list[str]:
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    problems: list[str] = []
    for index, word in enumerate(words):
        if word.startswith("--"):
            if word.split("=")[0] not in known:
                problems.append(f"{command.name}: no option {word}")
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return [*problems, f"{command.name}: no command {word}"]
            return problems + _unknown(command.commands[word], words[index + 1 :])
    return problems
