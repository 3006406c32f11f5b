"""How are results printed? Tables for people, JSON for programs."""

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from m2s.app.sheet import shown

_WIDE = 10_000


def print_json(value: object) -> None:
    """Prints a value as JSON on standard output."""
    _write(json_text(value))


def json_text(value: object) -> str:
    """A value as JSON, ending in a line break."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table on standard output, as wide as the terminal; as wide as its cells where there is none."""
    _write(table_text(columns, rows, width=None if sys.stdout.isatty() else _WIDE))


def table_text(columns: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = _WIDE) -> str:
    """A table as text; numbers stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(_printable(shown(value))) for value in row))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    lines = (line.rstrip() for line in capture.get().splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def counted(number: int, name: str) -> str:
    """A number with its noun: `1 store`, `2 stores`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows that something goes on, on standard error where that is a terminal."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
