"""How does a long CSV file get in? Piece by piece, each a transaction; what was taken stays, and is not taken twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from m2s.bootstrap import ROW_READERS
from m2s.core.base.errors import Invalid
from m2s.entry.cli.desk import carrying_out, settings_of
from m2s.entry.cli.printing import counted, print_json, progress

_PIECE = 200
"""So many are one transaction: while it runs, sightings wait."""
_MOST_TOLD = 1_000
"""Lines that are told one by one; more are counted."""


@dataclass(slots=True)
class _Total:
    """What became of the lines so far; a problem is of a line that was not taken, or taken but for a pivot id."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    left_out: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)

    def count(self, done: Mapping[str, Any], numbers: Sequence[int]) -> None:
        """Adds what was done with a piece, of the lines with these numbers."""
        self.accepted += done["accepted"]
        self.duplicates += done["duplicates"]
        for kind in ("rejected", "left_out"):
            for one in done[kind]:
                self.tell(numbers[one["index"]], one["detail"].removeprefix("/"), taken=kind == "left_out")

    def tell(self, line: int, detail: str, *, taken: bool) -> None:
        """Counts a line of which something is wrong."""
        if taken:
            self.left_out += 1
        else:
            self.rejected += 1
        if len(self.problems) < _MOST_TOLD:
            self.problems.append({"line": line, "detail": detail, "taken": taken})


def import_rows(
    file: Path,
    kind: str,
    *,
    noun: str,
    config: Path | None,
    as_json: bool,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Imports a file of this kind and tells what became of its lines; ends with 1 where one was not taken."""
    settings = settings_of(config)
    total = _Total()
    try:
        with file.open("rb") as stream, TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            size = max(1, file.stat().st_size)
            rows = _rows(text, file, kind, total=total)
            first = list(islice(rows, _PIECE))
            with carrying_out(settings, f"{kind} import") as take, progress() as show:
                while first:
                    done = take(rows=[asdict(row) for _, row in first], **(options or {}))
                    total.count(done, [number for number, _ in first])
                    show(stream.tell() / size, f"{total.accepted:,} {noun}s taken")
                    first = list(islice(rows, _PIECE))
    except OSError as error:
        if error.filename != str(file):
            raise
        raise Invalid(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from None
    _print(file, total, noun=noun, as_json=as_json)
    if total.rejected:
        raise typer.Exit(1)


def _rows(text: Iterable[str], file: Path, kind: str, *, total: _Total) -> Iterator[tuple[int, Any]]:
    """The rows that can be read, by the number of their line; those that cannot be are counted."""
    number = 0
    try:
        for line in ROW_READERS[kind](text):
            number = line.number
            if line.problem is not None:
                total.tell(line.number, line.problem.detail, taken=False)
            else:
                yield line.number, line.row
    except UnicodeDecodeError:
        detail = "save it as UTF-8; what stands before may have been taken, and is not taken twice"
        raise Invalid(f"{file} is not UTF-8 after line {number}: {detail}") from None
    except Invalid as error:
        raise Invalid(f"{file}: {error.detail}", code=error.code, problems=error.problems) from None


def _print(file: Path, total: _Total, *, noun: str, as_json: bool) -> None:
    total.problems.sort(key=lambda one: int(one["line"]))
    if as_json:
        print_json(
            {
                "accepted": total.accepted,
                "duplicates": total.duplicates,
                "rejected": total.rejected,
                "left_out": total.left_out,
                "problems": total.problems,
            }
        )
        return
    _print_lines(file, total.problems, more=total.rejected + total.left_out - len(total.problems))
    told = [f"{counted(total.accepted, noun)} taken"]
    if total.duplicates:
        told.append(f"{total.duplicates} there already")
    if total.rejected:
        told.append(f"{counted(total.rejected, 'line')} not taken")
    typer.echo(", ".join(told))


def _print_lines(file: Path, problems: Iterable[Mapping[str, Any]], *, more: int) -> None:
    for one in problems:
        typer.echo(f"{file}:{one['line']}: {one['detail']}", err=True)
    if more > 0:
        typer.echo(f"{file}: and {more:,} more", err=True)
