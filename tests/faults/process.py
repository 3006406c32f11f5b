"""How is a server process started, killed and told to stop? Its log goes to a file that tests read afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from tests.faults.site import Site

SERVE = ("-m", "m2s", "serve")
LONGEST_S = 60.0
"""No start and no end may take longer; what is promised is less and is asserted where it is measured."""


class Process:
    """One process of a site; `arguments` are those of Python. It is killed at the end of the `with` block."""

    def __init__(self, site: Site, arguments: Sequence[str] = SERVE) -> None:
        self.log = site.database.with_name("server.log")
        self.began_s = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=site.database.parent,
                env=site.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._heard = Event()
        self._listens = False
        self._last_words = ""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def cpu_s(self) -> float:
        """The CPU seconds that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_until_listening(self) -> None:
        """Returns when requests are answered; fails when the process ends before."""
        assert self._heard.wait(LONGEST_S), f"not listening after {LONGEST_S} s"
        assert self._listens, told(self.log)

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        self._process.kill()
        assert self.wait() == -9

    def terminate(self) -> float:
        """Tells it to stop and returns after how many seconds it has; it has to end with 0 and its last words."""
        began_s = time.monotonic()
        self._process.terminate()
        assert self.wait() == 0, told(self.log)
        assert self._last_words == "m2s stopped; everything that was accepted is kept\n", told(self.log)
        return time.monotonic() - began_s

    def wait(self) -> int:
        """Its exit code when it has ended, -9 when it was killed."""
        code = self._process.wait(LONGEST_S)
        self._reader.join(LONGEST_S)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.startswith("m2s listens on "):
                    self._listens = True
                    self._heard.set()
                self._last_words = line
        self._heard.set()


def told(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-30:])
