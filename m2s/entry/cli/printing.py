"""How are results printed? Tables for people, JSON for programs."""

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap

from m2s.app.sheet import shown

_WIDE = 10_000
_TOLD_PARTS = 10


def print_json(value: object) -> None:
    """Prints a value as JSON on standard output."""
    _write(json_text(value))


def json_text(value: object) -> str:
    """A value as JSON, ending in a line break; a character that UTF-8 has not is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return text.encode(errors="backslashreplace").decode()


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


def text_for_screen(columns: Sequence[str], rows: Sequence[Sequence[object]], *, width: int | None) -> str:
    """A table where it fits into `width` columns (None: any), else each row as a block of `name: value` lines."""
    table = table_text(columns, rows)
    if width is None or max(len(line) for line in table.splitlines()) <= width:
        return table
    return "\n".join(_block(columns, row, width=width) for row in rows) or "no rows\n"


def screen_width() -> int | None:
    """How many columns standard output has; None when it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def counted(number: int, name: str) -> str:
    """A number with its noun: `1 store`, `2 stores`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Shows that something goes on, on standard error where that is a terminal; what it yields changes the words."""
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield status.update


@contextmanager
def progress() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error, or, where that is no terminal, a line for every tenth.

    What it yields is told the share that is done, and in words what is shown beside it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    told = 0

    def tell(done: float, text: str) -> None:
        nonlocal told
        if done * _TOLD_PARTS >= told + 1:
            told = int(done * _TOLD_PARTS)
            sys.stderr.write(f"{done:4.0%}  {text}\n")
            sys.stderr.flush()

    if not sys.stderr.isatty():
        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda done, text: bar.update(task, completed=done, description=text)


def _block(columns: Sequence[str], row: Sequence[object], *, width: int) -> str:
    """A row as lines; what is empty is left out, and a long value goes on beneath its beginning."""
    cells = [(name, _printable(shown(value))) for name, value in zip(columns, row, strict=True)]
    beside = max(map(len, columns)) + 2
    lines = [
        wrap(
            value,
            width,
            initial_indent=f"{name}:".ljust(beside),
            subsequent_indent=" " * beside,
            break_on_hyphens=False,
        )
        for name, value in cells
        if value
    ]
    return "".join(f"{line}\n" for value in lines for line in value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
