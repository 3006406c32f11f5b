"""Commands in a folder of their own: typed through Typer's runner, or as real processes."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
        result = self.type(*words)
        assert result.exit_code == code, result.output
        return result

    def type(self, *words: str) -> Result:
        """Types a command in this process."""
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
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


@dataclass(frozen=True, slots=True)
class Running:
    """A server process and the key of a manager."""

    process: subprocess.Popen[str]
    url: str
    key: str


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


@pytest.fixture
def running(shop: Shell) -> Iterator[Running]:
    """`m2s serve` in the folder of `shop`."""
    key = shop.run("keys", "create", "--role", "manager").stdout.strip()
    with serving(shop) as (process, url):
        yield Running(process, url, key)


@contextmanager
def serving(shell: Shell, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`m2s serve` as a process that is killed in the end, and its address."""
    process = shell.start("serve", "--port", "0", *options)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("m2s listens on http://127.0.0.1:"), process.communicate()
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.communicate()


def wait_until_refused(url: str) -> None:
    """Waits until the server at an address takes no more connections."""
    host, port = url.removeprefix("http://").split(":")
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except ConnectionResetError:
            continue
        except ConnectionRefusedError:
            return
    raise AssertionError("the server still accepts connections")
