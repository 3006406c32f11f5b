"""Where are the recordings that claims are scored on, and what is in them?

The folder is `$M2S_DATA`, else `../shared/data` beside the repository; a relative `$M2S_DATA` counts from there.
"""

import csv
import gzip
import os
from pathlib import Path


def data_root() -> Path:
    """The folder of the recordings; it may be absent."""
    here = Path(__file__).resolve().parent.parent
    return (here / (os.environ.get("M2S_DATA") or "../shared/data")).resolve()


def rows_of(root: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file; a name that ends in `.gz` is inflated. Raises FileNotFoundError where there is none."""
    path = root / name
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as text
    ):
        return list(csv.DictReader(text))
