"""Every command beside a running server: it does what it does without one, or refuses with a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import Result

from m2s.bootstrap import Engine, build_engine
from m2s.entry.cli import orders
from m2s.entry.cli.configuration import load_settings
from m2s.entry.cli.server import Server
from tests.entry.cli.conftest import Shell
from tests.entry.cli.test_cli_start import commands

NEVER_THE_SAME = re.compile(
    r"pk_\w+_[\w-]{43}|\b[0-9a-z]{8}\b(?=: keep it|\" *,|  +(?:admin|manager|sdk|till) )|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|(?<=salt\": )(?:null|\"[0-9a-f]{32}\")"
)
"""Keys, their ids, the time of day, and what arms are drawn with (the universal salt is made by the first server)."""

BAD_CSV = "id,name,latitude,longitude,timezone\nlyon,Lyon,91,4.85,Europe/Paris\n"
GOOD_CSV = BAD_CSV.replace("91", "45.75")
BASKETS_CSV = """purchase_id,store_id,at,amount,discount,currency,customer_id
1,example-bakery,2026-11-01T10:00:00+01:00,12.50,0,EUR,c1
2,nowhere,2026-11-01T10:00:00+01:00,12.50,0,EUR,c1
"""

SAME = {
    "stores import": ("new.csv", "new.csv --json", "stores.geojson", "bad.csv", "none.csv"),
    "stores list": ("", "--json"),
    "stores show": ("example-bakery", "nowhere"),
    "stores check": ("",),
    "campaigns validate": ("campaigns/welcome.yaml broken.yaml",),
    "campaigns apply": (
        "campaigns/welcome.yaml changed.yaml",
        "other.yaml --json",
        "other.yaml broken.yaml",
        "other.yaml other.yaml",
        "latin.yaml",
    ),
    "campaigns schema": ("",),
    "campaigns plan": ("campaigns/welcome.yaml", "broken.yaml"),
    "campaigns backtest": ("campaigns/welcome.yaml --from 2026-11-01 --to 2026-11-02", "broken.yaml"),
    "campaigns list": ("",),
    "campaigns pause": ("welcome", "nowhere"),
    "campaigns resume": ("welcome",),
    "campaigns stop": ("welcome",),
    "purchases import": ("baskets.csv", "baskets.csv --json", "customers.csv", "none.csv"),
    "customers import": ("customers.csv", "customers.csv --country FR --json", "none.csv"),
    "keys create": ("--role sdk", "--role till --store example-bakery --json", "--role till --store nowhere"),
    "keys list": ("", "--json"),
    "keys revoke": ("nowhere",),
    "webhooks add": ("http://shop.example/m2s", "https://shop.example/m2s --event nothing"),
    "webhooks list": ("", "--json"),
    "webhooks rotate": ("nowhere",),
    "webhooks remove": ("nowhere",),
    "dead-letters list": ("", "--json"),
    "dead-letters replay": ("dl_nowhere",),
    "dead-letters drop": ("dl_nowhere",),
    "retention run": ("", "--json"),
    "explain": ("--shopper shp_nobody",),
    "simulate": ("mall --dry-run", "nowhere"),
    "beacon frame": (
        "--uuid 5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11 --major 2 --minor 1 --measured-power-dbm -59",
    ),
    "beacon decode": ("0201061aff4c0002155b6ab1b658c64ad59f0f7f4d2f0a3c1100020001c5", "00"),
    "replay": ("none.gpx",),
    "report": ("visits", "beacons", "offers --json", "stores --format csv"),
    "init": ("", "elsewhere"),
}
"""By command what is typed after it, here without a server and there beside one: what comes of it is the same."""

REFUSED = {
    "db upgrade": "stop it first: a database in use cannot change its shape",
    "serve": "one server at a time: stop that one first",
    "visits rebuild": "stop it first: nothing may come in while visits are rebuilt",
}


@dataclass(frozen=True, slots=True)
class Twins:
    """Two folders that are the same, but that a server runs in the second."""

    shell: Shell
    engine: Engine
    url: str
    monkeypatch: pytest.MonkeyPatch

    def both(self, *words: str) -> tuple[Result, Result]:
        """Types a command in each folder."""
        results = []
        for name in ("alone", "served"):
            self.monkeypatch.chdir(self.shell.folder / name)
            results.append(self.shell.type(*words))
        return results[0], results[1]


@pytest.fixture
def twins(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twins]:
    for name in ("alone", "served"):
        shell.run("init", name)
        monkeypatch.chdir(shell.folder / name)
        shell.run("stores", "import", "stores.geojson")
        shell.run("campaigns", "apply", "campaigns/welcome.yaml")
        _write_files()
        monkeypatch.chdir(shell.folder)
    server = Server(engine := build_engine(load_settings(shell.folder / "served/m2s.toml")), heartbeat=False)
    server.start()
    try:
        yield Twins(shell, engine, server.url, monkeypatch)
    finally:
        server.stop()


def test_each_command_is_either_the_same_beside_a_server_or_refused() -> None:
    all_commands = {" ".join(path) for path in commands()}
    # The doctor says who serves: tests/entry/cli/test_cli_doctor.py.
    assert set(SAME) | set(REFUSED) | {"demo", "doctor"} == all_commands
    assert set(orders.ORDERS) <= set(SAME)


@pytest.mark.parametrize("command", SAME)
def test_a_command_does_beside_a_server_what_it_does_without(twins: Twins, command: str) -> None:
    for words in SAME[command]:
        alone, served = twins.both(*command.split(), *words.split())
        assert _told(served) == _told(alone)
        assert alone.stdout or alone.stderr
    for words in ("stores list --json", "campaigns list --json", "keys list --json"):
        alone, served = twins.both(*words.split())
        assert _told(served) == _told(alone)


@pytest.mark.parametrize("command", REFUSED)
def test_what_needs_the_file_for_itself_refuses_in_one_line(twins: Twins, command: str) -> None:
    twins.monkeypatch.setenv("M2S_PORT", "0")
    twins.monkeypatch.chdir(twins.shell.folder / "served")
    (line,) = twins.shell.run(*command.split(), code=1).stderr.splitlines()
    assert re.fullmatch(rf"m2s: process \d+( at {re.escape(twins.url)})? owns this database; (.*)", line)
    assert line.endswith(REFUSED[command])


def test_the_demo_runs_beside_a_server(twins: Twins) -> None:
    twins.monkeypatch.chdir(twins.shell.folder / "served")
    told = twins.shell.run("demo", "--headless", "--for", "1s", "--json").stdout
    assert json.loads(told)["true_visits"] >= 0


def test_what_a_command_changed_is_in_force_in_the_server_at_once(twins: Twins) -> None:
    def typed(words: str) -> str:
        return twins.both(*words.split())[1].stdout

    typed("stores import new.csv")
    typed("campaigns pause welcome")
    assert set(twins.engine.catalog().stores) == {"example-bakery", "lyon"}
    assert [row.state for row in twins.engine.publish.campaigns()] == ["paused"]
    made = json.loads(typed("keys create --role admin --json"))
    keys = f"{twins.url}/v1/keys"
    bearer = {"Authorization": f"Bearer {made['key']}"}
    assert httpx2.get(keys, headers=bearer).status_code == 200
    assert typed(f"keys revoke {made['key_id']}") == f"{made['key_id']} is revoked\n"
    assert httpx2.get(keys, headers=bearer).status_code == 401


def test_an_endpoint_is_given_a_new_secret_and_removed_beside_a_server(twins: Twins) -> None:
    def typed(words: str) -> list[dict[str, Any]]:
        return [json.loads(result.stdout) for result in twins.both(*words.split())]

    made = typed("webhooks add https://shop.example/m2s --event visit.* --json")
    key = typed("keys create --role admin --json")[1]["key"]

    def served() -> list[dict[str, Any]]:
        answer = httpx2.get(f"{twins.url}/v1/webhooks", headers={"Authorization": f"Bearer {key}"})
        listed: list[dict[str, Any]] = answer.raise_for_status().json()["webhooks"]
        return listed

    for name, endpoint in zip(("alone", "served"), made, strict=True):
        twins.monkeypatch.chdir(twins.shell.folder / name)
        rotated = json.loads(twins.shell.run("webhooks", "rotate", endpoint["webhook_id"], "--json").stdout)
        assert rotated == {**endpoint, "secret": rotated["secret"]}
        assert re.fullmatch(r"whsec_\S{40,}", rotated["secret"])
        assert rotated["secret"] != endpoint["secret"]
    kept = twins.engine.webhooks.get(made[1]["webhook_id"])
    assert (kept.secret, kept.old_secret) == (rotated["secret"], made[1]["secret"])
    assert [(row["webhook_id"], row["old_secret_until"] is None) for row in served()] == [(kept.id, False)]
    for name, endpoint in zip(("alone", "served"), made, strict=True):
        twins.monkeypatch.chdir(twins.shell.folder / name)
        told = twins.shell.run("webhooks", "remove", endpoint["webhook_id"]).stdout
        assert told == f"{endpoint['webhook_id']} is removed\n"
        assert json.loads(twins.shell.run("webhooks", "list", "--json").stdout) == {"webhooks": []}
        assert "no webhook" in twins.shell.run("webhooks", "rotate", endpoint["webhook_id"], code=1).stderr
    assert served() == []


def _write_files() -> None:
    Path("new.csv").write_text(GOOD_CSV)
    Path("bad.csv").write_text(BAD_CSV)
    Path("baskets.csv").write_text(BASKETS_CSV)
    Path("customers.csv").write_text("customer_id,phone,since\nc1,0612345678,2020-01-01\nc2,12,\n")
    welcome = Path("campaigns/welcome.yaml").read_text(encoding="utf-8")
    other = welcome.replace("campaign: welcome", "campaign: other")
    Path("changed.yaml").write_text(other.replace("other", "changed"), encoding="utf-8")
    Path("other.yaml").write_text(other, encoding="utf-8")
    Path("broken.yaml").write_text(other.replace("{all: true}", "{ids: [nowhere]}"), encoding="utf-8")
    Path("latin.yaml").write_bytes(b"campaign: \xff\n")


def _told(result: Result) -> tuple[int, list[str], list[str]]:
    """The exit code and the lines; sorted, because keys of one moment are listed by their random ids."""
    printed = (
        NEVER_THE_SAME.sub("*", text.replace("/served", "/alone")) for text in (result.stdout, result.stderr)
    )
    out, err = (sorted(re.sub(r"  +", "  ", text).splitlines()) for text in printed)
    return result.exit_code, out, err
