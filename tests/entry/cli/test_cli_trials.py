"""`m2s campaigns plan` and `backtest`: in a folder of one's own, and beside a server."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from tests.entry.cli.conftest import Running, Shell

WELCOME = "campaigns/welcome.yaml"
SPAN = ("--from", "2026-11-02", "--to", "2026-11-08")


def other_version(folder: Path) -> str:
    text = (folder / WELCOME).read_text(encoding="utf-8")
    file = folder / "other.yaml"
    file.write_text(text.replace("valid_for: 30m", "valid_for: 50m"), encoding="utf-8")
    return file.name


def test_a_plan_says_what_changes_and_changes_nothing(shop: Shell) -> None:
    told = shop.run("campaigns", "plan", other_version(shop.folder)).stdout
    assert told.startswith("welcome: would change (version ")
    assert "  offers.at-the-door.valid_for: 30m → 50m\n" in told
    assert "1 store takes part: example-bakery\n" in told
    assert shop.run("campaigns", "plan", WELCOME).stdout.startswith("welcome: is in force as it is")
    (plan,) = json.loads(shop.run("campaigns", "plan", WELCOME, "--json").stdout)["plans"]
    assert (plan["campaign_id"], plan["change"], plan["seen"]) == ("welcome", "unchanged", 0)


def test_two_versions_are_played_side_by_side(shop: Shell) -> None:
    other = other_version(shop.folder)
    told = shop.run("campaigns", "backtest", WELCOME, other, *SPAN)
    assert f"{WELCOME}: 0 of evidence played\n{other}: 0 of evidence played\n" in told.stdout
    assert "100%  other.yaml" in told.stderr
    runs = json.loads(shop.run("campaigns", "backtest", other, "--against-running", *SPAN, "--json").stdout)[
        "runs"
    ]
    assert [(run["name"], len(run["versions"])) for run in runs] == [(other, 1), ("in force", 0)]


def test_a_file_with_problems_is_not_tried(shop: Shell) -> None:
    (shop.folder / "bad.yaml").write_text("campaign: bad\n", encoding="utf-8")
    for words in (("plan", "bad.yaml"), ("backtest", "bad.yaml", *SPAN)):
        assert "bad.yaml:1" in shop.run("campaigns", *words, code=1).stderr
    assert (
        "before --from"
        in shop.run(
            "campaigns", "backtest", WELCOME, "--from", "2026-11-08", "--to", "2026-11-02", code=2
        ).stderr
    )


@pytest.mark.parametrize("what", ["vanished", "loop", "folder", "empty", "half", "latin"])
def test_a_file_that_is_no_whole_campaign_changes_nothing(shop: Shell, what: str) -> None:
    text = (shop.folder / WELCOME).read_bytes()
    file = shop.folder / "next.yaml"
    match what:
        case "loop":
            file.symlink_to(file)
        case "folder":
            file.mkdir()
        case "empty":
            file.touch()
        case "half":
            file.write_bytes(text[: len(text) // 2])
        case "latin":
            file.write_bytes("campaign: café\n".encode("latin-1"))
    before = shop.run("campaigns", "list", "--json").stdout
    assert "next.yaml" in shop.run("campaigns", "apply", WELCOME, "next.yaml", code=1).stderr
    assert shop.run("campaigns", "list", "--json").stdout == before


def test_beside_a_server_both_read_and_an_applied_file_is_in_force_there(
    shop: Shell, running: Running
) -> None:
    other = other_version(shop.folder)
    assert shop.run("campaigns", "plan", other).stdout.startswith("welcome: would change")
    shop.run("campaigns", "backtest", other, *SPAN)
    shop.run("campaigns", "apply", other)
    headers = {"authorization": f"Bearer {running.key}"}
    found = httpx2.get(f"{running.url}/v1/campaigns/welcome", headers=headers).json()
    assert "valid_for: 50m" in found["yaml"]
    body = (shop.folder / other).read_bytes()
    yaml = headers | {"content-type": "application/yaml"}
    planned = httpx2.post(f"{running.url}/v1/campaigns/plan", headers=yaml, content=body, timeout=60)
    assert (planned.status_code, planned.json()["change"]) == (200, "unchanged")
