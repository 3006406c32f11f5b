"""What do the documents claim? Reads names and commands out of README.md and docs/*.md."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

from tests.data import ROOT

FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
SHELLS = {"sh", "bash", "shell", "console"}
OWN_PATH = re.compile(
    r"(?:m2s|beacons|campaigns|accuracy|benchmarks|tests|docs|requirements|\.ci)/[\w./*{},-]*|[\w-]+\.(?:toml|md)|Makefile"
)
OWN_NAME = re.compile(r"(?:m2s|beacons|campaigns)(?:\.\w+)+(?:\(\))?")
# Files that a user of m2s writes, not files of the project.
USERS_FILES = {"m2s.toml"}


def documents() -> list[Path]:
    """Return the project's documents that exist."""
    return [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.is_file()]


def spans(text: str) -> list[str]:
    """Return the texts in single backticks outside fenced blocks."""
    return SPAN.findall(FENCE.sub("", text))


def commands(text: str, program: str) -> list[list[str]]:
    """Return the words of every documented call of `program`: in backticks, and in shell blocks."""
    lines = spans(text)
    for fence in FENCE.finditer(text):
        if fence["language"] in SHELLS:
            block = fence["body"].replace("\\\n", " ").splitlines()
            typed = [line[2:] for line in block if line.startswith("$ ")]
            lines += typed or block
    return [_words(line) for line in lines if line == program or line.startswith(program + " ")]


def claimed_paths(text: str) -> list[str]:
    """Return the backticked paths that lie inside this repository."""
    return [span for span in spans(text) if OWN_PATH.fullmatch(span) and span not in USERS_FILES]


def claimed_names(text: str) -> list[str]:
    """Return the backticked dotted names of our packages, without a closing pair of brackets."""
    return [
        span.removesuffix("()")
        for span in spans(text)
        if OWN_NAME.fullmatch(span) and not span.startswith("m2s.toml")
    ]


def path_exists(claim: str) -> bool:
    """Say whether a claimed path names something; `*` and `{a,b}` are read as a shell reads them."""
    braces = re.search(r"\{([^{}]*)\}", claim)
    if braces:
        start, end = claim[: braces.start()], claim[braces.end() :]
        return all(path_exists(start + choice + end) for choice in braces[1].split(","))
    if "*" in claim:
        return any(ROOT.glob(claim.rstrip("/")))
    return (ROOT / claim).exists()


def name_exists(claim: str) -> bool:
    """Say whether a dotted name is a package, a module, or something that a module defines."""
    parts = claim.split(".")
    for size in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:size])
        source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if source.is_file():
            return _defines(ast.parse(source.read_text(encoding="utf-8")), parts[size:])
    return False


def _defines(tree: ast.Module | ast.ClassDef, names: list[str]) -> bool:
    if not names:
        return True
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) if name == names[0]:
                return _defines(node, names[1:])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name == names[0]:
                return len(names) == 1
            case ast.Assign(targets=targets) if any(_is_name(target, names[0]) for target in targets):
                return len(names) == 1
            case ast.AnnAssign(target=target) if _is_name(target, names[0]):
                return len(names) == 1
    return False


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _words(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    ends = [index for index, word in enumerate(words) if word in {"|", ">", "&&", "&", ";", "<"}]
    return words[: ends[0]] if ends else words
