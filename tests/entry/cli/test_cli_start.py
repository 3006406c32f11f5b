"""The first minutes: help, `init`, and the example that it writes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.main import app
from m2s.settings import Settings
from tests.entry.cli.conftest import Shell

_SERVER = {"fastapi", "starlette", "uvicorn"}
_HEAVY = _SERVER | {"sqlalchemy", "shapely", "numpy", "pydantic", "rich"}


def commands() -> Iterator[tuple[str, ...]]:
    def below(group: TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                yield from below(command, (*path, name))
            else:
                yield (*path, name)

    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return below(root, ())


def test_there_are_the_commands_that_the_interface_names() -> None:
    assert {" ".join(path) for path in commands()} == {
        *("demo", "doctor", "init", "serve", "explain", "report", "simulate", "replay", "db upgrade"),
        *("beacon frame", "beacon decode"),
        *("stores import", "stores list", "stores show", "stores check"),
        *("campaigns validate", "campaigns apply", "campaigns list"),
        *("campaigns plan", "campaigns backtest"),
        *("campaigns pause", "campaigns resume", "campaigns stop", "campaigns schema"),
        *("keys create", "keys list", "keys revoke"),
        *("webhooks add", "webhooks list", "webhooks rotate", "webhooks remove"),
        *("dead-letters list", "dead-letters replay", "dead-letters drop", "retention run"),
        *("visits rebuild", "purchases import", "customers import"),
    }


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_helps_with_an_example_of_itself(path: tuple[str, ...], shell: Shell) -> None:
    assert f"Example: m2s {' '.join(path)}" in shell.run(*path, "--help").stdout


@pytest.mark.parametrize("path", [(), ("stores",), ("keys", "create")], ids=" ".join)
def test_the_short_option_helps_too(path: tuple[str, ...], shell: Shell) -> None:
    assert shell.run(*path, "-h").stdout == shell.run(*path, "--help").stdout


def test_wrong_usage_ends_with_two_and_says_what_is_near(shell: Shell) -> None:
    assert "Did you mean 'stores'" in shell.run("store", code=2).stderr
    shell.run("keys", "create", "--role", "king", code=2)
    shell.run("explain", code=2)
    shell.run("report", "visits", "--from", "2026-11-02", "--to", "2026-11-01", code=2)


def test_help_loads_no_library_that_only_commands_need(shell: Shell) -> None:
    assert not _loaded_by(shell, "--help") & _HEAVY


def test_validating_a_campaign_loads_no_server(shop: Shell) -> None:
    loaded = _loaded_by(shop, "campaigns", "validate", "campaigns/welcome.yaml")
    assert "campaigns" in loaded
    assert not loaded & _SERVER


def test_the_example_of_init_works_as_it_is_written(shell: Shell) -> None:
    code, out, err = shell.process("init", "shop")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    for role in ("admin", "manager", "sdk"):
        (place,) = [place for place, line in enumerate(lines) if line.startswith(f"pk_{role}_")]
        assert lines[place + 1].startswith(f"{role}: for ")
    inside = Shell(shell.folder / "shop")
    code, out, err = inside.process("stores", "import", "stores.geojson")
    assert (code, out, err) == (0, "1 store added, 0 replaced (catalog version 1)\n", "")
    code, out, err = inside.process("campaigns", "apply", "campaigns/welcome.yaml")
    assert (code, out, err) == (0, "welcome: created\n", "")


def test_the_example_store_needs_no_putting_right(shop: Shell) -> None:
    assert shop.run("stores", "check").stdout == "1 store, 0 errors, 0 warnings\n"


def test_init_overwrites_nothing(shell: Shell) -> None:
    kept = Path("campaigns/welcome.yaml")
    kept.parent.mkdir()
    kept.write_text("mine")
    assert "campaigns/welcome.yaml exists already; nothing was written" in shell.run("init", code=1).stderr
    assert kept.read_text() == "mine"
    assert sorted(path.name for path in shell.folder.iterdir()) == ["campaigns"]


def test_what_init_writes_that_may_hold_secrets_is_for_its_owner_alone(shop: Shell) -> None:
    for name in ("m2s.toml", "m2s.sqlite3", "m2s.sqlite3.lock"):
        assert (shop.folder / name).stat().st_mode & 0o777 == 0o600, name


def test_init_makes_keys_for_the_admin_a_manager_and_the_app(shop: Shell) -> None:
    keys = json.loads(shop.run("keys", "list", "--json").stdout)["keys"]
    assert {(key["role"], key["revoked_at"]) for key in keys} == {
        ("admin", None),
        ("manager", None),
        ("sdk", None),
    }


def test_the_configuration_of_init_names_every_setting_with_its_default(shell: Shell) -> None:
    shell.run("init")
    text = Path("m2s.toml").read_text(encoding="utf-8")
    expected = Settings(timezone="Europe/Paris").model_dump()
    assert load_settings().model_dump() == expected
    uncommented = text
    for name in (*Settings.model_fields, "push", "sms"):
        uncommented = uncommented.replace(f"\n# {name} = ", f"\n{name} = ")
    shown = tomllib.loads(uncommented)
    assert set(shown) == set(Settings.model_fields)
    assert Settings(**shown).model_dump() == expected


def test_without_a_database_the_command_that_makes_one_is_named(shell: Shell) -> None:
    assert "m2s db upgrade" in shell.run("stores", "list", code=1).stderr
    assert shell.run("db", "upgrade").stdout == "m2s.sqlite3 is ready\n"
    shell.run("stores", "list")


def _loaded_by(shell: Shell, *words: str) -> set[str]:
    """The top-level modules that a process has loaded when the command ends."""
    code = (
        "import sys, m2s.entry.cli.main as cli\n"
        f"sys.argv = ['m2s', *{list(words)!r}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    return set(shell.python(code).splitlines()[-1].split())
