"""What may the pure packages import? An allow-list: what is not named here has to be argued for."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.data import ROOT
from tests.house.tree import python_files

# Input, output, clocks, randomness, processes and threads reach pure code as arguments or not at all.
IMPURE_STDLIB = frozenset(
    {
        *("asyncio", "atexit", "builtins", "concurrent", "ctypes", "faulthandler", "fcntl", "fileinput"),
        *("ftplib", "getpass", "glob", "http", "imaplib", "importlib", "io", "logging", "mmap"),
        *("multiprocessing", "os", "pathlib", "pickle", "pkgutil", "platform", "poplib", "pty", "queue"),
        *("random", "resource", "runpy", "sched", "secrets", "select", "selectors", "shelve", "shutil"),
        *("signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys"),
        *("sysconfig", "syslog", "tempfile", "termios", "threading", "time", "tty", "urllib", "uuid"),
        *("warnings", "webbrowser", "wsgiref", "xmlrpc", "zipfile"),
    }
)
# Parsing, value types and functions of otherwise impure modules.
PURE_SUBMODULES = frozenset({"urllib.parse", "cryptography.hazmat.primitives.ciphers"})
LIBRARIES = frozenset({"msgspec", "numpy", "shapely", "opening_hours", "holidays", "cronsim", "dateutil"})
OWN = {
    "beacons": frozenset({"beacons"}),
    "campaigns": frozenset({"campaigns"}),
    "m2s": frozenset({"m2s.core", "beacons", "campaigns"}),
}
PURE_NAMES_OF = {"uuid": frozenset({"UUID"})}
IMPURE_CALLS = frozenset({"__import__", "eval", "exec", "input", "open", "print"})
CLOCK_CALLS = frozenset({"now", "today", "utcnow"})


def pure_files() -> list[Path]:
    found = python_files("beacons", "campaigns", "m2s")
    return [
        path
        for path in found
        if not path.is_relative_to(ROOT / "beacons/sim")
        and (path.parts[len(ROOT.parts)] != "m2s" or path.is_relative_to(ROOT / "m2s/core"))
    ]


def imported_names(tree: ast.AST) -> list[tuple[int, str, str]]:
    """Return line, module and imported name ('' for a plain import) of every import, also nested ones."""
    found: list[tuple[int, str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found += [(node.lineno, module, alias.name) for alias in node.names]
    return found


def impure_calls(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and name of every call of a built-in that touches the world, or of a clock."""
    calls = [(node.lineno, node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [(line, func.id) for line, func in calls if isinstance(func, ast.Name)]
    clocks = [
        (line, f"{func.value.id}.{func.attr}")
        for line, func in calls
        if isinstance(func, ast.Attribute) and func.attr in CLOCK_CALLS and isinstance(func.value, ast.Name)
    ]
    return [(line, name) for line, name in names if name in IMPURE_CALLS] + [
        (line, name) for line, name in clocks if name.split(".")[0] in {"datetime", "date", "dt"}
    ]


def allowed(relative: Path, module: str, name: str) -> bool:
    top = module.split(".")[0]
    if any(module == own or module.startswith(own + ".") for own in OWN[relative.parts[0]]):
        return True
    if top == "ruamel":
        return relative.parts[0] == "campaigns" and relative.name.startswith("reader")
    if top in LIBRARIES or module in PURE_SUBMODULES or name in PURE_NAMES_OF.get(module, ()):
        return True
    return top in sys.stdlib_module_names and top not in IMPURE_STDLIB


def violations(path: Path, source: str) -> list[str]:
    relative = path.relative_to(ROOT)
    tree = ast.parse(source, str(path))
    imports = [
        f"{relative}:{line}: imports {module}{'.' + name if name else ''}"
        for line, module, name in imported_names(tree)
        if not allowed(relative, module, name)
    ]
    return imports + [f"{relative}:{line}: calls {name}()" for line, name in impure_calls(tree)]


def test_pure_packages_touch_nothing_but_values() -> None:
    found = [hit for path in pure_files() for hit in violations(path, path.read_text(encoding="utf-8"))]
    assert found == [], "pure code must get values or ports as arguments"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("m2s/core/base/ids.py", "import secrets"),
        ("m2s/core/places/geo.py", "import os.path"),
        ("m2s/core/places/geo.py", "from datetime import datetime; from time import time"),
        ("m2s/core/measure/lift.py", "import scipy.stats"),
        ("m2s/core/measure/lift.py", "from m2s.app import ports"),
        ("m2s/core/measure/lift.py", "def f():\n    from uuid import uuid4"),
        ("m2s/core/measure/lift.py", "from . import rollup"),
        ("campaigns/model.py", "import ruamel.yaml"),
        ("campaigns/model.py", "from beacons import ibeacon"),
        ("campaigns/model.py", "open('offer.yaml')"),
        ("campaigns/schedule.py", "datetime.now(UTC)"),
        ("beacons/ranging.py", "from random import gauss"),
        ("beacons/frames/ephemeral.py", "from cryptography.fernet import Fernet"),
    ],
)
def test_impure_code_is_caught(place: str, line: str) -> None:
    assert violations(ROOT / place, line)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("m2s/core/places/geo.py", "import math, shapely.geometry as g"),
        ("m2s/core/places/hours.py", "from opening_hours import OpeningHours; from zoneinfo import ZoneInfo"),
        ("m2s/core/presence/sighting.py", "from uuid import UUID; from beacons.ibeacon import Identity"),
        ("campaigns/reader.py", "from ruamel.yaml import YAML"),
        ("beacons/frames/ephemeral.py", "from cryptography.hazmat.primitives.ciphers import Cipher"),
    ],
)
def test_pure_code_is_let_through(place: str, line: str) -> None:
    assert not violations(ROOT / place, line)
