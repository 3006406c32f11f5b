"""Stand-ins as tests use them: started in a process of their own, given orders, asked for their ledger, ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.data import ROOT
from tests.providers.keys import write_certificates


@dataclass(frozen=True)
class Running:
    """A provider that runs; `ca_file` is None where it speaks no TLS."""

    url: str
    folder: Path
    ca_file: Path | None

    def order(self, *orders: Mapping[str, Any]) -> None:
        """How the next requests to send are treated, one by one."""
        with (self.folder / "orders.jsonl").open("a") as file:
            file.writelines(json.dumps(order) + "\n" for order in orders)

    def ledger(self) -> list[dict[str, Any]]:
        """All that it wrote down, in order."""
        file = self.folder / "ledger.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def accepted(self) -> list[dict[str, Any]]:
        """What it took to deliver."""
        return [row for row in self.ledger() if row["kind"] == "accepted"]

    def violations(self) -> list[str]:
        """What was asked against the published rules."""
        return [row["what"] for row in self.ledger() if row["kind"] == "violation"]


@contextmanager
def running(name: str, folder: Path, config: Mapping[str, Any]) -> Iterator[Running]:
    """The stand-in `tests.providers.NAME` in `folder`, which is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    ca_file = write_certificates(folder) if config.get("tls") else None
    command = [sys.executable, "-m", f"tests.providers.{name}", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, f"the stand-in {name} did not start"
            scheme = config.get("scheme") or ("https" if ca_file else "http")
            yield Running(f"{scheme}://127.0.0.1:{port}", folder, ca_file)
        finally:
            process.terminate()
            process.wait(10)
