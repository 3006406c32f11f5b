"""Which files belong to the project? Answers for the tests that read the source itself."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.data import ROOT

SOURCE_FOLDERS = ("m2s", "beacons", "campaigns", "accuracy", "benchmarks")


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file that git tracks or would track, or, outside a git checkout, every visible file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else _visible_names()
    return tuple(path for name in sorted(filter(None, names)) if (path := ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """Return the project's Python files under the given top folders."""
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    ]


def _visible_names() -> list[str]:
    relatives = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return [str(relative) for relative in relatives if not any(_hidden(part) for part in relative.parts)]


def _hidden(part: str) -> bool:
    return (
        part in {"__pycache__", "build", "dist"}
        or part.endswith(".egg-info")
        or (part.startswith(".") and part not in {".ci", ".gitignore"})
    )
