"""Does m2s answer what the walk-through of a campaign shows? Each command is run, each output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.data import ROOT

_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shaped(shown: str) -> re.Pattern[str]:
    """A shown output; `…` stands for any lines where it is alone, else for the rest of its line."""
    lines = []
    for line in shown.splitlines():
        if line == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(re.escape(line.removesuffix("…")) + (".*" if line.endswith("…") else "") + r"\n")
    return re.compile("".join(lines))


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
    assert len(blocks) >= 12
    for (_, typed), (_, shown) in zip(blocks[::2], blocks[1::2], strict=True):
        done = subprocess.run(
            ["sh", "-ec", f"exec 2>&1\n{typed}"],
            cwd=folder,
            env=surroundings,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert shaped(shown).fullmatch(done.stdout), f"{typed}\nshown:\n{shown}\ncame:\n{done.stdout}"
