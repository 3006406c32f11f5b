"""Commands in a folder of their own: typed through Typer's runner, or as real processes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from m2s.entry.cli.main import app
from tests.data import ROOT


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder in which commands are run."""

    folder: Path

    def run(self, *words: str, code: int = 0) -> Result:
        """Types a command in this process and expects its exit code."""
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def python(self, code: str) -> str:
        """What a Python process prints."""
        process = self._start("-c", code)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts a command as a process of its own."""
        return self._start("-m", "m2s", *words)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *words: str) -> tuple[int, str, str]:
        """Runs a command as a process: exit code, standard output, standard error."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    for name in [name for name in os.environ if name.startswith("M2S_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Shell(tmp_path)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def shop(shell: Shell) -> Shell:
    """A folder that `m2s init` made, with its store and campaign in force."""
    shell.run("init")
    shell.run("stores", "import", "stores.geojson")
    shell.run("campaigns", "apply", "campaigns/welcome.yaml")
    return shell
