"""Are files short enough to read, and free of addresses and paths that belong to somebody's machine?"""

from __future__ import annotations

import re
from pathlib import Path

from tests.data import ROOT
from tests.house.tree import SOURCE_FOLDERS, project_files, python_files

SOURCE_LINES = 400
TEST_LINES = 600

# Put together here, so that this file does not contain what it looks for.
PACKAGE_INDEX = re.compile(
    "pypi" + r"\.org|python" + r"hosted\.org|--(?:extra-)?index" + "-url|find-" + "links"
)
MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:work|root|Users)" + r"/[\w.-]")
PINNED = re.compile(r"^[A-Za-z0-9._-]+==")


def hits(pattern: re.Pattern[str]) -> list[str]:
    found: list[str] = []
    for path in project_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(lines, start=1)
            if pattern.search(line)
        ]
    return found


def too_long(paths: list[Path], limit: int) -> list[str]:
    counted = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in paths)
    return [f"{path.relative_to(ROOT)}: {count} lines" for path, count in counted if count > limit]


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    sources = python_files(*SOURCE_FOLDERS)
    assert sources
    assert too_long(sources, SOURCE_LINES) == []


def test_no_test_file_is_longer_than_a_reader_can_hold() -> None:
    assert too_long(python_files("tests"), TEST_LINES) == []


def test_no_file_names_a_package_index() -> None:
    assert hits(PACKAGE_INDEX) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert hits(MACHINE_PATH) == []


def test_package_init_files_hold_a_docstring_only() -> None:
    inits = [path for path in python_files(*SOURCE_FOLDERS) if path.name == "__init__.py"]
    longer = [str(path.relative_to(ROOT)) for path in inits if not _only_docstring(path)]
    assert longer == []


def test_every_folder_of_source_is_a_package() -> None:
    folders = {path.parent for path in python_files("m2s", "beacons", "campaigns")}
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders if not _is_package(folder)) == []


def test_every_requirement_is_pinned_by_version_and_hash() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert [path.name for path in files] == ["base.txt", "build.txt", "dev.txt"]
    for path in files:
        entries = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip())
        loose = [
            entry.split()[0] for entry in entries if not PINNED.match(entry) or "--hash=sha256:" not in entry
        ]
        assert loose == [], f"{path.name}: not pinned by version and hash"


def _only_docstring(path: Path) -> bool:
    return re.fullmatch(r'\s*"""[^"]+"""\s*', path.read_text(encoding="utf-8")) is not None


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file() or folder.name == "versions" or "migrations" in folder.parts
