"""Does `make demo` leave standard output to the demo, also where it installs first?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.data import ROOT


def test_what_installing_says_does_not_mix_with_what_the_demo_prints(tmp_path: Path) -> None:
    commands = {"python": '[ "$1" = -c ] || echo installing', "m2s": 'echo "{\\"ran\\": \\"$*\\"}"'}
    for name, body in commands.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        command.chmod(0o755)
    made = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "demo",
            f"VENV={tmp_path}",
            f"PYTHON={sys.executable}",
            "ARGS=--json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert made.stdout == '{"ran": "demo --json"}\n'
    assert "Installing m2s into" in made.stderr
