"""Where is the real data that a test reads, and what happens when it is not there?

The folder is `$M2S_DATA`, else `../shared/data` beside the repository. Absent data skips a test with the
reason; where `$M2S_REQUIRE` contains the word `data`, it fails the test instead.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def required(word: str) -> bool:
    """Say whether `$M2S_REQUIRE` (words separated by commas or spaces) forbids to skip for lack of `word`."""
    return word in os.environ.get("M2S_REQUIRE", "").replace(",", " ").split()


def data_root() -> Path:
    """Return the folder of the real data; a relative `$M2S_DATA` counts from the repository's root."""
    return (ROOT / (os.environ.get("M2S_DATA") or "../shared/data")).resolve()


def data_path(relative: str) -> Path:
    """Return the path of one real data file, such as `polygons/pois_monaco.geojson.gz`.

    Skips the calling test when the file is absent, or fails it when `$M2S_REQUIRE` says so.
    """
    path = data_root() / relative
    if not path.exists():
        reason = f"real data {relative} is not in {data_root()}: set M2S_DATA to the folder that holds it"
        if required("data"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


def read_text(relative: str) -> str:
    """Return the text (UTF-8) of one real data file; a name that ends in `.gz` is inflated."""
    path = data_path(relative)
    if path.suffix == ".gz":
        return read_gz_text(relative)
    return path.read_text(encoding="utf-8")


def read_gz_text(relative: str) -> str:
    """Return the inflated text (UTF-8) of one gzipped real data file."""
    with gzip.open(data_path(relative), "rt", encoding="utf-8") as stream:
        return stream.read()
