"""Does m2s answer what the walk-through of a campaign shows? Each command is run, each output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.data import ROOT

_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=== done ==="


def agrees(shown: str, came: str) -> bool:
    """Whether this came of what is shown; `…` stands for any lines where it is alone, else for the rest of its line."""
    runs = [run.splitlines() for run in re.split(r"^…\n", shown, flags=re.MULTILINE)]
    lines = came.splitlines()
    if len(runs) == 1:
        return len(lines) == len(runs[0]) and _alike(runs[0], lines)
    first, *between, last = runs
    end = len(lines) - len(last)
    if not _alike(first, lines) or end < len(first) or not _alike(last, lines[end:]):
        return False
    at = len(first)
    for run in between:
        found = next((begin for begin in range(at, end - len(run) + 1) if _alike(run, lines[begin:])), None)
        if found is None:
            return False
        at = found + len(run)
    return True


def _alike(shown: list[str], came: list[str]) -> bool:
    """Whether these lines come first."""
    return len(shown) <= len(came) and all(
        line.startswith(told[:-1]) if told.endswith("…") else line == told
        for told, line in zip(shown, came, strict=False)
    )


def test_every_command_answers_what_is_shown(tmp_path: Path) -> None:
    text = (ROOT / "docs/campaign-walk-through.md").read_text(encoding="utf-8")
    command = tmp_path / "bin" / "m2s"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m m2s "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    folder = tmp_path / "shop"
    folder.mkdir()
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("M2S_")} | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    blocks = [(block[1], block[2]) for block in _BLOCK.finditer(text)]
    assert [kind for kind, _ in blocks] == ["sh", "text"] * (len(blocks) // 2)
    typed = [body for kind, body in blocks if kind == "sh"]
    for verb in ("validate", "plan", "backtest", "apply"):
        assert any(f"m2s campaigns {verb} " in body for body in typed), verb
    assert sum(body.count("m2s explain ") for body in typed) >= 3
    # One shell for all, so that a change of folder holds for what follows.
    script = "\n".join(["exec 2>&1", *(f"{body}printf '{_MARK}'" for body in typed)])
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    came = done.stdout.split(_MARK)
    for body, shown, out in zip(typed, (text for kind, text in blocks if kind == "text"), came, strict=False):
        assert agrees(shown, out), f"{body}\nshown:\n{shown}\ncame:\n{out}"
    assert (len(came), came[-1]) == (len(typed) + 1, "")
