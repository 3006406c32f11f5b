"""`m2s demo` from its first line to its last."""

from __future__ import annotations

import io
import json
import signal

from rich.console import Console

from m2s.entry.cli.demo import open_demo
from m2s.entry.cli.demo_command import screen
from tests.entry.cli.conftest import Shell

ATTRIBUTION = "Shops © OpenStreetMap contributors, ODbL 1.0"


def test_unattended_it_ends_with_the_figures_as_json(shell: Shell) -> None:
    result = shell.run("demo", "--headless", "--for", "1s", "--port", "0", "--json")
    figures = json.loads(result.stdout.splitlines()[-1])
    assert set(figures) == {
        *("visits", "true_visits", "precision", "recall", "sends", "ghosts", "suppressed", "redemptions"),
        *("lift", "true_effect", "sightings", "wall_s"),
    }
    assert set(figures["lift"]) == {"difference", "low", "high"}
    assert "m2s listens on http://127.0.0.1:" in result.stderr
    assert result.stderr.splitlines()[0] == ATTRIBUTION
    assert "100%" in result.stderr


def test_ctrl_c_ends_it_with_the_report(shell: Shell) -> None:
    process = shell.start("demo", "--port", "0")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("m2s listens on ")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, f"{ATTRIBUTION}\nstopped; this is what came of it so far\n")
    assert "what really happened" in out


def test_the_live_screen_says_at_its_foot_whose_data_the_shops_are() -> None:
    with open_demo(seed=7, port=0) as running:
        moment = next(running.run(1.0))
        console = Console(file=io.StringIO(), width=100)
        with console.capture() as capture:
            console.print(screen(moment, running))
    assert ATTRIBUTION in capture.get().splitlines()[-2:]


def test_a_demo_is_kept_in_a_new_folder_only(shell: Shell) -> None:
    (shell.folder / "full").mkdir()
    (shell.folder / "full" / "mine").touch()
    refused = shell.run("demo", "--headless", "--keep", "full", "--port", "0", code=1)
    assert refused.stderr == "m2s: full is not empty; name a new folder\n"
    assert [path.name for path in (shell.folder / "full").iterdir()] == ["mine"]


def test_a_time_that_is_none_is_wrong_usage(shell: Shell) -> None:
    assert "60s" in shell.run("demo", "--for", "soon", code=2).stderr
